"""Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers."""

import re
from typing import Any

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import label_value_errors, labels_errors, qualified_name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.base import Strategy, fill
from seatrial.sandbox.apiserver.strategies.handler_validation import NOT_NEGATIVE
from seatrial.sandbox.apiserver.strategies.pod_spec import default_pod_spec
from seatrial.sandbox.apiserver.strategies.pod_validation import pod_spec_errors

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)


def default_template(spec: Object) -> None:
    """Fill in `spec.template`, making one where there is none."""
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    fill(spec, replicas=1)


def _replication_controller(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    fill(spec, replicas=1)
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        fill(spec, selector=dict(labels))
        fill(obj["metadata"], labels=dict(labels))


def _stateful_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    fill(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10, serviceName="")
    fill(
        spec.setdefault("persistentVolumeClaimRetentionPolicy", {}),
        whenDeleted="Retain",
        whenScaled="Retain",
    )
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), partition=0)
    for claim in spec.get("volumeClaimTemplates") or ():
        fill(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
        fill(claim.setdefault("spec", {}), volumeMode="Filesystem")


def _daemon_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(obj["metadata"].setdefault("annotations", {}), **{_TEMPLATE_GENERATION: "1"})
    default_template(spec)
    fill(spec, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable=1, maxSurge=0)


def _begin_daemon_templates(obj: Object) -> None:
    obj["metadata"]["annotations"][_TEMPLATE_GENERATION] = "1"


def _count_daemon_templates(new: Object, old: Object) -> None:
    """Number the templates, in an annotation that nobody else can set."""
    number = int((old["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION) or 1)
    number += new["spec"].get("template") != old["spec"].get("template")
    new["metadata"].setdefault("annotations", {})[_TEMPLATE_GENERATION] = str(number)


def selector_errors(spec: Object, *, path: str = "spec") -> list[FieldError]:
    """A workload's selector must select something, and the pods of its template."""
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    errors: list[FieldError] = []
    if selector is None:
        errors.append(required(f"{path}.selector"))
    elif not selector:
        errors.append(invalid(f"{path}.selector", {}, "empty selector is invalid for deployment"))
    else:
        errors += label_selector_errors(selector, f"{path}.selector")
        if errors:
            return [*errors, invalid(f"{path}.selector", selector, "invalid label selector")]
    if selector != {} and not LabelSelector.from_dict(selector).matches(labels):
        rule = "`selector` does not match template `labels`"
        errors.append(invalid(f"{path}.template.metadata.labels", labels, rule))
    return errors


def label_selector_errors(selector: Object, path: str) -> list[FieldError]:
    """What is wrong with a label selector."""
    errors = labels_errors(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or []):
        where = f"{path}.matchExpressions[{index}]"
        operator = expression.get("operator", "")
        values = expression.get("values") or []
        if operator in ("In", "NotIn") and not values:
            errors.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            errors.append(
                forbidden_field(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
            )
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
        errors += qualified_name_errors(expression.get("key", ""), f"{where}.key")
        for number, value in enumerate(values):
            errors += label_value_errors(value, f"{where}.values[{number}]")
    return errors


def template_errors(spec: Object, *, path: str = "spec", restart: bool = True) -> list[FieldError]:
    """What is wrong with the template's pods; `restart`: they must restart always."""
    pod = (spec.get("template") or {}).get("spec") or {}
    metadata = (spec.get("template") or {}).get("metadata") or {}
    errors = labels_errors(metadata.get("labels") or {}, f"{path}.template.labels")
    errors += pod_spec_errors(pod, f"{path}.template.spec")
    if restart and pod.get("restartPolicy") in ("OnFailure", "Never"):
        errors.append(unsupported(f"{path}.template.spec.restartPolicy", pod["restartPolicy"], ("Always",)))
    if restart and pod.get("activeDeadlineSeconds") is not None:
        rule = "activeDeadlineSeconds in ReplicaSet is not Supported"
        errors.append(forbidden_field(f"{path}.template.spec.activeDeadlineSeconds", rule))
    return errors


def numbers_errors(spec: Object, *names: str, path: str = "spec") -> list[FieldError]:
    """Numbers that may not be negative."""
    return [
        invalid(f"{path}.{name}", spec[name], NOT_NEGATIVE)
        for name in names
        if isinstance(spec.get(name), int) and spec[name] < 0
    ]


def share_errors(value: Any, path: str, *, most: int | None = None) -> list[FieldError]:
    """What is wrong with a number of pods or a percentage of them."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]+%", value):
            return [invalid(path, value, PERCENT_RULE)]
        if most is not None and int(value[:-1]) > most:
            return [invalid(path, value, f"must not be greater than {most}%")]
        return []
    return [invalid(path, value, NOT_NEGATIVE)] if isinstance(value, int) and value < 0 else []


def _is_zero(value: Any) -> bool:
    return value in (0, "0%", "0")


def _deployment_errors(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    errors = numbers_errors(spec, "replicas") + selector_errors(spec) + template_errors(spec)
    errors += _rolling_errors(spec["strategy"])
    errors += numbers_errors(spec, "minReadySeconds", "revisionHistoryLimit")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        errors += numbers_errors(spec, "progressDeadlineSeconds")
        if deadline <= spec.get("minReadySeconds", 0):
            errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors


def _rolling_errors(strategy: Object) -> list[FieldError]:
    path = "spec.strategy"
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in ("Recreate", "RollingUpdate"):
        shown = {"Type": kind, "RollingUpdate": rolling}
        return [unsupported(path, shown, ("Recreate", "RollingUpdate"))]
    if kind == "Recreate":
        if rolling is None:
            return []
        rule = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden_field(f"{path}.rollingUpdate", rule)]
    rolling = rolling or {}
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    errors = share_errors(unavailable, f"{path}.rollingUpdate.maxUnavailable")
    errors += share_errors(surge, f"{path}.rollingUpdate.maxSurge")
    if _is_zero(unavailable) and _is_zero(surge):
        rule = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, rule))
    if isinstance(unavailable, str) and re.fullmatch(r"[0-9]+%", unavailable) and int(unavailable[:-1]) > 100:
        errors.append(invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "must not be greater than 100%"))
    return errors


def _replica_set_errors(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    return numbers_errors(spec, "replicas", "minReadySeconds") + selector_errors(spec) + template_errors(spec)


def _replication_controller_errors(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    selector, labels = spec.get("selector"), spec["template"]["metadata"].get("labels") or {}
    errors = numbers_errors(spec, "minReadySeconds")
    errors += labels_errors(selector, "spec.selector") if selector else [required("spec.selector")]
    errors += numbers_errors(spec, "replicas")
    if selector and not selector.items() <= labels.items():
        rule = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, rule))
    return errors + template_errors(spec)


def _stateful_set_errors(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    errors = numbers_errors(spec, "replicas", "minReadySeconds") + selector_errors(spec) + template_errors(spec)
    if "." in obj["metadata"].get("name", ""):
        errors.insert(0, invalid("metadata.name", obj["metadata"]["name"], "must not contain dots"))
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    return errors + numbers_errors(rolling, "partition", path="spec.updateStrategy.rollingUpdate")


def _daemon_set_errors(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    errors = selector_errors(spec) + template_errors(spec)
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    path = "spec.updateStrategy.rollingUpdate"
    if rolling and _is_zero(rolling.get("maxUnavailable")) and _is_zero(rolling.get("maxSurge")):
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors + numbers_errors(spec, "minReadySeconds", "revisionHistoryLimit")


def same_selector(new: Object, old: Object) -> list[FieldError]:
    """A selector stays for good."""
    before, after = old["spec"].get("selector"), new["spec"].get("selector")
    return [] if before == after else [invalid("spec.selector", after, "field is immutable")]


_STATEFUL_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def _stateful_set_update(new: Object, old: Object) -> list[FieldError]:
    def fixed(spec: Object) -> Object:
        return {key: value for key, value in spec.items() if key not in _STATEFUL_MUTABLE}

    if fixed(new["spec"]) == fixed(old["spec"]):
        return []
    names = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    rule = f"updates to statefulset spec for fields other than {names}'persistentVolumeClaimRetentionPolicy' and "
    return [forbidden_field("spec", f"{rule}'minReadySeconds' are forbidden")]


DEPLOYMENT = Strategy(defaults=_deployment, validate=_deployment_errors, validate_update=same_selector, empty_status={})
REPLICA_SET = Strategy(
    defaults=_replica_set, validate=_replica_set_errors, validate_update=same_selector, empty_status={"replicas": 0}
)
REPLICATION_CONTROLLER = Strategy(
    defaults=_replication_controller, validate=_replication_controller_errors, empty_status={"replicas": 0}
)
STATEFUL_SET = Strategy(
    defaults=_stateful_set,
    validate=_stateful_set_errors,
    validate_update=_stateful_set_update,
    empty_status={"replicas": 0, "availableReplicas": 0},
)
DAEMON_SET = Strategy(
    defaults=_daemon_set,
    prepare_create=_begin_daemon_templates,
    prepare_update=_count_daemon_templates,
    validate=_daemon_set_errors,
    validate_update=same_selector,
    empty_status={
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
)
