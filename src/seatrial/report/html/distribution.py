"""How the values of a measurement are spread: a histogram, its quantiles with bounds, and the objectives' limits."""

from collections.abc import Iterator

from markupsafe import Markup

from seatrial.report.html.scale import Scale
from seatrial.report.run_report.model import LimitTold, MeasurementTold, QuantileTold
from seatrial.report.svg import line, picture, rectangle, text
from seatrial.report.words import seconds, tick

_WIDTH, _HEIGHT = 760, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 66, 46
_SHOWN = (50.0, 95.0)
_FARTHEST = 2.5  # a limit farther away than so many times the largest value is told in words only
_UNENDED_WIDTH = 26


def distribution(measured: MeasurementTold, *, name: str) -> Markup:
    """The picture."""
    near = [each for each in measured.limits if each.limit <= _FARTHEST * measured.largest]
    low, high = _domain(measured, near)
    right = _WIDTH - _RIGHT - (_UNENDED_WIDTH + 16 if measured.unended else 0)
    across = Scale(low, high, _LEFT, right)
    most = max([measured.unended, *(each.count for each in measured.bins)])
    up = Scale(0, most * 1.05, _HEIGHT - _BOTTOM, _TOP)
    return picture(
        *_grid(across, up, most),
        *_bars(measured, across, up),
        *_unended(measured, up),
        *_quantiles(measured, across),
        *_limit_lines(near, across),
        width=_WIDTH,
        height=_HEIGHT,
        name=name,
        title=f"Distribution of {measured.name} in {measured.scenario}",
        description=" ".join(_in_words(measured)),
        class_="distribution",
    )


def _domain(measured: MeasurementTold, limits: list[LimitTold]) -> tuple[float, float]:
    """From 0 where the values come near it."""
    bins = measured.bins
    low = bins[0].start if bins else measured.smallest
    high = max([bins[-1].end if bins else measured.largest, *(each.limit * 1.04 for each in limits)])
    return (0.0 if low < high / 2 or len(bins) < 2 else low), high


def _grid(across: Scale, up: Scale, most: int) -> Iterator[Markup]:
    floor = _HEIGHT - _BOTTOM
    for value in up.ticks(4):
        if value != int(value) or value > most:
            continue
        yield line(_LEFT, up(value), _WIDTH - _RIGHT, up(value), "grid")
        yield text(_LEFT - 8, up(value) + 4, f"{value:.0f}", "tick", anchor="end")
    for value in across.ticks(7):
        yield line(across(value), floor, across(value), floor + 5, "axis")
        yield text(across(value), floor + 19, tick(value), "tick", anchor="middle")
    yield line(_LEFT, floor, _WIDTH - _RIGHT, floor, "axis")


def _bars(measured: MeasurementTold, across: Scale, up: Scale) -> Iterator[Markup]:
    for each in measured.bins:
        if each.count:
            left, right, top = across(each.start), across(each.end), up(each.count)
            hint = f"{seconds(each.start)} to {seconds(each.end)}: {each.count}"
            yield rectangle(left + 0.5, top, max(right - left - 1, 1), up(0) - top, "bar accent", hint=hint)


def _unended(measured: MeasurementTold, up: Scale) -> Iterator[Markup]:
    if measured.unended:
        left, top = _WIDTH - _RIGHT - _UNENDED_WIDTH, up(measured.unended)
        hint = f"{measured.unended} took longer than anybody waited"
        yield rectangle(left, top, _UNENDED_WIDTH, up(0) - top, "bar bad", hint=hint)
        yield text(left + _UNENDED_WIDTH / 2, top - 5, str(measured.unended), "mark bad", anchor="middle")
        yield text(_WIDTH - 4, _HEIGHT - _BOTTOM + 36, "never seen", "tick", anchor="end")


def _quantiles(measured: MeasurementTold, across: Scale) -> Iterator[Markup]:
    """A line for each, and above the bars a band between its bounds; where there is no bound, up to the end."""
    for row, each in enumerate(_shown(measured)):
        if each.estimate is None:
            continue
        x, y = across(each.estimate), 15 + 18 * row
        words = "median" if each.percent == 50 else f"{each.percent:g} %"
        right = x
        if each.lower is not None or each.upper is not None:
            left = across(across.low if each.lower is None else each.lower)
            right = across(across.high if each.upper is None else each.upper)
            hint = f"{each.percent:g} % lie below a value between {seconds(each.lower)} and {seconds(each.upper)}"
            yield rectangle(left, y - 11, max(right - left, 3), 14, "band", hint=hint)
        yield line(x, y - 11, x, _HEIGHT - _BOTTOM, "quantile")
        yield _beside(right, y, f"{words}: {seconds(each.estimate)}", "mark")


def _limit_lines(limits: list[LimitTold], across: Scale) -> Iterator[Markup]:
    for limit in sorted({each.limit for each in limits})[:3]:
        x = across(limit)
        yield line(x, 40, x, _HEIGHT - _BOTTOM, "limit")
        yield _beside(x, 51, f"limit: {seconds(limit)}", "mark bad")


def _beside(x: float, y: float, said: str, class_: str) -> Markup:
    """To the right of a line, or to its left where there is no room."""
    if x + 7 * len(said) + 8 > _WIDTH:
        return text(x - 5, y, said, class_, anchor="end")
    return text(x + 5, y, said, class_)


def _shown(measured: MeasurementTold) -> list[QuantileTold]:
    return [each for each in measured.quantiles if each.percent in _SHOWN]


def _in_words(measured: MeasurementTold) -> Iterator[str]:
    yield f"{measured.count} values from {seconds(measured.smallest)} to {seconds(measured.largest)}."
    if measured.unended:
        yield f"{measured.unended} of them took longer than anybody waited."
    for each in _shown(measured):
        bounds = f"between {seconds(each.lower)} and {seconds(each.upper)} with bounds of 95 % each"
        yield f"{each.percent:g} percent lie below {seconds(each.estimate)}, {bounds}."
    for limit in measured.limits:
        yield f"The limit of the objective {limit.objective} is {seconds(limit.limit)}: {limit.status}."
