"""What Prometheus scrapes: the metrics of the agent and of the state it publishes."""
