"""The report: one HTML file with plots, tables, methods and the data behind them."""
