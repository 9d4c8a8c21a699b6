"""The scheduler: gives each pod a node.

As in Kubernetes: what can't be is filtered out (`filters`, `pod_affinity`, `topology_spread`, `volumes`), of the nodes
that are left the one with the highest score is taken (`scores`), and where none is left, pods of lower priority may
have to go (`preemption`). `scheduler` is the loop, `cluster_state` what it knows of nodes and pods.
"""

from seatrial.sandbox.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
