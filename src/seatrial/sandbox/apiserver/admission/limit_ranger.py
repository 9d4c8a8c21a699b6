"""LimitRanger: the defaults and the bounds that a namespace's LimitRanges set for containers, pods and claims.

Behaviour and wording: Kubernetes documentation, "Limit Ranges". Defaults are written into the pod, and named in an
annotation; what lies outside the bounds is refused with every bound it breaks.
"""

from collections.abc import Callable, Iterator
from typing import Final

from seatrial.kube.quantity import Quantity
from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings
from seatrial.sandbox.rules.pod_resources import Amounts, amounts_of, pod_amounts

ANNOTATION: Final = "kubernetes.io/limit-ranger"
_TABLE: Final = "limitranges"

# What a bound says about one resource: its name, the kind of thing, the bound, what is requested, what is the limit.
_Rule = Callable[[str, str, Quantity, Quantity | None, Quantity | None], str]


def set_defaults(attempt: Attempt, around: Surroundings) -> None:
    """Give a new pod's containers the requests and limits that they lack."""
    pod = attempt.new
    for limit_range in around.objects(_TABLE, attempt.namespace):
        said = list(_fill(pod["spec"], *_default_resources(limit_range)))
        if said:
            annotations = pod["metadata"].setdefault("annotations", {})
            annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(said)


def _default_resources(limit_range: Object) -> tuple[Object, Object]:
    requests: Object = {}
    limits: Object = {}
    for item in limit_range["spec"].get("limits") or ():
        if item.get("type") == "Container":
            requests |= item.get("defaultRequest") or {}
            limits |= item.get("default") or {}
    return requests, limits


def _fill(spec: Object, requests: Object, limits: Object) -> Iterator[str]:
    """Write what is missing; yields what was written, in the annotation's words."""
    for key, kind in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(key) or ():
            for side, defaults in (("requests", requests), ("limits", limits)):
                given = (container.get("resources") or {}).get(side) or {}
                missing = sorted(name for name in defaults if name not in given)
                if missing:
                    amounts = {**given, **{name: defaults[name] for name in missing}}
                    container.setdefault("resources", {})[side] = amounts
                    yield f"{', '.join(missing)} {side.removesuffix('s')} for {kind} {container['name']}"


def check_pod(attempt: Attempt, around: Surroundings) -> None:
    """403 for a pod outside the bounds."""
    spec = attempt.new["spec"]
    problems: list[str] = []
    for item in _items(around, attempt.namespace):
        if item.get("type") == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                requests, limits = amounts_of(resources.get("requests")), amounts_of(resources.get("limits"))
                problems += _problems(item, requests, limits)
        elif item.get("type") == "Pod":
            problems += _problems(item, pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))
    _refuse(attempt, problems)


def check_claim(attempt: Attempt, around: Surroundings) -> None:
    """403 for a volume claim outside the bounds."""
    requests = amounts_of((attempt.new["spec"].get("resources") or {}).get("requests"))
    problems: list[str] = []
    for item in _items(around, attempt.namespace):
        if item.get("type") == "PersistentVolumeClaim":
            least, most = amounts_of(item.get("min")), amounts_of(item.get("max"))
            problems += _broken(item, least, _below_minimum, requests, {})
            # A claim has requests only: the upper bound is about them.
            problems += _broken(item, most, _claim_above_maximum, requests, {})
    _refuse(attempt, problems)


def _items(around: Surroundings, namespace: str) -> list[Object]:
    ranges = around.objects(_TABLE, namespace)
    return [item for found in ranges for item in found["spec"].get("limits") or ()]


def _refuse(attempt: Attempt, problems: list[str]) -> None:
    if problems:
        raise attempt.refusal(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _problems(item: Object, requests: Amounts, limits: Amounts) -> list[str]:
    return [
        *_broken(item, amounts_of(item.get("min")), _below_minimum, requests, limits),
        *_broken(item, amounts_of(item.get("max")), _above_maximum, requests, limits),
        *_broken(item, amounts_of(item.get("maxLimitRequestRatio")), _ratio_too_large, requests, limits),
    ]


def _broken(item: Object, bounds: Amounts, rule: _Rule, requests: Amounts, limits: Amounts) -> list[str]:
    said = (rule(name, item["type"], bound, requests.get(name), limits.get(name)) for name, bound in bounds.items())
    return [text for text in said if text]


def _below_minimum(name: str, kind: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> str:
    rule = f"minimum {name} usage per {kind} is {bound}"
    if request is None:
        return f"{rule}.  No request is specified"
    if request.value < bound.value:
        return f"{rule}, but request is {request}"
    return f"{rule}, but limit is {limit}" if limit is not None and limit.value < bound.value else ""


def _above_maximum(name: str, kind: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> str:
    rule = f"maximum {name} usage per {kind} is {bound}"
    if limit is None:
        return f"{rule}.  No limit is specified"
    if limit.value > bound.value:
        return f"{rule}, but limit is {limit}"
    return f"{rule}, but request is {request}" if request is not None and request.value > bound.value else ""


def _claim_above_maximum(
    name: str, kind: str, bound: Quantity, request: Quantity | None, _limit: Quantity | None
) -> str:
    rule = f"maximum {name} usage per {kind} is {bound}"
    if request is None:
        return f"{rule}.  No request is specified"
    return f"{rule}, but request is {request}" if request.value > bound.value else ""


def _ratio_too_large(name: str, kind: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> str:
    rule = f"{name} max limit to request ratio per {kind} is {bound}"
    if request is None or not request.value:
        return f"{rule}, but no request is specified or request is 0"
    if limit is None or not limit.value:
        return f"{rule}, but no limit is specified or limit is 0"
    ratio = limit.value / request.value
    return f"{rule}, but provided ratio is {ratio:.6f}" if ratio > bound.value else ""
