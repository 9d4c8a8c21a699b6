"""Which strategy a resource has."""

from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.strategies import batch, cluster, pods, services, workloads
from seatrial.sandbox.apiserver.strategies.base import Strategy

_PLAIN = Strategy()
_STRATEGIES: dict[str, Strategy] = {
    **cluster.STRATEGIES,
    "pods": pods.STRATEGY,
    "deployments.apps": workloads.DEPLOYMENT,
    "replicasets.apps": workloads.REPLICA_SET,
    "replicationcontrollers": workloads.REPLICATION_CONTROLLER,
    "statefulsets.apps": workloads.STATEFUL_SET,
    "daemonsets.apps": workloads.DAEMON_SET,
    "services": services.STRATEGY,
    "jobs.batch": batch.JOB,
    "cronjobs.batch": batch.CRON_JOB,
}


def strategy_of(resource: Resource) -> Strategy:
    """The strategy of a resource."""
    return _STRATEGIES.get(resource.table, _PLAIN)
