"""What can be done to the alerting of a system: keeping it quiet while an experiment runs."""
