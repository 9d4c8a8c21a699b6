"""What Seatrial changes: the rows of the matrix, one small entry each.

`{ns}` in a case is the cell's own namespace, which has a node of that name too (one without a machine); `{machine}` a
node whose machine the cell has for itself, `{dir}` a directory, `{alerts}` an Alertmanager, `{kubectl}` a program.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.matrix.faults import Fault, Kind, faults

Object = dict[str, Any]

COMMON_NODES = 2
"""The nodes that take the pods of all cells; the machines of the others are stopped, and theirs are the cells'."""


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
        machine: whether it is about a machine, which one cell at a time may have.
        off: whether that machine is switched off before.
        peer: what it changes and talks to, where that isn't the API server.
        inside: a shell command that shows what the objects don't: run in the pod with the label `app=web`.
        on_machine: the same, run on the cell's machine.
        executor: the way of commands to machines, with its settings, where it isn't the sandbox's.
        long: whether it meets the outages of 20 seconds, too.
        without: what can't go wrong here, and why.
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
    machine: bool = False
    off: bool = False
    peer: str = "API server"
    inside: str = ""
    on_machine: str = ""
    executor: str = ""
    long: bool = False
    without: Mapping[Kind, str] = field(default_factory=dict)


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


def deployment(
    name: str = "web", *, replicas: int = 1, annotations: Mapping[str, str] | None = None, **pod: Any
) -> Object:
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
                "metadata": {"labels": {"app": name}, "annotations": annotations or {}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **pod},
            },
        },
    }  # fmt: skip


def replica_set(name: str = "web", **pod: Any) -> Object:
    """Like a Deployment, but nobody waits until it is ready: for pods of a node without a kubelet."""
    body = deployment(name, **pod)
    return {**body, "kind": "ReplicaSet"}


def handling_pods(script: str, **pod: Any) -> Object:
    """A Deployment whose container runs a shell script."""
    body = deployment(**pod)
    body["spec"]["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", script]
    return body


def lone_pod(**spec: Any) -> Object:
    container = {"name": "main", "image": "busybox", "command": ["sleep", "3600"]}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "{ns}", "labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }  # fmt: skip


def cordoned_node() -> Object:
    """The cell's own node, as somebody has cordoned it."""
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "{ns}", "labels": {"team": "a"}},
        "spec": {"unschedulable": True},
    }  # fmt: skip


def kubectl(action: str, *objects: Object, **others: Any) -> Object:
    return {"kubectl": {"action": action, "payload": "\n---\n".join(map(json.dumps, objects)), **others}}


def node_action(action: Object, node: str = "{ns}$") -> Object:
    return {"nodeAction": {"matches": [{"property": {"name": "name", "value": node}}], "actions": [action]}}


def clone(*mutations: Object, **others: Any) -> Object:
    source = {"deployment": {"name": "web", "namespace": "{ns}"}}
    return {"clone": {"source": source, "mutations": list(mutations), **others}}


def pod_action(action: Object) -> Object:
    matcher = {"labels": {"namespace": "{ns}", "selector": "app=web"}}
    return {"podAction": {"matches": [matcher], "actions": [action]}}


_NODE = ("Node", "{ns}")
_NODE_MEDDLING = {"metadata": {"labels": {"theirs": "1"}}}
_WEB = ("Deployment", "web")
_WEB_MEDDLING = {"metadata": {"labels": {"theirs": "1"}}}
_OURS = {"days": "mon,tue,wed,thu,fri,sat,sun", "start-time": "00-00-00", "end-time": "23-59-59", "enabled": "true"}
_SEALS = {f"seal/{key}": value for key, value in {**_OURS, "force-kill": "true"}.items()}
# What a command left, and the processes with their states: a timer would be one, a paused one is stopped. What has
# ended and is not reaped by the container's first process is no leftover of ours. No pipe: its ends would be seen.
_INSIDE = (
    "ls /tmp; for each in /proc/[0-9]*; do read -r name < $each/comm; state=$(grep ^State $each/status);"
    ' case $state in *zombie*) ;; *) echo "$name $state";; esac; done'
)
# The machine's service, and what of ours is left there.
_ON_MACHINE = (
    "systemctl is-active kubelet; grep -c stopped /proc/$(pgrep -x kubelet)/status;"
    " pgrep -fa '[s]eatrial-(timer|load)'; pgrep -l stress-ng"
)
_LATENCY = {
    "targetProxy": "8080", "toxicType": "latency", "toxicAttributes": [{"name": "latency", "value": 250}],
}  # fmt: skip
_NO_OBJECT = dict.fromkeys((Kind.DELETED, Kind.CHANGED), "what is changed is no object, and nobody else can get at it")
_NO_NAME = dict.fromkeys((Kind.DELETED, Kind.CHANGED), "its name has the run's id in it, which none foretells")
_NODE_LOST = {
    Kind.DELETED: "a Node that is deleted while its machine is off is registered anew by its kubelet, without what"
    " people wrote on it: no clean-up of ours brings that back"
}

# The node action `delete` is no row: nothing undoes it, so nothing can be as it was.
CASES = (
    Case("--load, new objects", loaded=(config_map(), service()), changes=2),
    Case("--load over an object that is there", before=(config_map(),), loaded=(config_map(colour="blue", size="9"),)),
    Case("kubectl apply, new objects", (kubectl("apply", config_map(), service()),), changes=2, long=True),
    Case(
        "kubectl apply over objects that are there",
        (kubectl("apply", config_map(colour="blue"), service(app="other")),),
        before=(config_map(), service()), changes=2,
    ),
    Case(
        "kubectl delete", (kubectl("delete", config_map(), service()),),
        before=(config_map(), service()), comes_back=True, changes=2,
    ),
    Case(
        "kubectl apply by the program",
        (kubectl("apply", config_map(colour="blue"), service(), kubectlBinary="{kubectl}"),),
        before=(config_map(),), changes=2,
    ),
    Case(
        "kubectl delete by the program",
        (kubectl("delete", config_map(), service(), kubectlBinary="{kubectl}"),),
        before=(config_map(), service()), comes_back=True, changes=2,
        without={
            Kind.CHANGED: "kubectl deletes whatever is there: what somebody changed since Seatrial read it does not"
            " come back, as it does without kubectlBinary"
        },
    ),
    Case("cordon", (node_action({"cordon": {}}),), target=_NODE, meddling=_NODE_MEDDLING),
    Case(
        "taint", (node_action({"taint": {"key": "chaos", "effect": "NoSchedule"}}),),
        target=_NODE, meddling=_NODE_MEDDLING,
    ),
    Case(
        "drain", (node_action({"drain": {}}),), before=(replica_set(nodeName="{ns}"),),
        target=_NODE, meddling=_NODE_MEDDLING, changes=2,
    ),
    Case(
        "scale", ({"scale": {"target": {"deployment": {"name": "web", "namespace": "{ns}"}}, "replicas": 2}},),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING, long=True,
    ),
    Case(
        "clone, with its Service retargeted",
        (
            clone(
                {"environment": {"name": "SLOW", "value": "1"}},
                servicesToRetarget=[{"service": {"name": "web", "namespace": "{ns}"}}],
            ),
        ),
        before=(deployment(), service()), target=("Service", "web"), meddling=_WEB_MEDDLING, changes=2, long=True,
    ),
    Case(
        "clone with Toxiproxy", (clone({"toxiproxy": {"toxics": [_LATENCY]}}),),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING,
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
        "exec with an undo and a timer",
        (
            pod_action({
                "exec": {"command": ["touch", "/tmp/broken"], "undo": ["rm", "-f", "/tmp/broken"], "expiresAfter": 600}
            }),
        ),
        before=(deployment(),), target=_WEB, meddling=_WEB_MEDDLING, inside=_INSIDE, changes=2,
    ),
    Case(
        "killContainer", (pod_action({"killContainer": {}}),),
        before=(handling_pods("trap 'exit 0' TERM; while :; do sleep 0.2; done"),), target=_WEB, meddling=_WEB_MEDDLING,
        undone=False,
    ),
    Case(
        "killContainer that pauses", (pod_action({"killContainer": {"signal": "SIGSTOP", "resumeAfter": 600}}),),
        before=(deployment(shareProcessNamespace=True),), target=_WEB, meddling=_WEB_MEDDLING, inside=_INSIDE,
        changes=2,
    ),
    Case(
        "label mode", ({"labelMode": {"namespaces": ["{ns}"]}},),
        before=(deployment(annotations=_SEALS),), target=_WEB, meddling=_WEB_MEDDLING, undone=False,
    ),
    Case(
        "mute alerts", ({"alertManagerAction": {"targets": [{"url": "{alerts}"}], "actions": [{"mute": {}}]}},),
        peer="Alertmanager", long=True,
    ),
    Case(
        "execute with an undo",
        (
            node_action(
                {"execute": {"cmd": "touch {dir}/broken", "undo": "rm -f {dir}/broken", "timeout": 2}}, "node1$"
            ),
        ),
        without=_NO_OBJECT,
    ),
    Case(
        "execute through a pod",
        (
            node_action(
                {"execute": {"cmd": "touch {dir}/broken", "undo": "rm -f {dir}/broken", "timeout": 2}}, "node1$"
            ),
        ),
        executor="node-shell?NODE_SHELL_NAMESPACE={ns}", changes=3, without=_NO_NAME,
    ),
    Case(
        "stop a machine", (node_action({"stop": {}}, "{machine}$"),),
        machine=True, target=("Node", "{machine}"), meddling=_NODE_MEDDLING, without=_NODE_LOST,
    ),
    Case(
        "start a machine that was off", (node_action({"start": {}}, "{machine}$"),),
        machine=True, off=True, target=("Node", "{machine}"), meddling=_NODE_MEDDLING, undone=False,
        without={**_NODE_LOST, Kind.DISK_FULL: "it mends, so it has no undo that would be written"},
    ),
    Case(
        "reboot", (node_action({"reboot": {}}, "{machine}$"),),
        machine=True, target=("Node", "{machine}"), meddling=_NODE_MEDDLING, without=_NODE_LOST,
    ),
    Case(
        "pause", (node_action({"pause": {}}, "{machine}$"),),
        machine=True, target=("Node", "{machine}"), meddling=_NODE_MEDDLING, without=_NODE_LOST,
    ),
    Case(
        "killProcess", (node_action({"killProcess": {"name": "kubelet", "timeout": 2}}, "{machine}$"),),
        machine=True, changes=3, undone=False, on_machine=_ON_MACHINE, without=_NO_OBJECT,
    ),
    Case(
        "killProcess that pauses",
        (node_action({"killProcess": {"name": "kubelet", "signal": "SIGSTOP", "resumeAfter": 600}}, "{machine}$"),),
        machine=True, changes=3, on_machine=_ON_MACHINE, without=_NO_OBJECT,
    ),
    Case(
        "stopService with a timer",
        (node_action({"stopService": {"name": "kubelet", "expiresAfter": 600, "timeout": 2}}, "{machine}$"),),
        machine=True, changes=3, on_machine=_ON_MACHINE, without=_NO_OBJECT,
    ),
    Case(
        "stress", (node_action({"stress": {"cpu": "1%", "duration": 600}}, "{machine}$"),),
        machine=True, changes=2, on_machine=_ON_MACHINE, without=_NO_OBJECT,
    ),
    Case(
        "partition a machine",
        (node_action({"partition": {"from": {"apiServer": {}}, "expiresAfter": 600}}, "{machine}$"),),
        machine=True, changes=2, on_machine="nft list tables; pgrep -fa '[s]eatrial-timer'", without=_NO_OBJECT,
    ),
    Case(
        "partition pods",
        ({"partition": {"pods": {"namespace": "{ns}", "selector": "app=web"}, "from": {"everything": {}}}},),
        before=(deployment(),), changes=2, without=_NO_NAME,
    ),
    Case(
        "stopHost", (pod_action({"stopHost": {}}),), before=(lone_pod(nodeName="{machine}"),),
        machine=True, target=("Pod", "web"), meddling=_WEB_MEDDLING,
    ),
    Case(
        "uncordon", (node_action({"uncordon": {}}),), before=(cordoned_node(),), target=_NODE, meddling=_NODE_MEDDLING,
    ),
)  # fmt: skip


def placed(value: Any, names: Mapping[str, str]) -> Any:
    """A case's data, with the names that a cell has for `{ns}` and the others."""
    if isinstance(value, str):
        for key, name in names.items():
            value = value.replace(f"{{{key}}}", name)
        return value
    if isinstance(value, Mapping):
        return {key: placed(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(placed(each, names) for each in value)
    return value


def faults_of(case: Case) -> list[Fault]:
    """The columns of a row."""
    every = faults(changes=case.changes, undone=case.undone, long=case.long)
    return [fault for fault in every if fault.kind not in case.without]
