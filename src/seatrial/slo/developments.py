"""Warnings beside a judgement: what is measured gets worse from run to run, or did at one of them.

They change no status. They look at the latest runs only, so that they cost the same after a year; of values of one run
the worst stands for it. Series are looked at after each run: what is found has to be rarer than `trends` asks for.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from seatrial.policy.objectives import AVAILABILITY, YES_OR_NO, Objective
from seatrial.slo.series import Count, Point
from seatrial.slo.trends import ChangePoint, development
from seatrial.slo.wording import percent, time_in_words

SIGNIFICANCE = 0.001
LATEST_RUNS = 500


class _Worst(msgspec.Struct, frozen=True):
    """The worst of a run: the larger `value` is the worse it is, negated where smaller ones are."""

    value: float
    at: float


def warnings_of(objective: Objective, points: Sequence[Point], counts: Sequence[Count]) -> tuple[str, ...]:
    """What there is to warn of, a sentence each."""
    if objective.measurement == AVAILABILITY:
        runs = [_Worst(each.bad / (each.good + each.bad), each.at) for each in counts if each.good + each.bad]
    else:
        runs = _worst_of_runs(objective, points)
    runs = runs[-LATEST_RUNS:]
    are_shares = _is_share(objective)
    found = development([each.value for each in runs], significance=SIGNIFICANCE, are_shares=are_shares)
    if found is None:
        return ()
    if isinstance(found, ChangePoint):
        if found.after <= found.before:
            return ()
        since = datetime.fromtimestamp(runs[found.place].at, UTC)
        before, after = _value(found.before, objective), _value(found.after, objective)
        middle = "on average" if are_shares else "in the median"
        return (f"worse since {since:%Y-%m-%d %H:%M} UTC: {after} {middle}, {before} before it",)
    if found.total is None:
        half = len(runs) // 2
        earlier, later = (sum(math.isinf(each.value) for each in part) for part in (runs[:half], runs[half:]))
        return ("getting worse: ever more often not seen to the end",) if later > earlier else ()
    if found.total <= 0:
        return ()
    total = percent(min(1.0, found.total)) if are_shares else time_in_words(found.total)
    return (f"getting worse: by {total} over the last {len(runs)} runs",)


def _worst_of_runs(objective: Objective, points: Sequence[Point]) -> list[_Worst]:
    """From the last run back, so that a long window costs no more than a short one."""
    worst: dict[tuple[str, int], _Worst] = {}
    for point in reversed(points):
        key = point.run_id, point.round
        if key not in worst and len(worst) == LATEST_RUNS:
            break
        value = _badness(point, objective)
        if key not in worst or value > worst[key].value:
            worst[key] = _Worst(value, point.at)
    return list(worst.values())[::-1]


def _badness(point: Point, objective: Objective) -> float:
    if _is_share(objective):
        return 1 - point.value
    if objective.above is not None:
        return -point.value
    return math.inf if point.is_lower_bound else point.value


def _is_share(objective: Objective) -> bool:
    return objective.measurement in YES_OR_NO


def _value(value: float, objective: Objective) -> str:
    if _is_share(objective):
        return f"{percent(value)} bad"
    return time_in_words(abs(value)) if math.isfinite(value) else "longer than was waited"
