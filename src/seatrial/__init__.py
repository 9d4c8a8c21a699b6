"""Seatrial: chaos engineering for Kubernetes.

The way of the data: a policy file is read by `policy`, run by `engine`, whose `steps` choose `targets` and apply
`actions` to a cluster that `kube` talks to. `cli` is the way in; `report` and `telemetry` listen to the
run's events; `sandbox` is a cluster of its own. CONTRIBUTING.md has the map.
"""

__version__ = "0.1.0"
