"""How something went over the time of a run: times with their limit, and the samples of a probe."""

from collections.abc import Iterator

from markupsafe import Markup

from seatrial.report.html.scale import Scale
from seatrial.report.run_report.model import AvailabilityTold, MeasurementTold, SamplesThen, TimesThen
from seatrial.report.svg import line, picture, rectangle, text
from seatrial.report.words import percentage, seconds, tick

_WIDTH = 760
_LEFT, _RIGHT, _TOP = 62, 24, 18
_TIMES_HEIGHT, _SAMPLES_HEIGHT = 180, 96
_BELOW = 36
_FEWEST_PARTS = 3


def times_course(told: MeasurementTold, *, name: str) -> Markup | None:
    """The median and the largest value of each part of a run; None where there are few parts."""
    parts = told.course
    if len(parts) < _FEWEST_PARTS:
        return None
    floor = _TIMES_HEIGHT - _BELOW
    largest = max((each.largest or 0.0 for each in parts), default=0.0)
    limits = sorted({each.limit for each in told.limits if each.limit <= 2.5 * largest})
    across = Scale(0, parts[-1].end_seconds, _LEFT, _WIDTH - _RIGHT)
    up = Scale(0, max([*limits, largest, 0.001]) * 1.05, floor, _TOP)
    drawn = [
        part for each in parts for part in _whisker((across(each.start_seconds), across(each.end_seconds)), up, each)
    ]
    marks = [
        text(across((each.start_seconds + each.end_seconds) / 2), _TOP - 5, "✗", "mark bad", anchor="middle")
        for each in parts
        if each.unended
    ]
    return picture(
        *_grid(across, up, floor),
        *drawn,
        *marks,
        *(line(_LEFT, up(each), _WIDTH - _RIGHT, up(each), "limit") for each in limits),
        width=_WIDTH,
        height=_TIMES_HEIGHT,
        name=name,
        title=f"{told.name} over the time of the run",
        description=f"Medians from {seconds(min((each.median for each in parts if each.median), default=None))} to"
        f" {seconds(max((each.median for each in parts if each.median), default=None))} in {len(parts)} parts of the"
        f" run; the largest value was {seconds(told.largest)}.",
        class_="trail",
    )


def samples_course(told: AvailabilityTold, *, name: str) -> Markup | None:
    """The share of samples that failed in each part of a run; None where there are few parts, or none failed."""
    parts = told.course
    if len(parts) < _FEWEST_PARTS or not told.failed:
        return None
    floor = _SAMPLES_HEIGHT - _BELOW
    across = Scale(0, parts[-1].end_seconds, _LEFT, _WIDTH - _RIGHT)
    up = Scale(0, max(map(_failed_share, parts)) * 1.05, floor, _TOP)
    worst = max(parts, key=_failed_share)
    bars = []
    for each in parts:
        left, right, share = across(each.start_seconds), across(each.end_seconds), _failed_share(each)
        hint = f"{each.failed} of {each.failed + each.ok} failed from {tick(each.start_seconds)} on"
        if each.failed:
            bars.append(
                rectangle(left, up(share), max(right - left - 0.5, 1.5), floor - up(share), "bar bad", hint=hint)
            )
        elif each.ok:
            bars.append(rectangle(left, floor - 2, max(right - left, 1), 2, "bar good"))
    return picture(
        *bars,
        text(_LEFT - 8, up(_failed_share(worst)) + 4, percentage(_failed_share(worst)), "tick", anchor="end"),
        text(_LEFT - 8, floor, "0", "tick", anchor="end"),
        *_time_axis(across, floor),
        width=_WIDTH,
        height=_SAMPLES_HEIGHT,
        name=name,
        title=f"Share of failed samples of {told.probe} over the time of the run",
        description=f"At worst {worst.failed} of {worst.failed + worst.ok} samples failed, from"
        f" {tick(worst.start_seconds)} to {tick(worst.end_seconds)} after the run began.",
        class_="trail",
    )


def _failed_share(part: SamplesThen) -> float:
    seen = part.ok + part.failed
    return part.failed / seen if seen else 0.0


def _whisker(across: tuple[float, float], up: Scale, part: TimesThen) -> Iterator[Markup]:
    """From the median to the largest value of a part; the median as a bar across."""
    if part.largest is None:
        return
    median = part.largest if part.median is None else part.median
    middle, half = (across[0] + across[1]) / 2, max((across[1] - across[0]) / 2 - 0.5, 1.5)
    top, height = up(part.largest), max(up(median) - up(part.largest), 1)
    hint = f"{part.count} values, median {seconds(part.median)}, largest {seconds(part.largest)}"
    yield rectangle(middle - min(half, 5), top, min(2 * half, 10), height, "band", hint=hint)
    if part.median is not None:
        yield line(middle - half, up(median), middle + half, up(median), "curve")


def _grid(across: Scale, up: Scale, floor: float) -> Iterator[Markup]:
    for value in up.ticks(4):
        yield line(_LEFT, up(value), _WIDTH - _RIGHT, up(value), "grid")
        yield text(_LEFT - 8, up(value) + 4, tick(value), "tick", anchor="end")
    yield from _time_axis(across, floor)


def _time_axis(across: Scale, floor: float) -> Iterator[Markup]:
    yield line(_LEFT, floor, _WIDTH - _RIGHT, floor, "axis")
    for value in across.time_ticks(7):
        yield line(across(value), floor, across(value), floor + 5, "axis")
        yield text(across(value), floor + 19, tick(value), "tick", anchor="middle")
