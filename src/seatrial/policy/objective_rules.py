"""What objectives ask of their scenario: names of their own, measurements and probes that are there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from seatrial.policy.base import Complaint, Model
from seatrial.policy.measurement_names import known_measurements, waits_in
from seatrial.policy.objectives import AVAILABILITY, Objective
from seatrial.policy.wording import counted, nearest, quote


def rules_of(scenario: Mapping[str, Any]) -> Iterator[Complaint]:
    """Complaints about the objectives of a scenario, which is given by the keys of the file."""
    objectives = [_objective(each) for each in scenario["objectives"]]
    yield from _own_names(objectives)
    steps = _as_written(scenario.get("steps"))
    known = known_measurements(steps)
    probes = _probes(scenario.get("steadyState"))
    for index, objective in enumerate(objectives):
        if objective is None:
            continue
        if known is not None and objective.measurement not in known:
            close = nearest(objective.measurement, known)
            meant = f"; did you mean {quote(close)}?" if close else ""
            message = f"is {quote(objective.measurement)}, which neither a step of the scenario nor Seatrial measures"
            yield Complaint(f"{message}{meant}", ("objectives", index, "measurement"))
        yield from _patience_rules(objective, index, steps)
        if objective.measurement == AVAILABILITY and probes is not None:
            yield from _probe_rules(objective, index, probes)


def _own_names(objectives: Sequence[Objective | None]) -> Iterator[Complaint]:
    first: dict[str, int] = {}
    for index, objective in enumerate(objectives):
        if objective is None:
            continue
        if objective.label in first:
            message = f"is called {quote(objective.label)}, as objectives[{first[objective.label]}] is; give it a name"
            yield Complaint(message, ("objectives", index))
        first.setdefault(objective.label, index)


def _patience_rules(objective: Objective, index: int, steps: Any) -> Iterator[Complaint]:
    """Who gives up before the limit never sees that it takes longer.

    Since a change it takes as much longer as that was before the wait. A look of a probe that is under way at the end
    shows nothing: only a wait that follows objects has seen as much as it waited.
    """
    waits = [wait for wait in waits_in(steps) if wait.measurement == objective.measurement]
    if not waits or objective.below is None or any(wait.is_since_change for wait in waits):
        return
    if not any(
        wait.timeout > objective.below or (wait.timeout == objective.below and not wait.is_probe) for wait in waits
    ):
        longest = max(wait.timeout for wait in waits)
        message = f"is {objective.below:g}, but the waitFor that measures it gives up after {longest:g} s"
        yield Complaint(
            f"{message}: nobody would see that it takes too long; give it more time", ("objectives", index, "below")
        )


def _probe_rules(objective: Objective, index: int, probes: int) -> Iterator[Complaint]:
    if not probes:
        message = "is 'availability', which needs a steadyState with probes to sample"
        yield Complaint(message, ("objectives", index, "measurement"))
    elif objective.probe is not None and objective.probe >= probes:
        message = f"is {objective.probe}; the steady state has {counted(probes, 'probe')}, counted from 0"
        yield Complaint(message, ("objectives", index, "probe"))


def _objective(value: Any) -> Objective | None:
    """None where it is not valid, which is said elsewhere."""
    if isinstance(value, Objective):
        return value
    try:
        return Objective.model_validate(value, by_alias=True, by_name=False)
    except ValidationError:
        return None


def _as_written(steps: Any) -> Any:
    """Steps with the keys of the file, also where they are models already."""
    if not isinstance(steps, list | tuple):
        return ()
    return [each.model_dump(mode="json", by_alias=True) if isinstance(each, Model) else each for each in steps]


def _probes(steady_state: Any) -> int | None:
    """How many probes there are; None where that is written wrongly."""
    if steady_state is None:
        return 0
    probes = steady_state.get("probes") if isinstance(steady_state, dict) else getattr(steady_state, "probes", None)
    return len(probes) if isinstance(probes, list | tuple) else None
