"""How much of each resource that a quota can limit one object uses.

Names and rules: Kubernetes documentation, "Resource Quotas". A pod that has ended uses nothing but its place in
`count/pods`; every kind counts under `count/RESOURCE.GROUP`, some of the core group under a bare name as well.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from seatrial.kube.quantity import Quantity
from seatrial.sandbox.api import Object
from seatrial.sandbox.rules.pod_resources import Amounts, amounts_of, pod_amounts
from seatrial.sandbox.rules.storage_classes import class_of

ONE: Final = Quantity(Decimal(1))
ZERO: Final = Quantity(Decimal(0))
# Those that pods must state, each container for itself, when a quota limits them.
_MUST_BE_STATED: Final = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_BARE_COUNTS: Final = frozenset(
    {"pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims"}
)
_STORAGE: Final = "requests.storage"
_CLASS_INFIX: Final = ".storageclass.storage.k8s.io/"


def count_name(table: str) -> str:
    """The name under which a resource's objects are counted: `count/deployments.apps`, `count/pods`."""
    return f"count/{table}"


def usage_of(table: str, obj: Object) -> Amounts:
    """What an object of a table (`pods`, `deployments.apps`) uses."""
    usage: Amounts = {count_name(table): ONE}
    if table == "pods":
        return usage | _pod_usage(obj)
    if table in _BARE_COUNTS:
        usage[table] = ONE
    if table == "services":
        usage |= _service_usage(obj["spec"])
    elif table == "persistentvolumeclaims":
        usage |= _claim_usage(obj)
    return usage


def _pod_usage(pod: Object) -> Amounts:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {}
    return {"pods": ONE} | _compute_usage(pod_amounts(pod["spec"], "requests"), pod_amounts(pod["spec"], "limits"))


def _compute_usage(requests: Amounts, limits: Amounts) -> Amounts:
    usage: Amounts = {}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            usage[name] = amount
        usage[f"requests.{name}"] = amount
    for name in _COMPUTE:
        if name in limits:
            usage[f"limits.{name}"] = limits[name]
    return usage


def _service_usage(spec: Object) -> Amounts:
    kind = spec.get("type", "ClusterIP")
    ports = spec.get("ports") or ()
    node_ports, balanced = 0, 0
    if kind == "NodePort":
        node_ports = len(ports)
    elif kind == "LoadBalancer":
        balanced = 1
        given = spec.get("allocateLoadBalancerNodePorts", True)
        node_ports = len(ports) if given else sum(bool(port.get("nodePort")) for port in ports)
    return {
        "services.nodeports": Quantity(Decimal(node_ports)),
        "services.loadbalancers": Quantity(Decimal(balanced)),
    }


def _claim_usage(claim: Object) -> Amounts:
    name = class_of(claim)
    usage: Amounts = {}
    if name:
        usage[f"{name}{_CLASS_INFIX}persistentvolumeclaims"] = ONE
    requested = amounts_of((claim["spec"].get("resources") or {}).get("requests")).get("storage")
    if requested is not None:
        usage[_STORAGE] = requested
        if name:
            usage[f"{name}{_CLASS_INFIX}{_STORAGE}"] = requested
    return usage


def is_about(name: str, table: str) -> bool:
    """Whether a limit of that name concerns the objects of a table."""
    if name == count_name(table):
        return True
    if table == "pods":
        if name.startswith(("requests.", "limits.")):
            return name != _STORAGE
        return name in ("pods", *_COMPUTE) or name.startswith("hugepages-")
    if table == "services":
        return name in ("services", "services.nodeports", "services.loadbalancers")
    if table == "persistentvolumeclaims":
        return name in ("persistentvolumeclaims", _STORAGE) or _CLASS_INFIX in name
    return name == table and table in _BARE_COUNTS


def tables_of(hard: Iterable[str]) -> set[str]:
    """The tables whose objects a quota with these limits has to count."""
    known = ("pods", "services", "persistentvolumeclaims", *_BARE_COUNTS)
    tables = {table for name in hard for table in known if is_about(name, table)}
    return tables | {name.removeprefix("count/") for name in hard if name.startswith("count/")}


def unstated(pod: Object, limited: Iterable[str]) -> dict[str, list[str]]:
    """Limited resource -> the containers that don't state how much of it they want."""
    wanted = [name for name in _MUST_BE_STATED if name in set(limited)]
    missing: dict[str, list[str]] = {}
    spec = pod["spec"]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        stated = _compute_usage(amounts_of(resources.get("requests")), amounts_of(resources.get("limits")))
        for name in wanted:
            if name not in stated:
                missing.setdefault(name, []).append(container["name"])
    return missing
