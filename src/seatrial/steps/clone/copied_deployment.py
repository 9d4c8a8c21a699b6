"""The manifest of a copy: what it has from its original, what it must not have, and what is its own.

The copy's selector names labels that no original has (`chaos=true`, the run's and the copy's own): so neither of the
two Deployments ever adopts the other's pods. Its pods keep the original's labels, hence the Services' selectors fit.
Expressions of the original's selector are dropped: they may exclude what the copy adds, and nothing needs them.
"""

import copy
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.actions.created_objects import RUN_LABEL, with_run_label
from seatrial.kube.resources import DEPLOYMENTS
from seatrial.steps.clone.model import Mutation
from seatrial.steps.clone.mutations.environment import Environment, set_variable
from seatrial.steps.clone.mutations.tc import TrafficControl, is_init, shaping_container
from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy
from seatrial.steps.clone.toxiproxy.containers import redirection, sidecar
from seatrial.steps.clone.toxiproxy.layout import Layout

CLONE_LABEL = "seatrial.io/clone"
CHAOS_LABELS = {"chaos": "true"}
MOST_GRACE_SECONDS = 60
"""How long a copy's pod may take to end: clean-up waits for it, and its own time is bounded."""

_SUFFIX = "-chaos"
_LONGEST_NAME = 63  # as a label's value
_DIGEST_LENGTH = 8

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that is to be made: its manifest, and what its sidecars are told where it has any."""

    body: Object
    layout: Layout | None

    @property
    def name(self) -> str:
        """The copy's name."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The copy's namespace."""
        return str(self.body["metadata"]["namespace"])

    @property
    def replicas(self) -> int:
        """How many pods it has."""
        return int(self.body["spec"]["replicas"])

    @property
    def pod_labels(self) -> dict[str, str]:
        """The labels of its pods."""
        labels: dict[str, str] = self.body["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def own_labels(self) -> dict[str, str]:
        """Those of its pods' labels that no other pod has."""
        return {key: self.pod_labels[key] for key in (*CHAOS_LABELS, RUN_LABEL, CLONE_LABEL)}

    @property
    def pod_selector(self) -> str:
        """What selects its pods and no others."""
        return ",".join(f"{key}={value}" for key, value in self.own_labels.items())


def name_of_copy(source: str) -> str:
    """`<source>-chaos`; a source whose name is too long for that is cut, and told apart by a digest."""
    name = source + _SUFFIX
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(source.encode()).hexdigest()[:_DIGEST_LENGTH]
    kept = source[: _LONGEST_NAME - len(_SUFFIX) - _DIGEST_LENGTH - 1].rstrip("-.")
    return f"{kept}-{digest}{_SUFFIX}"


def copy_of(
    source: Mapping[str, Any],
    *,
    run_id: str,
    scenario: str,
    replicas: int,
    labels: Mapping[str, str],
    mutations: Iterable[Mutation],
    layout: Layout | None,
) -> Copy:
    """The copy of a Deployment.

    Args:
        source: the Deployment as the API server has it.
        run_id: whose copy it is.
        scenario: the scenario's name.
        replicas: how many pods it has.
        labels: those of its pods, but for the ones that mark it as a copy.
        mutations: the faults.
        layout: what its sidecars are told, if it has any.
    """
    name = name_of_copy(source["metadata"]["name"])
    marks = {**CHAOS_LABELS, RUN_LABEL: run_id, CLONE_LABEL: name}
    pod_labels = {key: value for key, value in labels.items() if key != "pod-template-hash"} | marks
    # Labels that its pods were given instead of the original's are not selected.
    original = (source["spec"].get("selector") or {}).get("matchLabels") or {}
    selected = {key: value for key, value in original.items() if pod_labels.get(key) == value} | marks
    spec = copy.deepcopy(dict(source["spec"]))
    spec.pop("paused", None)
    template = spec["template"]
    metadata = {"labels": pod_labels, "annotations": (template.get("metadata") or {}).get("annotations") or {}}
    body = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": name,
            "labels": {**CHAOS_LABELS, CLONE_LABEL: name},
            "annotations": {"original_deployment": source["metadata"]["name"], "chaos_scenario": scenario},
        },
        "spec": {
            **spec,
            "replicas": replicas,
            "selector": {"matchLabels": selected},
            "template": {"metadata": metadata, "spec": _mutated(template["spec"], mutations, layout)},
        },
    }
    return Copy(with_run_label(body, run_id, namespace=source["metadata"]["namespace"]), layout)


def _mutated(spec: Object, mutations: Iterable[Mutation], layout: Layout | None) -> Object:
    """The pods' spec with the faults in it; what a mutation adds is not touched by the next."""
    spec = {**spec, "terminationGracePeriodSeconds": _grace_seconds(spec)}
    originals = {section: list(spec.get(section) or ()) for section in ("initContainers", "containers")}
    added: dict[str, list[Object]] = {section: [] for section in originals}
    taken = {container["name"] for containers in originals.values() for container in containers}

    def add(section: str, container: Object) -> None:
        name = _free_name(container["name"], taken)
        taken.add(name)
        added[section].append({**container, "name": name})

    for mutation in mutations:
        match mutation.spec:
            case Environment() as chosen:
                originals = {key: [set_variable(chosen, each) for each in value] for key, value in originals.items()}
            case TrafficControl() as chosen:
                section = "initContainers" if is_init(chosen) else "containers"
                add(section, shaping_container(chosen, "chaos-tc"))
            case Toxiproxy() as chosen if layout is not None:
                add("containers", sidecar(chosen, layout, spec.get("securityContext") or {}))
                if redirecting := redirection(chosen, layout):
                    add("initContainers", redirecting)
    sections = {key: [*originals[key], *added[key]] for key in originals}
    return {**spec, **{key: value for key, value in sections.items() if value}}


def _grace_seconds(spec: Mapping[str, Any]) -> int:
    given = spec.get("terminationGracePeriodSeconds")
    return min(30 if given is None else int(given), MOST_GRACE_SECONDS)


def _free_name(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(each for number in range(2, len(taken) + 3) if (each := f"{name}-{number}") not in taken)
