"""The NetworkPolicies of a partition: what they allow, so that what is left is cut.

A NetworkPolicy can only allow. A pod that any of them selects is closed but for what at least one of them allows, so
"all but these pods" is written as: all pods of other namespaces, the pods of theirs that have not their labels, and all
addresses but theirs. A conjunction of labels turns into one peer for each of its negated conditions.
Source: Kubernetes documentation, "Network Policies"; the label of namespaces: "Well-Known Labels".
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from seatrial.kube.resources import NETWORKPOLICIES
from seatrial.kube.selectors import LabelSelector, Requirement
from seatrial.steps.partition.model import PodGroup

Object = dict[str, Any]
PolicyType = Literal["Ingress", "Egress"]

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_OPERATORS = {
    "in": "In",
    "=": "In",
    "==": "In",
    "notin": "NotIn",
    "!=": "NotIn",
    "exists": "Exists",
    "!": "DoesNotExist",
}
_OPPOSITE = {"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}
_EVERY_ADDRESS = {4: "0.0.0.0/0", 6: "::/0"}
_DNS_PORT = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One NetworkPolicy: whom it selects, which of their connections it closes, and for whom (None: for everybody)."""

    selects: PodGroup
    type: PolicyType
    against: PodGroup | None
    allow_dns: bool = False

    def __str__(self) -> str:
        way = "from" if self.type == "Ingress" else "to"
        return f"{self.selects}: none {way} {self.against or 'anywhere'}{' but to name servers' * self.allow_dns}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the pods that are cut off, and which versions of IP the cluster has."""

    closed: frozenset[str] = frozenset()
    versions: frozenset[int] = field(default=frozenset({4}))

    @classmethod
    def of(cls, closed: Iterable[str], every: Iterable[str]) -> "Addresses":
        """From addresses as pods have them; where no pod has one, IP version 4 is assumed."""
        versions = frozenset(ipaddress.ip_address(each).version for each in every)
        return cls(frozenset(closed), versions or frozenset({4}))


def network_policy(cut: Cut, *, name: str, addresses: Addresses) -> Object:
    """The manifest."""
    return {
        "apiVersion": NETWORKPOLICIES.api_version,
        "kind": NETWORKPOLICIES.kind,
        "metadata": {"name": name, "namespace": cut.selects.namespace},
        "spec": {
            "podSelector": as_selector(cut.selects.labels),
            "policyTypes": [cut.type],
            cut.type.lower(): list(_rules(cut, addresses)),
        },
    }


def rules_of(policy: Object, type_: PolicyType) -> Iterator[Object] | None:
    """What a policy allows in a direction, nothing perhaps; None where it has no say in it."""
    spec = policy["spec"]
    # Where it is not said, it is ingress, and egress if there are rules for it (API reference, `policyTypes`).
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return iter(spec.get(type_.lower()) or ()) if type_ in types else None


def as_selector(labels: LabelSelector) -> Object:
    """A label selector as manifests have it."""
    expressions = [_expression(each) for each in labels.requirements]
    return {"matchExpressions": expressions} if expressions else {}


def _rules(cut: Cut, addresses: Addresses) -> Iterator[Object]:
    if cut.against is not None:
        yield {"from" if cut.type == "Ingress" else "to": list(_all_but(cut.against, addresses))}
    elif cut.allow_dns:
        yield {"ports": [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]}


def _all_but(group: PodGroup, addresses: Addresses) -> Iterator[Object]:
    namespace = {"key": _NAMESPACE_LABEL, "values": [group.namespace]}
    # Some network plugins leave out pods with the node's network where there is no selector of pods.
    yield {"namespaceSelector": {"matchExpressions": [{**namespace, "operator": "NotIn"}]}, "podSelector": {}}
    for requirement in group.labels.requirements:
        expression = _expression(requirement)
        yield {
            "namespaceSelector": {"matchExpressions": [{**namespace, "operator": "In"}]},
            "podSelector": {"matchExpressions": [{**expression, "operator": _OPPOSITE[expression["operator"]]}]},
        }
    for version in sorted(addresses.versions):
        theirs = (ipaddress.ip_network(each) for each in addresses.closed)
        closed = sorted(str(each) for each in theirs if each.version == version)
        yield {"ipBlock": {"cidr": _EVERY_ADDRESS[version], **({"except": closed} if closed else {})}}


def _expression(requirement: Requirement) -> Object:
    values = {"values": list(requirement.values)} if requirement.values else {}
    return {"key": requirement.key, "operator": _OPERATORS[requirement.operator], **values}
