"""What machines see of a run: log lines and metrics, fed by its events."""
