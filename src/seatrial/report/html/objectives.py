"""An objective as pictures: where its estimate and bounds lie beside the limit, and how they came there."""

from collections.abc import Iterator

from markupsafe import Markup

from seatrial.report.html.scale import Scale
from seatrial.report.run_report.model import ObjectiveTold
from seatrial.report.svg import line, outline, picture, rectangle, text
from seatrial.report.words import quantity, tick

_WIDTH = 760
_LEFT, _RIGHT = 62, 24
_GAUGE_HEIGHT = 78
_TRAIL_HEIGHT = 190


def gauge(told: ObjectiveTold, *, name: str) -> Markup | None:
    """The estimate between its bounds, and the limit; None without an estimate."""
    if told.estimate is None:
        return None
    low, high = _domain(told, [told.estimate, told.lower, told.upper, told.limit])
    across = Scale(low, high, _LEFT, _WIDTH - _RIGHT)
    middle = 34
    left = across(low if told.lower is None else told.lower)
    right = across(high if told.upper is None else told.upper)
    x, limit = across(told.estimate), across(told.limit)
    ticks = [
        text(across(value), _GAUGE_HEIGHT - 6, _tick(value, told.unit), "tick", anchor="middle")
        for value in across.ticks(7)
    ]
    ends = [line(end, middle - 7, end, middle + 7, "axis") for end, bound in _ends(told, left, right) if bound]
    return picture(
        line(_LEFT, middle, _WIDTH - _RIGHT, middle, "grid"),
        *ticks,
        rectangle(left, middle - 7, max(right - left, 2), 14, "band", hint=_bounds(told)),
        *ends,
        outline([(x, middle - 9), (x + 7, middle), (x, middle + 9), (x - 7, middle)], "point", closed=True),
        line(limit, 12, limit, middle + 16, "limit"),
        _beside(limit, 12, f"limit: {quantity(told.limit, told.unit)}"),
        width=_WIDTH,
        height=_GAUGE_HEIGHT,
        name=name,
        title=f"Estimate, bounds and limit of {told.objective}",
        description=f"The estimate is {quantity(told.estimate, told.unit)}, {_bounds(told)}; the limit is"
        f" {quantity(told.limit, told.unit)}.",
        class_="gauge",
    )


def trail(told: ObjectiveTold, *, name: str) -> Markup | None:
    """The estimate and its bounds after each round; None for less than three rounds."""
    points = [each for each in told.trail if each.estimate is not None]
    if len(points) < 3:
        return None
    values = [value for each in points for value in (each.estimate, each.lower, each.upper)]
    low, high = _domain(told, [*values, told.limit])
    across = Scale(points[0].round, points[-1].round, _LEFT, _WIDTH - _RIGHT)
    floor = _TRAIL_HEIGHT - 32
    up = Scale(low, high, floor, 18)
    uppers = [(across(each.round), up(high if each.upper is None else each.upper)) for each in points]
    lowers = [(across(each.round), up(low if each.lower is None else each.lower)) for each in points]
    estimates = [(across(each.round), up(each.estimate)) for each in points if each.estimate is not None]
    limit = up(told.limit)
    last = points[-1]
    return picture(
        *_trail_grid(across, up, told.unit, floor),
        outline([*uppers, *reversed(lowers)], "band", closed=True),
        outline(estimates, "curve"),
        line(_LEFT, limit, _WIDTH - _RIGHT, limit, "limit"),
        text(_WIDTH - _RIGHT, limit + 15, f"limit: {quantity(told.limit, told.unit)}", "mark bad", anchor="end"),
        width=_WIDTH,
        height=_TRAIL_HEIGHT,
        name=name,
        title=f"How {told.objective} came to that, round by round",
        description=f"After round {points[0].round} the estimate was {quantity(points[0].estimate, told.unit)},"
        f" after round {last.round} it was {quantity(last.estimate, told.unit)}, {_bounds(told)}.",
        class_="trail",
    )


def _trail_grid(across: Scale, up: Scale, unit: str, floor: float) -> Iterator[Markup]:
    for value in up.ticks(4):
        yield line(_LEFT, up(value), _WIDTH - _RIGHT, up(value), "grid")
        yield text(_LEFT - 8, up(value) + 4, _tick(value, unit), "tick", anchor="end")
    for value in across.ticks(8):
        if value == int(value):
            yield text(across(value), floor + 18, f"{value:.0f}", "tick", anchor="middle")
    yield text(_LEFT - 8, floor + 18, "round", "tick", anchor="end")


def _domain(told: ObjectiveTold, values: list[float | None]) -> tuple[float, float]:
    """What the values need, with some air; times begin at 0 where that is near."""
    known = [each for each in values if each is not None]
    low, high = min(known), max(known)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    if told.unit == "share":
        return max(0.0, low - air), min(1.0, high + air)
    return (0.0 if low < high * 0.6 else low - air), high + air


def _ends(told: ObjectiveTold, left: float, right: float) -> list[tuple[float, bool]]:
    return [(left, told.lower is not None), (right, told.upper is not None)]


def _bounds(told: ObjectiveTold) -> str:
    level = f"{told.confidence * 100:g} % sure"
    if told.lower is None and told.upper is None:
        return "with no bounds so far"
    if told.upper is None:
        return f"at least {quantity(told.lower, told.unit)} ({level})"
    if told.lower is None:
        return f"at most {quantity(told.upper, told.unit)} ({level})"
    return f"from {quantity(told.lower, told.unit)} to {quantity(told.upper, told.unit)} ({level} of each bound)"


def _tick(value: float, unit: str) -> str:
    return f"{value * 100:g} %" if unit == "share" else tick(value)


def _beside(x: float, y: float, said: str) -> Markup:
    if x + 7 * len(said) + 8 > _WIDTH:
        return text(x - 6, y, said, "mark bad", anchor="end")
    return text(x + 6, y, said, "mark bad")
