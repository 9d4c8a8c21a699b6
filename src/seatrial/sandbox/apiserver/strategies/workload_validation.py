"""What StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers may not say, beyond what their strategies check."""

import zoneinfo
from typing import Any, Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required, unsupported

_LONGEST_CRON_JOB_NAME: Final = 52


def _go_strategy(strategy: Object) -> Object:
    """An update strategy as Go prints it."""
    return {"Type": strategy.get("type", ""), "RollingUpdate": strategy.get("rollingUpdate")}


def stateful_set_errors(obj: Object) -> list[FieldError]:
    """Pod management policy and update strategy."""
    spec, errors = obj["spec"], []
    policy = spec.get("podManagementPolicy")
    if policy not in (None, "OrderedReady", "Parallel"):
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    strategy = spec.get("updateStrategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete" and rolling is not None:
        shown = {"Partition": rolling.get("partition", 0), "MaxUnavailable": rolling.get("maxUnavailable")}
        text = "only allowed for updateStrategy 'RollingUpdate'"
        errors.append(invalid("spec.updateStrategy.rollingUpdate", shown, text))
    elif kind not in (None, "RollingUpdate", "OnDelete"):
        text = "must be 'RollingUpdate' or 'OnDelete'"
        errors.append(invalid("spec.updateStrategy", _go_strategy(strategy), text))
    return errors


def daemon_set_errors(obj: Object) -> list[FieldError]:
    """Update strategy."""
    strategy = obj["spec"].get("updateStrategy") or {}
    if strategy.get("type") in (None, "RollingUpdate", "OnDelete"):
        return []
    return [unsupported("spec.updateStrategy", _go_strategy(strategy), ("RollingUpdate", "OnDelete"))]


def job_errors(obj: Object) -> list[FieldError]:
    """Completion mode and what it asks for."""
    return _job_spec_errors(obj["spec"], "spec")


def _job_spec_errors(spec: Object, path: str) -> list[FieldError]:
    mode = spec.get("completionMode")
    if mode not in (None, "NonIndexed", "Indexed"):
        return [unsupported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"))]
    if mode == "Indexed" and spec.get("completions") is None:
        return [required(f"{path}.completions", "when completion mode is Indexed")]
    return []


def cron_job_errors(obj: Object) -> list[FieldError]:
    """The name's length (Jobs get eleven characters more), the time zone, the Job that is made."""
    spec = obj["spec"]
    errors = _job_spec_errors((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")
    name, zone = obj["metadata"].get("name", ""), spec.get("timeZone")
    if len(name) > _LONGEST_CRON_JOB_NAME:
        text = f"must be no more than {_LONGEST_CRON_JOB_NAME} characters"
        errors.append(invalid("metadata.name", name, text))
    if zone == "":
        errors.append(invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"))
    elif zone is not None and zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        errors.append(invalid("spec.timeZone", zone, text))
    elif zone is not None and not _is_zone(zone):
        errors.append(invalid("spec.timeZone", zone, f"unknown time zone {zone}"))
    return errors


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def autoscaler_errors(obj: Object) -> list[FieldError]:
    """Bounds and target."""
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    errors: list[FieldError] = []
    if least is not None and least < 1:
        errors.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    target: dict[str, Any] = spec.get("scaleTargetRef") or {}
    return errors + [required(f"spec.scaleTargetRef.{key}") for key in ("kind", "name") if not target.get(key)]
