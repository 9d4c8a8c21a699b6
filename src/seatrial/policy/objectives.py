"""Objectives: what a scenario's measurements must keep to, over many runs, and how sure one wants to be.

What an objective means is worked out in `slo`; here stands what a policy may say, and what of it can never be decided.
"""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from seatrial.errors import UsageError
from seatrial.policy.base import Complaint, Model, complain
from seatrial.policy.scalars import Integer, Number
from seatrial.policy.spans import SPAN_PATTERN, parse_span
from seatrial.policy.wording import quote

PASSED = "passed"
AVAILABILITY = "availability"
YES_OR_NO = (PASSED, AVAILABILITY)
"""What is measured in yes and no; everything else is a time."""

FEWEST_FOR_MEAN = 10
"""How many runs it takes before anything is said of their mean for sure (`slo.means`)."""

STATISTICS = ("percentile", "mean", "max", "ratio", "target")
_OF_SHARES = ("percentile", "ratio", "target")
DEFAULT_WINDOW = "30d"
_CONFIDENCE = 0.95
_ROUNDING = 1e-9
_RUNS = re.compile(r"\s*([1-9][0-9]{0,8}) runs\s*")
_PERCENTAGE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?) ?%\s*")


def window_runs(window: str) -> int | None:
    """How many runs of the scenario a window has; None where it is a span of time."""
    found = _RUNS.fullmatch(window)
    return int(found[1]) if found else None


def window_seconds(window: str) -> float | None:
    """How many seconds a window goes back; None where it is a number of runs."""
    return None if window_runs(window) else parse_span(window)


def share_of(percentage: str) -> float:
    """The share that a percentage such as `99.9 %` is."""
    found = _PERCENTAGE.fullmatch(percentage)
    if not found:
        raise ValueError(percentage)
    return float(Decimal(found[1]) / 100)


def fewest_runs(share: float, *, confidence: float) -> int:
    """How many runs without a bad one it takes to be sure that at least this share of all is good.

    The smallest n with share^n <= 1 - confidence: the exact form of the rule of three.
    """
    return max(1, math.ceil(math.log(1 - confidence) / math.log(share) - _ROUNDING))


def _as_window(value: str) -> str:
    try:
        window_seconds(value)
    except UsageError:
        raise complain(
            f"is {quote(value)}, which is neither a span of time (24h, 30d) nor a number of runs (200 runs)"
        ) from None
    return value


def _as_percentage(value: str) -> str:
    if not _PERCENTAGE.fullmatch(value) or not 0 < share_of(value) < 1:
        raise complain(f"is {quote(value)}; needs a percentage between 0 and 100, such as: 99.9 %")
    return value


def _as_yes(value: bool) -> bool:  # noqa: FBT001 -- a validator
    if not value:
        raise complain("is false; say true, or leave it out")
    return value


Window = Annotated[
    str,
    AfterValidator(_as_window),
    Field(json_schema_extra={"pattern": f"^\\s*({SPAN_PATTERN}|[1-9][0-9]{{0,8}} runs)\\s*$"}),
]
"""How far back an objective looks: a span of time, such as `24h`, or a number of the scenario's runs: `200 runs`."""

Percentage = Annotated[
    str, AfterValidator(_as_percentage), Field(json_schema_extra={"pattern": "^\\s*[0-9]+(\\.[0-9]+)? ?%\\s*$"})
]
"""A percentage: `99.9 %`."""

Yes = Annotated[bool, AfterValidator(_as_yes), Field(json_schema_extra={"const": True})]
"""A key that has only one thing to say: `true`."""


class Sequential(Model):
    """Wald's sequential test: the run ends as soon as its own rounds have decided.

    A round is bad where anything that it measured is. A share of bad rounds that is `acceptable` is not called
    violated, at the objective's confidence; one that the objective forbids is not called met, at `power`.
    """

    acceptable: Annotated[Number, Field(gt=0, lt=1)]
    """The share of bad rounds that is fine for sure, between 0 and what the objective allows. The closer to that, the
    more rounds it takes to tell them apart."""

    power: Annotated[Number, Field(ge=0.5, lt=1)] = _CONFIDENCE
    """How sure to be that what the objective forbids is not called met."""


class Objective(Model):
    """What a measurement must keep to over many runs; the verdict is met, violated, or not enough evidence."""

    measurement: Annotated[str, Field(min_length=1)]
    """What is measured: a name given in `waitFor`, one of the built-in measurements (`timeToRecover`, ...), `passed`
    (whether the scenario passed) or `availability` (the samples of its steady state's probes)."""

    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """What to call the objective in reports and alerts; each of a scenario has its own. Without it, what it says."""

    percentile: Annotated[Number, Field(gt=0, lt=100)] | None = None
    """Of the times measured, this many percent must be `below` (or `above`) the limit."""

    mean: Yes | None = None
    """The mean of the times measured must be `below` (or `above`) the limit."""

    max: Yes | None = None
    """No time measured in the window may be longer than `below`."""

    ratio: Yes | None = None
    """The share of yes among yes and no (`passed`, `availability`) must be `above` the limit, between 0 and 1."""

    target: Percentage | None = None
    """The share of good ones as a percentage, with an error budget: what may go wrong in the window. Good is yes, or a
    time `below` the limit."""

    below: Annotated[Number, Field(ge=0)] | None = None
    """The limit in seconds; a time that is exactly as long still keeps to it."""

    above: Annotated[Number, Field(ge=0)] | None = None
    """The limit in seconds (for `ratio`: the share); what is exactly the limit still keeps to it."""

    probe: Annotated[Integer, Field(ge=0)] | None = None
    """Which of the steady state's probes, by its place from 0; without it, all. For `availability` only."""

    window: Window = DEFAULT_WINDOW
    """How far back to look: a span of time, or a number of runs. Runs before this one count as far as they are kept,
    and the scenario's steps were the same."""

    confidence: Annotated[Number, Field(ge=0.5, lt=1)] = _CONFIDENCE
    """How sure to be before it is called met or violated."""

    every_look: Yes | None = None
    """Use bounds that are right at all looks together, after each round for as long as it runs; they take more runs.
    Not with `mean` and `max`, nor for `availability`. Where runs have several values, a run is bad where any is."""

    sequential: Sequential | None = None
    """End the run's rounds once this is decided (and all other objectives are, too). The rounds of this run alone
    count, whatever the window. Not with `mean` and `max`, nor for `availability`."""

    @property
    def statistic(self) -> str:
        """Which of the statistics it is on."""
        return next(each for each in STATISTICS if getattr(self, each) is not None)

    @property
    def share(self) -> float | None:
        """The share that has to be good, where it is about a share; None for a mean and a maximum."""
        if self.percentile is not None:
            return self.percentile / 100
        if self.target is not None:
            return share_of(self.target)
        return self.above if self.ratio else None

    @property
    def limit(self) -> float:
        """The limit: seconds, or the share for what is measured in yes and no."""
        if self.measurement in YES_OR_NO:
            return self.share or 0.0
        return (self.below if self.below is not None else self.above) or 0.0

    @property
    def is_looked_at_often(self) -> bool:
        """Whether what is said of it has to be right however often it is looked at."""
        return self.every_look is not None or self.sequential is not None

    @property
    def is_above(self) -> bool:
        """Whether it is about times that must not be shorter than the limit."""
        return self.above is not None and self.measurement not in YES_OR_NO

    @property
    def label(self) -> str:
        """What to call it: its name, or what it says."""
        if self.name:
            return self.name
        probe = "" if self.probe is None else f" of probe {self.probe}"
        window = "" if self.window == DEFAULT_WINDOW or self.sequential else f" over {self.window}"
        return f"{self.measurement}{probe}: {self._demand()}{window}"

    def _demand(self) -> str:
        side = f"{'below' if self.below is not None else 'above'} {self.limit:g} s"
        if self.measurement in YES_OR_NO:
            return f"{self.limit:.10%}".rstrip("%").rstrip("0").rstrip(".") + " %"
        if self.share is not None:
            return f"{self.share * 100:g} % {side}"
        return f"{self.statistic} {side}"

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """One statistic, the limit that goes with it, and a window in which it can be decided."""
        named = [key for key in STATISTICS if given.get(key) is not None]
        if len(named) != 1:
            yield Complaint(f"{'has several of' if named else 'needs one of'}: {', '.join(STATISTICS)}")
            return
        said = {key: value for key, value in given.items() if value is not None and type(value) is not object}
        if named[0] not in said:
            return  # only asked which keys are needed
        yield from _measurement_rules(named[0], said)
        yield from _limit_rules(named[0], said)
        yield from _sequential_rules(named[0], said)
        yield from _window_rules(named[0], said)


def _measurement_rules(statistic: str, said: Mapping[str, Any]) -> Iterator[Complaint]:
    measurement = said.get("measurement")
    if measurement in YES_OR_NO and statistic not in {"ratio", "target"}:
        yield Complaint(f"goes with times; '{measurement}' is yes or no: say ratio or target", (statistic,))
    if statistic == "ratio" and isinstance(measurement, str) and measurement not in YES_OR_NO:
        yield Complaint(f"goes with {' and '.join(YES_OR_NO)}; for times say percentile or target", ("ratio",))
    if "probe" in said and measurement != AVAILABILITY:
        yield Complaint("'probe' goes with 'availability' only", ("probe",), at_key=True)


def _limit_rules(statistic: str, said: Mapping[str, Any]) -> Iterator[Complaint]:
    is_yes_or_no = said.get("measurement") in YES_OR_NO
    if statistic in {"percentile", "mean"}:
        if ("below" in said) == ("above" in said):
            yield Complaint(
                f"{'has both' if 'below' in said else f'has {statistic}, which needs one of'}: below, above"
            )
        return
    wants = {"max": "below", "ratio": "above", "target": "" if is_yes_or_no else "below"}[statistic]
    if wants and wants not in said:
        yield Complaint(f"has {statistic}, which needs: {wants}")
    for other in {"below", "above"} - {wants}:
        if other in said:
            yield Complaint(f"'{other}' does not go with '{statistic}'", (other,), at_key=True)
    limit = said.get("above")
    if statistic == "ratio" and isinstance(limit, int | float) and not 0 < limit < 1:
        yield Complaint(
            f"is {limit:g}; a ratio to be sure of lies between 0 and 1: no number of runs proves that none fails",
            ("above",),
        )


def _sequential_rules(statistic: str, said: Mapping[str, Any]) -> Iterator[Complaint]:
    for key in ("sequential", "everyLook"):
        if key in said and statistic not in _OF_SHARES:
            yield Complaint(f"'{key}' does not go with '{statistic}'", (key,), at_key=True)
        if key in said and said.get("measurement") == AVAILABILITY:
            yield Complaint(f"'{key}' does not go with 'availability'", (key,), at_key=True)
    test = said.get("sequential")
    if test is None:
        return
    if "everyLook" in said:
        yield Complaint("'everyLook' does not go with 'sequential', which is made for it", ("everyLook",), at_key=True)
    if said.get("window", DEFAULT_WINDOW) != DEFAULT_WINDOW:
        message = "'window' does not go with 'sequential', which counts the rounds of one run"
        yield Complaint(message, ("window",), at_key=True)
    acceptable = test.get("acceptable") if isinstance(test, dict) else getattr(test, "acceptable", None)
    share = _share(statistic, said)
    if share is not None and isinstance(acceptable, int | float) and acceptable >= (1 - share) * (1 - _ROUNDING):
        message = f"is {acceptable:g}; must be less than the share that may be bad, {1 - share:.4g}"
        yield Complaint(message, ("sequential", "acceptable"))


def _window_rules(statistic: str, said: Mapping[str, Any]) -> Iterator[Complaint]:
    """Samples of availability are many in each run: how many runs those take depends on what they are."""
    confidence, window = said.get("confidence", _CONFIDENCE), said.get("window", DEFAULT_WINDOW)
    share = _share(statistic, said)
    if statistic == "mean" and isinstance(window, str) and 0 < (window_runs(window) or 0) < FEWEST_FOR_MEAN:
        message = f"is {quote(window)}, too short to be sure of anything: a mean takes {FEWEST_FOR_MEAN} runs"
        yield Complaint(message, ("window",))
    if share is None or said.get("measurement") == AVAILABILITY or "sequential" in said:
        return
    if not isinstance(confidence, int | float) or not 0 < confidence < 1 or not isinstance(window, str):
        return
    there, needed = window_runs(window), fewest_runs(share, confidence=confidence)
    if there is not None and there < needed:
        message = f"is {quote(window)}, too short to be sure of anything: it takes {needed} runs without a bad one"
        yield Complaint(f"{message} to show {share * 100:g} % at a confidence of {confidence:g}", ("window",))


def _share(statistic: str, said: Mapping[str, Any]) -> float | None:
    """The share that must be good, where what is said makes sense."""
    share: Any = None
    if statistic == "percentile" and isinstance(said["percentile"], int | float):
        share = said["percentile"] / 100
    elif statistic == "ratio":
        share = said.get("above")
    elif statistic == "target" and isinstance(said["target"], str) and _PERCENTAGE.fullmatch(said["target"]):
        share = share_of(said["target"])
    return float(share) if isinstance(share, int | float) and 0 < share < 1 else None
