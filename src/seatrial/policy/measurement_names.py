"""Which measurements the objectives of a scenario may name: the built-in ones, and those that its steps name.

What each built-in one means stands in `slo.measurements`. Packages that add steps and actions may measure what they
like, so nothing is said of names where a scenario uses such.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from seatrial.policy.extensions import is_built_in
from seatrial.policy.objectives import YES_OR_NO

BUILT_IN = (
    "timeToGone",
    "timeToReplace",
    "timeToSchedule",
    "timeToStart",
    "timeToRecover",
    "timeToEndpoint",
    "timeToServe",
    "timeToReady",
    "timeToScale",
    "timeToDetect",
    "timeToPartition",
    "imagePull",
    "containerRestart",
    "podsRescheduled",
    "drained",
    "machineStopped",
    "machineStarted",
    "machineRebooted",
    "machinePaused",
    "machineDeleted",
    "nodeNotReady",
    "nodeReady",
    "processesEnded",
    "processesReturned",
    "serviceStopped",
    "serviceStarted",
    "steadyStateReturned",
)
_WAIT_FOR = "waitFor"
_NAMED_BY_DEFAULT = {_WAIT_FOR: _WAIT_FOR}
_PATIENCE_SECONDS = 60.0


class MeasuringWait(NamedTuple):
    """A `waitFor` as it is written: what it measures, and how long it waits."""

    measurement: str
    timeout: float
    is_probe: bool
    is_since_change: bool


def known_measurements(steps: Any) -> frozenset[str] | None:
    """The names that steps, as they are written in a file, allow; None where any may be right."""
    if not all(is_built_in(key) for key in _keys(steps)):
        return None
    return frozenset({*BUILT_IN, *YES_OR_NO, *_named_in(steps)})


def waits_in(steps: Any) -> Iterator[MeasuringWait]:
    """Every `waitFor` among the steps; how it is written wrongly is said elsewhere."""
    for item in steps if isinstance(steps, list | tuple) else ():
        spec = item.get(_WAIT_FOR) if isinstance(item, Mapping) else None
        if not isinstance(spec, Mapping):
            continue
        name, timeout, until = spec.get("measurement"), spec.get("timeout"), spec.get("until")
        is_probe = isinstance(until, Mapping) and any(
            str(key).startswith("probe") and target is not None for key, target in until.items()
        )
        yield MeasuringWait(
            name if isinstance(name, str) else _NAMED_BY_DEFAULT[_WAIT_FOR],
            float(timeout) if isinstance(timeout, int | float) else _PATIENCE_SECONDS,
            is_probe,
            spec.get("since") == "change",
        )


def _keys(items: Any) -> Iterator[str]:
    """The keys of steps and of the actions in them."""
    for item in items if isinstance(items, list | tuple) else ():
        for key, spec in item.items() if isinstance(item, Mapping) else ():
            yield str(key)
            yield from _keys(spec.get("actions")) if isinstance(spec, Mapping) else ()


def _named_in(steps: Any) -> Iterator[str]:
    for item in steps if isinstance(steps, list | tuple) else ():
        for key, spec in item.items() if isinstance(item, Mapping) else ():
            name = spec.get("measurement") if isinstance(spec, Mapping) else None
            if name is None:
                name = _NAMED_BY_DEFAULT.get(key)
            if isinstance(name, str):
                yield name
