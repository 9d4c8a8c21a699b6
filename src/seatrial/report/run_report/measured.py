"""The measurements of a run: their quantiles with bounds, and how they are spread."""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from seatrial.report.run_report.model import Bin, LimitTold, MeasurementTold, QuantileTold, TimesThen
from seatrial.report.run_report.parts import in_parts, length_for
from seatrial.slo.measurements import MEANINGS, PASSED
from seatrial.slo.quantiles import quantile_bounds
from seatrial.storage.records import RunRecord, StoredMeasurement

_PERCENTS = (50.0, 90.0, 95.0, 99.0)
_CONFIDENCE = 0.95
_MOST_BINS = 40


class _Values(msgspec.Struct):
    """Values, and when each was taken, in seconds since the run began."""

    seen: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    seen_at: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    unended: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    unended_at: "array[float]" = msgspec.field(default_factory=lambda: array("d"))


def measured(
    stored: Iterable[StoredMeasurement], run: RunRecord, *, limits: Callable[[str, str], Iterable[LimitTold]]
) -> Iterator[MeasurementTold]:
    """Each measurement of each scenario of a run; those first that an objective is about."""
    values: dict[tuple[str, str], _Values] = {}
    for each in stored:
        if each.name != PASSED:
            found = values.setdefault((each.scenario, each.name), _Values())
            (found.unended if each.is_lower_bound else found.seen).append(each.value)
            (found.unended_at if each.is_lower_bound else found.seen_at).append(each.at - run.started)
    length = length_for((run.ended or run.seen) - run.started)
    told = [_told(key, each, tuple(limits(*key)), length=length) for key, each in values.items()]
    yield from sorted(told, key=lambda each: not each.limits)


def _told(key: tuple[str, str], values: _Values, limits: tuple[LimitTold, ...], *, length: float) -> MeasurementTold:
    scenario, name = key
    seen, unended = sorted(values.seen), sorted(values.unended)
    known = [*seen, *unended]
    return MeasurementTold(
        scenario=scenario,
        name=name,
        meaning=_meaning(name),
        count=len(known),
        unended=len(unended),
        smallest=min(known),
        largest=max(known),
        quantiles=tuple(_quantile(seen, unended, percent) for percent in _PERCENTS),
        bins=tuple(_bins(seen)),
        course=tuple(_course(values, length)),
        limits=limits,
    )


def _course(values: _Values, length: float) -> Iterator[TimesThen]:
    seen = ((at, (value, False)) for at, value in zip(values.seen_at, values.seen, strict=True))
    unended = ((at, (value, True)) for at, value in zip(values.unended_at, values.unended, strict=True))
    for start, part in in_parts(chain(seen, unended), length=length):
        ordered = sorted(math.inf if is_cut else value for value, is_cut in part)
        yield TimesThen(
            start_seconds=start,
            end_seconds=start + length,
            count=len(part),
            unended=sum(is_cut for _, is_cut in part),
            median=_finite(ordered[(len(ordered) - 1) // 2]),
            largest=max((value for value, is_cut in part if not is_cut), default=None),
        )


def _meaning(name: str) -> str:
    meaning = MEANINGS.get(name)
    return f"{meaning.of}: from when {meaning.begins}, until {meaning.ends}".replace("`", "") if meaning else ""


def _quantile(seen: Sequence[float], unended: Sequence[float], percent: float) -> QuantileTold:
    estimate = quantile_bounds(seen, percent / 100, confidence=_CONFIDENCE, longer_than=unended)
    return QuantileTold(
        percent=percent,
        estimate=_finite(estimate.estimate),
        lower=_finite(estimate.lower),
        upper=_finite(estimate.upper),
    )


def _finite(value: float | None) -> float | None:
    """What lies among those that never came is beyond everything seen: nothing bounds it."""
    return None if value is None or math.isinf(value) else value


def _bins(ordered: Sequence[float]) -> Iterator[Bin]:
    """Bins of one width that begin and end at round figures, as many as the number of values makes worth it."""
    if not ordered:
        return
    smallest, largest = ordered[0], ordered[-1]
    wanted = min(_MOST_BINS, max(5, math.ceil(2 * len(ordered) ** (1 / 3))))  # Rice's rule
    width = _round_up((largest - smallest) / wanted or largest / 10 or 0.001)
    first = math.floor(smallest / width)
    counts = [0] * (math.floor(largest / width) - first + 1)
    for value in ordered:
        counts[math.floor(value / width) - first] += 1
    for number, count in enumerate(counts, start=first):
        yield Bin(start=_rounded(number * width), end=_rounded((number + 1) * width), count=count)


def _round_up(width: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= width * (1 - 1e-9))


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
