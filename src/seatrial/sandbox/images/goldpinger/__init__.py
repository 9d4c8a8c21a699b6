"""Goldpinger: every instance calls every other, so that one look shows who reaches whom, and how fast.

The HTTP interface of bloomberg/goldpinger 3.x (its swagger.yml) with its environment variables and flags, so that
experiments and dashboards written for the real one work in the sandbox. `program` starts it, `peers` finds the others
through the Kubernetes API, `checks` calls them, `page`, `heatmap` and `metrics` show what came of it.
"""
