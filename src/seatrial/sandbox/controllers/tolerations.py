"""Taints and the tolerations that let a pod stay or come: Kubernetes documentation, "Taints and Tolerations"."""

from collections.abc import Iterable
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.timing import Timing

# What every pod is given that names none of its own.
_DEFAULT_KEYS: Final = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
_DEFAULT_SECONDS: Final = 300


def tolerates(toleration: Object, taint: Object) -> bool:
    """The toleration covers the taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    if not toleration.get("key"):
        return False
    return bool(operator == "Equal" and toleration.get("value", "") == taint.get("value", ""))


def untolerated(taints: Iterable[Object], tolerations: Iterable[Object]) -> Object | None:
    """The first taint that none of the tolerations covers."""
    known = list(tolerations)
    for taint in taints:
        if not any(tolerates(toleration, taint) for toleration in known):
            return taint
    return None


def seconds_tolerated(taints: Iterable[Object], tolerations: Iterable[Object]) -> float | None:
    """How long a pod may stay on a node with these NoExecute taints: 0 not at all, None for ever."""
    known = list(tolerations)
    shortest: float | None = None
    for taint in taints:
        covering = [toleration for toleration in known if tolerates(toleration, taint)]
        if not covering:
            return 0.0
        for toleration in covering:
            seconds = toleration.get("tolerationSeconds")
            if seconds is not None:
                limit = max(0.0, float(seconds))
                shortest = limit if shortest is None else min(shortest, limit)
    return shortest


def in_sandbox_time(toleration: Object, timing: Timing) -> Object:
    """The toleration with the seconds that the sandbox's timing makes of what is written in it."""
    seconds = toleration.get("tolerationSeconds")
    if not seconds:
        return toleration
    if seconds == _DEFAULT_SECONDS and toleration.get("key") in _DEFAULT_KEYS:
        return {**toleration, "tolerationSeconds": timing.default_toleration_seconds}
    return {**toleration, "tolerationSeconds": seconds * timing.toleration_scale}
