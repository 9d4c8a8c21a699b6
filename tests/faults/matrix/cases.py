"""What Seatrial changes: the rows of the matrix, one small entry each.

`{ns}` in a case is the cell's own namespace, which has a node of that name too (one without a machine).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.matrix.faults import Fault, faults, faults_of_a_machine

Object = dict[str, Any]

RESERVED = "node3"
"""The node that takes no pods of cells: its machine is stopped."""


@dataclass(frozen=True)
class Case:
    """One thing that Seatrial does.

    Args:
        name: the row's heading.
        steps: what the policy's only scenario does.
        before: objects that are there when it begins.
        loaded: manifests that the run applies first and takes back at the end.
        target: kind and name of the object that somebody else deletes or changes meanwhile.
        meddling: the merge patch by which somebody else changes it.
        comes_back: clean-up makes the object anew, so that it has another UID.
        changes: how many requests of the experiment change something.
        undone: whether clean-up changes something; what a controller mends needs none.
        machine: the node whose machine it is about, which one cell at a time may have: so these meet fewer faults.
    """

    name: str
    steps: tuple[Object, ...] = ()
    before: tuple[Object, ...] = ()
    loaded: tuple[Object, ...] = ()
    target: tuple[str, str] = ("ConfigMap", "settings")
    meddling: Mapping[str, Any] = field(default_factory=lambda: {"data": {"theirs": "1"}})
    comes_back: bool = False
    changes: int = 1
    undone: bool = True
    machine: str = ""


def config_map(name: str = "settings", **data: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "{ns}"},
        "data": data or {"colour": "red"},
    }  # fmt: skip


def service(name: str = "web", **selector: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "{ns}"},
        "spec": {"selector": selector or {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }  # fmt: skip


def deployment(name: str = "web", *, replicas: int = 1) -> Object:
    container = {
        "name": "main", "image": "busybox", "command": ["sleep", "3600"],
        "ports": [{"containerPort": 8080, "name": "http"}],
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "{ns}"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            },
        },
    }  # fmt: skip


def kubectl(action: str, *objects: Object) -> Object:
    return {"kubectl": {"action": action, "payload": "\n---\n".join(map(json.dumps, objects))}}


def node_action(action: Object) -> Object:
    return {"nodeAction": {"matches": [{"property": {"name": "name", "value": "{ns}"}}], "actions": [action]}}


def pod_action(action: Object) -> Object:
    matcher = {"labels": {"namespace": "{ns}", "selector": "app=web"}}
    return {"podAction": {"matches": [matcher], "actions": [action]}}


_NODE = ("Node", "{ns}")
_NODE_MEDDLING = {"metadata": {"labels": {"theirs": "1"}}}
_WEB = ("Deployment", "web")
_WEB_MEDDLING = {"metadata": {"labels": {"theirs": "1"}}}

CASES = (
    Case("--load, new objects", loaded=(config_map(), service()), changes=2),
    Case("--load over an object that is there", before=(config_map(),), loaded=(config_map(colour="blue", size="9"),)),
    Case("kubectl apply, new objects", (kubectl("apply", config_map(), service()),), changes=2),
    Case(
        "kubectl apply over objects that are there",
        (kubectl("apply", config_map(colour="blue"), service(app="other")),),
        before=(config_map(), service()), changes=2,
    ),
    Case(
        "kubectl delete", (kubectl("delete", config_map(), service()),),
        before=(config_map(), service()), comes_back=True, changes=2,
    ),
    Case("cordon", (node_action({"cordon": {}}),), target=_NODE, meddling=_NODE_MEDDLING),
    Case(
        "taint", (node_action({"taint": {"key": "chaos", "effect": "NoSchedule"}}),),
        target=_NODE, meddling=_NODE_MEDDLING,
    ),
    Case("drain", (node_action({"drain": {}}),), target=_NODE, meddling=_NODE_MEDDLING),
    Case(
        "scale", ({"scale": {"target": {"deployment": {"name": "web", "namespace": "{ns}"}}, "replicas": 2}},),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING,
    ),
    Case(
        "clone, with its Service retargeted",
        (
            {
                "clone": {
                    "source": {"deployment": {"name": "web", "namespace": "{ns}"}},
                    "servicesToRetarget": [{"service": {"name": "web", "namespace": "{ns}"}}],
                    "mutations": [{"environment": {"name": "SLOW", "value": "1"}}],
                }
            },
        ),
        before=(deployment(), service()), target=("Service", "web"), meddling=_WEB_MEDDLING, changes=2,
    ),
    Case(
        "kill", (pod_action({"kill": {"force": True}}),),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING, undone=False,
    ),
    Case(
        "evict", (pod_action({"evict": {}}),),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING, undone=False,
    ),
    Case(
        "exec with an undo",
        (pod_action({"exec": {"command": ["touch", "/tmp/broken"], "undo": ["rm", "-f", "/tmp/broken"]}}),),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING,
    ),
    Case(
        "stop a machine",
        ({"nodeAction": {"matches": [{"property": {"name": "name", "value": RESERVED}}], "actions": [{"stop": {}}]}},),
        machine=RESERVED,
    ),
)  # fmt: skip


def placed(value: Any, namespace: str) -> Any:
    """A case's data, in a cell's namespace."""
    if isinstance(value, str):
        return value.replace("{ns}", namespace)
    if isinstance(value, Mapping):
        return {key: placed(each, namespace) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(placed(each, namespace) for each in value)
    return value


def faults_of(case: Case) -> list[Fault]:
    """The columns of a row."""
    return faults_of_a_machine() if case.machine else faults(changes=case.changes, undone=case.undone)
