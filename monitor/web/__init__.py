"""The agent's own web server: metrics, health, the API and the page."""
