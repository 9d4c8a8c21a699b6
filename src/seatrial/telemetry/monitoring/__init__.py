"""What a monitoring system needs to watch Seatrial, written from its table of metrics: alert rules, a dashboard.

`alerts` has the rules, `dashboard` the panels, `files` what is written into `deploy/monitoring`. Nothing that runs an
experiment imports this.
"""
