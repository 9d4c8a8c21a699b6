"""Two groups of runs compared, measurement by measurement: before and after a release, say."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from seatrial.slo.comparison import Change, compare, compare_shares
from seatrial.slo.measurements import PASSED
from seatrial.slo.wording import percent

Values = Sequence[tuple[float, bool]]
"""Values of a measurement, and whether each is a lower bound."""
Series = Mapping[tuple[str, str], Values]
"""Values by scenario and measurement."""


class Outcome(StrEnum):
    """What became of a measurement."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "no difference shown"
    UNKNOWN = "can't be compared"


class ComparedMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement before and after: how many values there are, what became of it, and that in a sentence."""

    scenario: str
    name: str
    before: int
    after: int
    outcome: Outcome
    text: str
    p_value: float | None = None


def compared(before: Series, after: Series, *, confidence: float) -> list[ComparedMeasurement]:
    """Every measurement of both sides, those that got worse first."""
    keys = dict.fromkeys([*before, *after])
    found = [_compared(key, before.get(key, ()), after.get(key, ()), confidence=confidence) for key in keys]
    return sorted(found, key=lambda each: list(Outcome).index(each.outcome))


def _compared(key: tuple[str, str], before: Values, after: Values, *, confidence: float) -> ComparedMeasurement:
    scenario, name = key
    judge = _shares if name == PASSED else _times
    outcome, text, p_value = judge(before, after, confidence=confidence)
    return ComparedMeasurement(
        scenario=scenario, name=name, before=len(before), after=len(after), outcome=outcome, text=text, p_value=p_value
    )


_Judged = tuple[Outcome, str, float | None]


def _times(before: Values, after: Values, *, confidence: float) -> _Judged:
    found = compare(
        _seen(before), _seen(after), confidence=confidence, longer_before=_longer(before), longer_after=_longer(after)
    )
    if found is None:
        return _missing(before)
    change = found.change if found.change is not Change.NONE_SHOWN else found.tail_change
    return _OUTCOMES[change], found.text, found.p_value


def _shares(before: Values, after: Values, *, confidence: float) -> _Judged:
    bad = [sum(not value for value, _ in side) for side in (before, after)]
    found = compare_shares(bad[0], len(before), bad[1], len(after), confidence=confidence)
    if found is None:
        return _missing(before)
    outcome = Outcome.SAME
    if found.is_shown:
        outcome = Outcome.WORSE if found.after > found.before else Outcome.BETTER
    text = f"{percent(1 - found.before)} passed, then {percent(1 - found.after)}: {outcome} (p = {found.p_value:.2g})"
    return outcome, text, found.p_value


def _missing(before: Values) -> _Judged:
    return Outcome.UNKNOWN, f"there are no values {'after' if before else 'before'}", None


def _seen(values: Values) -> list[float]:
    return [value for value, is_lower_bound in values if not is_lower_bound]


def _longer(values: Values) -> list[float]:
    return [value for value, is_lower_bound in values if is_lower_bound]


_OUTCOMES = {Change.SLOWER: Outcome.WORSE, Change.FASTER: Outcome.BETTER, Change.NONE_SHOWN: Outcome.SAME}


def compared_as_json(found: Sequence[ComparedMeasurement]) -> list[dict[str, Any]]:
    """A comparison, for programs."""
    return [
        {
            "scenario": each.scenario,
            "measurement": each.name,
            "before": each.before,
            "after": each.after,
            "outcome": str(each.outcome),
            "pValue": each.p_value,
            "text": each.text,
        }
        for each in found
    ]
