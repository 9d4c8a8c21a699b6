"""Figures and statuses as reports word them."""

from datetime import datetime

from seatrial.report.durations import duration
from seatrial.report.run_report.model import ObjectiveTold
from seatrial.runtime.events import ObjectiveStatus
from seatrial.runtime.verdict import Verdict

MARKS = {
    Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "?",
    ObjectiveStatus.MET: "✓", ObjectiveStatus.VIOLATED: "✗", ObjectiveStatus.UNDECIDED: "?",
}  # fmt: skip
"""A mark for each verdict and status: colour alone says nothing to many."""

TONES = {
    Verdict.PASSED: "good", Verdict.FAILED: "bad", Verdict.INCONCLUSIVE: "warn",
    ObjectiveStatus.MET: "good", ObjectiveStatus.VIOLATED: "bad", ObjectiveStatus.UNDECIDED: "warn",
}  # fmt: skip
"""The class that has the colour of each."""


def seconds(value: float | None) -> str:
    """A length of time; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value * 1000:.2g} ms" if 0 < value < 0.01 else duration(value * 1000)


def tick(value: float) -> str:
    """A length of time under an axis, as short as can be."""
    if value == 0:
        return "0"
    if abs(value) < 1:
        return f"{value * 1000:g} ms"
    if value < 120:
        return f"{value:g} s"
    if value < 7200:
        return f"{value / 60:g} min"
    return f"{value / 3600:g} h" if value < 172800 else f"{value / 86400:.3g} d"


def percentage(share: float | None) -> str:
    """A share in percent, with as many digits as tell it from all."""
    if share is None:
        return "-"
    if share in {0.0, 1.0}:
        return f"{share:.0%}".replace("%", " %")
    digits = 1
    while digits < 6 and f"{share * 100:.{digits}f}" in {"100." + "0" * digits, "0." + "0" * digits}:
        digits += 1
    return f"{share * 100:.{digits}f}".removesuffix(".0") + " %"


def times(factor: float) -> str:
    """How many times as much."""
    return f"{factor:.0f} times" if factor >= 100 else f"{factor:.2g} times"


def beside(told: ObjectiveTold) -> str:
    """What is known of an objective, where its name and its status stand beside it."""
    return told.text.removeprefix(f"{told.objective}: ").removeprefix(f"{told.status}: ")


def quantity(value: float | None, unit: str) -> str:
    """A value of an objective: a length of time, or a share."""
    return percentage(value) if unit == "share" else seconds(value)


def milliseconds(value: float | None) -> str:
    """A latency."""
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def day_time(iso: str | None) -> str:
    """A time of day, to the second, in UTC."""
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M:%S UTC") if iso else "-"
