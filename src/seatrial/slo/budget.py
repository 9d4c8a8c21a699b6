"""Error budgets: how much may go wrong in an objective's window, how much of that is left, how fast it goes.

A burn rate is the share of bad ones over a span, divided by the share that may be bad: at 1 the budget lasts exactly as
long as the window; at 14.4 a budget of 30 days is spent in two. See Google's "The Site Reliability Workbook", chapter
"Alerting on SLOs".
"""

from collections.abc import Iterable, Mapping, Sequence

from seatrial.runtime.events import BudgetState
from seatrial.slo.series import Count
from seatrial.slo.tallies import Sums
from seatrial.slo.wording import percent

BURN_WINDOWS: Mapping[str, float] = {"5m": 300.0, "1h": 3600.0, "6h": 21600.0}
"""The spans that burn rates are told for, in seconds."""

FAST_BURN, SLOW_BURN = 14.4, 6
"""Rates that somebody should hear of: the chapter's, of which a budget of 30 days loses 2 % in an hour, 5 % in six."""

LONGEST_BURN_WINDOW = max(BURN_WINDOWS.values())


def budget_of(target: float, sums: Sums, latest: Sequence[Count], *, now: float) -> BudgetState:
    """The state of an error budget.

    Args:
        target: the share that has to be good.
        sums: what the window holds; what is unknown is neither good nor bad.
        latest: what was good and bad in the longest of `BURN_WINDOWS`, with times.
        now: Unix time.
    """
    known = sums.good + sums.bad
    allowed = known * (1 - target)
    return BudgetState(
        target=target,
        good=sums.good,
        bad=sums.bad,
        left=1 - sums.bad / allowed if known else 1.0,
        burn_rates={
            name: rate
            for name, seconds in BURN_WINDOWS.items()
            if (rate := _burn_rate(target, (each for each in latest if each.at > now - seconds))) is not None
        },
    )


def _burn_rate(target: float, counts: Iterable[Count]) -> float | None:
    good = bad = 0
    for each in counts:
        good, bad = good + each.good, bad + each.bad
    return bad / (good + bad) / (1 - target) if good + bad else None


def burns_fast(budget: BudgetState) -> bool:
    """Whether it goes fast, over a span and still over a shorter one."""
    rates = budget.burn_rates
    five_minutes, hour, six_hours = (rates.get(each, 0.0) for each in ("5m", "1h", "6h"))
    return min(hour, five_minutes) > FAST_BURN or min(six_hours, hour) > SLOW_BURN


def budget_in_words(budget: BudgetState) -> str:
    """What is left of it, in a few words."""
    if budget.left >= 0:
        return f"{percent(budget.left)} of the error budget left"
    return f"error budget overspent: {1 - budget.left:.3g} times what may go wrong"
