"""A pod as the scheduler sees it: what its spec asks for, read once and kept in a form that is quick to compare."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from seatrial.kube.selectors import LabelSelector, Requirement
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import (
    controller_of,
    is_finished,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.informer import Key
from seatrial.sandbox.rules.node_selection import named_nodes
from seatrial.sandbox.scheduler.resource_request import ResourceRequest, request_of

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
# What a required term of a pod that is there weighs when others choose their place.
REQUIRED_WEIGHT: Final = 1
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


class PodKind:
    """A namespace and a set of labels: selectors can't tell pods of one kind apart, so they are counted together."""

    __slots__ = ("labels", "namespace")

    def __init__(self, namespace: str, labels: Mapping[str, str]) -> None:
        self.namespace = namespace
        self.labels = labels


@lru_cache(maxsize=4096)
def _kind(namespace: str, labels: frozenset[tuple[str, str]]) -> PodKind:
    return PodKind(namespace, dict(labels))


class AffinityTerm(NamedTuple):
    """One term of a pod's affinity or anti-affinity to other pods."""

    topology_key: str
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None
    selector: LabelSelector
    weight: int = 0

    def selects(self, pod: PodKind, namespace_labels: Mapping[str, Mapping[str, str]]) -> bool:
        """The term speaks of pods of that kind."""
        if pod.namespace not in self.namespaces:
            selector = self.namespace_selector
            if selector is None or not selector.matches(namespace_labels.get(pod.namespace)):
                return False
        return self.selector.matches(pod.labels)


class SpreadConstraint(NamedTuple):
    """One of a pod's topology spread constraints."""

    topology_key: str
    max_skew: int
    min_domains: int
    selector: LabelSelector
    honors_affinity: bool
    honors_taints: bool


@dataclass(frozen=True, slots=True)
class PodInfo:
    """One pod.

    Args:
        pod: the object.
        kind: its namespace and labels.
        node_terms: the terms of its required node affinity; None if it has none.
        named_nodes: the only nodes that these terms can mean, by name; None if they aren't about names.
        preferred_node_terms: weight and term of its preferred node affinity.
        near, apart: required terms of affinity and anti-affinity to pods.
        prefers_near, prefers_apart: the same, preferred.
        spread: constraints that must hold.
        prefers_spread: constraints that should.
        family: pods with the same one are kept apart where nothing else is said: those of one owner.
    """

    pod: Object
    uid: str
    kind: PodKind
    priority: int
    request: ResourceRequest
    tolerations: list[Object]
    node_selector: Mapping[str, str]
    node_terms: list[Object] | None
    named_nodes: frozenset[str] | None
    preferred_node_terms: tuple[tuple[int, Object], ...]
    near: tuple[AffinityTerm, ...]
    apart: tuple[AffinityTerm, ...]
    prefers_near: tuple[AffinityTerm, ...]
    prefers_apart: tuple[AffinityTerm, ...]
    spread: tuple[SpreadConstraint, ...]
    prefers_spread: tuple[SpreadConstraint, ...]
    family: str
    is_terminating: bool

    @classmethod
    def of(cls, pod: Object) -> "PodInfo":
        """Read a pod."""
        spec, labels, namespace = pod["spec"], labels_of(pod), namespace_of(pod)
        affinity = spec.get("affinity") or {}
        node_affinity = affinity.get("nodeAffinity") or {}
        required = node_affinity.get(_REQUIRED)
        near, prefers_near = _terms(affinity.get("podAffinity"), namespace, labels)
        apart, prefers_apart = _terms(affinity.get("podAntiAffinity"), namespace, labels)
        node_terms = None if required is None else required.get("nodeSelectorTerms") or []
        constraints = spec.get("topologySpreadConstraints") or ()
        return cls(
            pod=pod,
            uid=uid_of(pod),
            kind=_kind(namespace, frozenset(labels.items())),
            priority=int(spec.get("priority") or 0),
            request=request_of(pod),
            tolerations=spec.get("tolerations") or [],
            node_selector=spec.get("nodeSelector") or {},
            node_terms=node_terms,
            named_nodes=named_nodes(node_terms),
            preferred_node_terms=tuple(
                (int(item["weight"]), item["preference"]) for item in node_affinity.get(_PREFERRED) or ()
            ),
            near=near,
            apart=apart,
            prefers_near=prefers_near,
            prefers_apart=prefers_apart,
            spread=tuple(_constraint(c, labels) for c in constraints if c["whenUnsatisfiable"] == "DoNotSchedule"),
            prefers_spread=tuple(
                _constraint(c, labels) for c in constraints if c["whenUnsatisfiable"] == "ScheduleAnyway"
            ),
            family=_family_of(pod),
            is_terminating=is_terminating(pod),
        )

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.kind.namespace, name_of(self.pod)

    @property
    def is_active(self) -> bool:
        """Neither finished nor on its way out."""
        return not self.is_terminating and not is_finished(self.pod)

    @property
    def minds_others(self) -> bool:
        """Where it may go depends on where other pods are."""
        return bool(self.near or self.apart or self.spread)

    @property
    def opinions(self) -> list[tuple[AffinityTerm, int]]:
        """What it would have near it, and (with a negative weight) away from it, now that it is there."""
        return [
            *((term, REQUIRED_WEIGHT) for term in self.near),
            *((term, term.weight) for term in self.prefers_near),
            *((term, -term.weight) for term in self.prefers_apart),
        ]


def _terms(
    given: Object | None, namespace: str, labels: Mapping[str, str]
) -> tuple[tuple[AffinityTerm, ...], tuple[AffinityTerm, ...]]:
    """Required and preferred terms."""
    if not given:
        return (), ()
    required = tuple(_term(item, namespace, labels) for item in given.get(_REQUIRED) or ())
    preferred = tuple(
        _term(item["podAffinityTerm"], namespace, labels, weight=int(item["weight"]))
        for item in given.get(_PREFERRED) or ()
    )
    return required, preferred


def _term(term: Object, namespace: str, labels: Mapping[str, str], *, weight: int = 0) -> AffinityTerm:
    namespaces = frozenset(term.get("namespaces") or ())
    given = term.get("namespaceSelector")
    if not namespaces and given is None:
        namespaces = frozenset({namespace})
    selector = LabelSelector.from_dict(term.get("labelSelector"))
    extra = [Requirement(key, "in", (labels[key],)) for key in term.get("matchLabelKeys") or () if key in labels]
    extra += [Requirement(key, "notin", (labels[key],)) for key in term.get("mismatchLabelKeys") or () if key in labels]
    return AffinityTerm(
        topology_key=term["topologyKey"],
        namespaces=namespaces,
        namespace_selector=None if given is None else LabelSelector.from_dict(given),
        selector=_extended(selector, extra),
        weight=weight,
    )


def _constraint(given: Object, labels: Mapping[str, str]) -> SpreadConstraint:
    extra = [Requirement(key, "in", (labels[key],)) for key in given.get("matchLabelKeys") or () if key in labels]
    return SpreadConstraint(
        topology_key=given["topologyKey"],
        max_skew=int(given.get("maxSkew") or 1),
        min_domains=int(given.get("minDomains") or 1),
        selector=_extended(LabelSelector.from_dict(given.get("labelSelector")), extra),
        honors_affinity=(given.get("nodeAffinityPolicy") or "Honor") == "Honor",
        honors_taints=(given.get("nodeTaintsPolicy") or "Ignore") == "Honor",
    )


def _extended(selector: LabelSelector, extra: list[Requirement]) -> LabelSelector:
    if not extra or selector.nothing:
        return selector
    return LabelSelector((*selector.requirements, *extra))


def _family_of(pod: Object) -> str:
    """Pods to spread: those of one controller; pods that nobody owns spread by their labels."""
    owner = controller_of(pod)
    if owner is not None:
        return str(owner["uid"])
    labels = labels_of(pod)
    return f"{namespace_of(pod)}/{sorted(labels.items())}" if labels else ""
