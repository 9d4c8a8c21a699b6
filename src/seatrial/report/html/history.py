"""All rounds of a scenario as a strip: a column for each, or for some of them together where there are many."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from seatrial.report.run_report.model import RoundTold
from seatrial.report.svg import element, line, picture, rectangle, text
from seatrial.runtime.verdict import Verdict

_WIDTH, _HEIGHT = 960, 84
_LEFT, _RIGHT = 4, 4
_TOP, _FLOOR = 6, 58
_MOST_COLUMNS = 120
_WIDEST = 26
_ROOM_FOR_TWO = 180
_ORDER = ((Verdict.FAILED, "bad"), (Verdict.INCONCLUSIVE, "warn"), (Verdict.PASSED, "good"))


def history(rounds: Sequence[RoundTold], *, scenario: str, name: str) -> Markup:
    """The picture."""
    in_one = math.ceil(len(rounds) / _MOST_COLUMNS)
    columns = [rounds[start : start + in_one] for start in range(0, len(rounds), in_one)]
    width = min((_WIDTH - _LEFT - _RIGHT) / len(columns), _WIDEST)
    parts = [
        part
        for number, column in enumerate(columns)
        for part in _column(column, x=_LEFT + number * width, width=width, full=in_one, name=name)
    ]
    counts = Counter(each.verdict for each in rounds)
    return picture(
        _hatch(name),
        *parts,
        line(_LEFT, _FLOOR, _LEFT + width * len(columns), _FLOOR, "axis"),
        *_labels(columns, width),
        width=_WIDTH,
        height=_HEIGHT,
        name=name,
        title=f"Rounds of {scenario}",
        description=f"{len(rounds)} rounds: {counts[Verdict.PASSED]} passed, {counts[Verdict.FAILED]} failed,"
        f" {counts[Verdict.INCONCLUSIVE]} inconclusive.",
        class_="history",
    )


def _column(column: Sequence[RoundTold], *, x: float, width: float, full: int, name: str) -> Iterator[Markup]:
    """What went wrong hangs from the top, so that it can be seen among many that went well."""
    counts = Counter(each.verdict for each in column)
    y = float(_TOP)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict, _ in _ORDER if counts[verdict])
    numbers = f"{column[0].round}" if len(column) == 1 else f"{column[0].round} to {column[-1].round}"
    tall = (_FLOOR - _TOP) * len(column) / full
    y = _FLOOR - tall
    for verdict, tone in _ORDER:
        if counts[verdict]:
            share = max(tall * counts[verdict] / len(column), 6 if verdict is not Verdict.PASSED else 0)
            height = min(share, _FLOOR - y)
            gap = 1.0 if width > 3 else 0.3
            yield rectangle(x, y, width - gap, height, f"bar {tone}", hint=f"round {numbers}: {said}")
            if verdict is Verdict.INCONCLUSIVE:
                yield element("rect", x=x, y=y, width=width - gap, height=height, fill=f"url(#{name}-hatch)")
            if verdict is Verdict.FAILED and width >= 12 and height >= 14:
                yield text(x + (width - gap) / 2, y + 14, "✗", "mark inside", anchor="middle")
            y += height


def _hatch(name: str) -> Markup:
    stripe = line(0, 0, 0, 6, "hatch")
    pattern = element(
        "pattern", stripe, id=f"{name}-hatch", width=6, height=6, patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )  # fmt: skip
    return element("defs", pattern)


def _labels(columns: Sequence[Sequence[RoundTold]], width: float) -> Iterator[Markup]:
    first, last, end = columns[0][0].round, columns[-1][-1].round, _LEFT + width * len(columns)
    if end < _ROOM_FOR_TWO:
        yield text(_LEFT, _FLOOR + 17, f"rounds {first} to {last}", "tick")
        return
    yield text(_LEFT, _FLOOR + 17, f"round {first}", "tick")
    yield text(end, _FLOOR + 17, f"round {last}", "tick", anchor="end")
