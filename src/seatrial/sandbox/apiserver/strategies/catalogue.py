"""Which strategy a resource has."""

from collections.abc import Callable
from dataclasses import replace

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom import definition_strategy
from seatrial.sandbox.apiserver.custom.definition import KEY as DEFINITIONS
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.statuses import FieldError
from seatrial.sandbox.apiserver.strategies import (
    batch,
    cluster,
    cluster_validation,
    configuration_validation,
    nodes,
    pods,
    services,
    workload_validation,
    workloads,
)
from seatrial.sandbox.apiserver.strategies.base import Strategy

_PLAIN = Strategy()
_STRATEGIES: dict[str, Strategy] = {
    **cluster.STRATEGIES,
    "nodes": nodes.STRATEGY,
    "pods": pods.STRATEGY,
    "deployments.apps": workloads.DEPLOYMENT,
    "replicasets.apps": workloads.REPLICA_SET,
    "replicationcontrollers": workloads.REPLICATION_CONTROLLER,
    "statefulsets.apps": workloads.STATEFUL_SET,
    "daemonsets.apps": workloads.DAEMON_SET,
    "services": services.STRATEGY,
    "jobs.batch": batch.JOB,
    "cronjobs.batch": batch.CRON_JOB,
    "apiservices.apiregistration.k8s.io": Strategy(name_rule="path"),
    DEFINITIONS: definition_strategy.STRATEGY,
}
_RBAC = "rbac.authorization.k8s.io"
# What is checked besides, kind by kind.
_RULES: dict[str, Callable[[Object], list[FieldError]]] = {
    "configmaps": configuration_validation.config_map_errors,
    "secrets": configuration_validation.secret_errors,
    "statefulsets.apps": workload_validation.stateful_set_errors,
    "daemonsets.apps": workload_validation.daemon_set_errors,
    "jobs.batch": workload_validation.job_errors,
    "cronjobs.batch": workload_validation.cron_job_errors,
    "horizontalpodautoscalers.autoscaling": workload_validation.autoscaler_errors,
    "services": cluster_validation.service_errors,
    "poddisruptionbudgets.policy": cluster_validation.budget_errors,
    "ingresses.networking.k8s.io": cluster_validation.ingress_errors,
    "networkpolicies.networking.k8s.io": cluster_validation.network_policy_errors,
    "resourcequotas": cluster_validation.quota_errors,
    "limitranges": cluster_validation.limit_range_errors,
    "persistentvolumeclaims": cluster_validation.claim_errors,
    f"rolebindings.{_RBAC}": cluster_validation.binding_errors,
    f"clusterrolebindings.{_RBAC}": cluster_validation.binding_errors,
    "priorityclasses.scheduling.k8s.io": cluster_validation.priority_class_errors,
    "leases.coordination.k8s.io": cluster_validation.lease_errors,
}


def _checked(strategy: Strategy, more: Callable[[Object], list[FieldError]]) -> Strategy:
    """The strategy with further checks after its own."""
    return replace(strategy, validate=lambda obj: strategy.validate(obj) + more(obj))


for _key, _more in _RULES.items():
    _STRATEGIES[_key] = _checked(_STRATEGIES.get(_key, _PLAIN), _more)


def strategy_of(resource: Resource) -> Strategy:
    """The strategy of a resource."""
    return resource.custom.strategy if resource.custom else _STRATEGIES.get(resource.table, _PLAIN)
