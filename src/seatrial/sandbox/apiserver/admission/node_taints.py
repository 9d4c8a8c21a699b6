"""DefaultTolerationSeconds and TaintNodesByCondition: pods bear a silent node for a while, new nodes begin tainted."""

from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings

NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_DEFAULT_SECONDS: Final = 300


def tolerate(attempt: Attempt, _around: Surroundings) -> None:
    """Let a pod that says nothing else stay 300 s on a node that is not ready or can't be reached."""
    for key in (NOT_READY, UNREACHABLE):
        _tolerate(attempt.new["spec"], key)


def _tolerate(spec: Object, key: str) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for toleration in tolerations:
        if toleration.get("key", "") in ("", key) and (toleration.get("effect") or "NoExecute") == "NoExecute":
            return
    tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _DEFAULT_SECONDS})


def taint_new_node(attempt: Attempt, _around: Surroundings) -> None:
    """Keep pods off a node that registers until the node controller has seen it Ready."""
    taints = attempt.new.setdefault("spec", {}).setdefault("taints", [])
    if all(taint.get("key") != NOT_READY or taint.get("effect") != "NoSchedule" for taint in taints):
        taints.append({"key": NOT_READY, "effect": "NoSchedule"})
