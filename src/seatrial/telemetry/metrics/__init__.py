"""What machines see of a run: numbers, for Prometheus, a Pushgateway, Datadog and standard output.

`table` has all metrics, `samples` and `objective_levels` what each event means to them, `standing` when a level stands
no longer, `limits` how many series there may be. Each way out is a module.
"""
