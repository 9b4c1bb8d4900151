"""One module a command; `monitor.cli` imports it when it is asked for."""
