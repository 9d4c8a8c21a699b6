"""The alerts: what each one watches, how bad it is, and what it says. A runbook for each is in docs/how-to/alerts.md.

Burn rates are those of the Site Reliability Workbook (Google, chapter 5, "Alerting on SLOs", table 5-8): a budget of 30
days that burns at 14.4 loses 2 % of itself in an hour, at 6 it loses 5 % in six hours; a shorter window has to agree,
so that an alert ends soon after its cause. Thresholds that depend on how often one runs are constants of this module.
"""

from dataclasses import dataclass
from typing import Literal

from seatrial.slo.budget import BURN_WINDOWS, FAST_BURN, SLOW_BURN
from seatrial.telemetry.metrics.table import (
    BUDGET_LEFT,
    BUILD_INFO,
    BURN_RATE,
    FAULTS,
    HALTED,
    IN_FLIGHT,
    NEXT_ROUND_AT,
    NOTIFICATIONS,
    OBJECTIVE_JUDGED_AT,
    OBJECTIVE_STATUS,
    OBJECTIVE_UNREADABLE,
    OBJECTIVE_WARNINGS,
    POLICY_REJECTED,
    RECOVERIES_MISSED,
    ROUND_STARTED_AT,
    SCENARIO_RUNS,
    SCENARIO_VERDICT,
    SCHEDULE_MISSED,
    UNDOS,
    Metric,
)

Severity = Literal["critical", "warning", "info"]

_LATE_SECONDS = 300
_LONG_ROUND_SECONDS = 2 * 3600
_STALE_SECONDS = 24 * 3600
_RUNBOOKS = "docs/how-to/alerts.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert: `expression` gives a series for whatever is wrong; `lasting` is how long before it is told.

    `critical` should wake somebody, `warning` is for the day, `info` for whoever looks.
    """

    name: str
    expression: str
    severity: Severity
    summary: str
    description: str
    lasting: str = ""

    @property
    def runbook(self) -> str:
        """Where the documentation says what to do."""
        return f"{_RUNBOOKS}#{self.name.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """Alerts that belong together."""

    name: str
    alerts: tuple[Alert, ...]


def _where(metric: Metric, **labels: str) -> str:
    """A selector; a label that the metric doesn't have is a mistake here, not an alert that never fires."""
    if unknown := set(labels) - set(metric.labels):
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    said = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{metric.name}{{{said}}}" if said else metric.name


def _grew(metric: Metric, span: str, **labels: str) -> str:
    """A counter grew within a span; one whose series is younger than that began at 0, though nobody saw it there."""
    counter = _where(metric, **labels)
    return f"increase({counter}[{span}]) > 0 or ({counter} > 0 unless {counter} offset {span})"


def _burning(factor: float, *, long: str, short: str) -> str:
    """It burns over both windows, and was judged within the longer: what was said before that is of another time."""
    burns = (f"({_where(BURN_RATE, window=window)} > {factor:g})" for window in (long, short))
    is_known = f"(time() - {OBJECTIVE_JUDGED_AT.name} < {BURN_WINDOWS[long]:g})"
    return " and ignoring (window) ".join((*burns, is_known))


_OF = "{{ $labels.objective }} (scenario {{ $labels.scenario }})"

OBJECTIVES = AlertGroup(
    name="seatrial-objectives",
    alerts=(
        Alert(
            name="SeatrialObjectiveViolated",
            expression=f"{_where(OBJECTIVE_STATUS, status='violated')} == 1",
            severity="critical",
            summary=f"Objective violated: {_OF}",
            description="The measurements in its window show, with the confidence that it asks for, that the objective "
            "does not hold. `seatrial slo status` has the numbers.",
        ),
        Alert(
            name="SeatrialErrorBudgetBurningFast",
            expression=_burning(FAST_BURN, long="1h", short="5m"),
            severity="critical",
            summary=f"Error budget burns fast: {_OF}",
            description="It is spent {{ $value | humanize }} times faster than it lasts, over an hour and over the "
            "last five minutes: of a budget for 30 days, 2 % or more went in this hour.",
        ),
        Alert(
            name="SeatrialErrorBudgetBurningSlowly",
            expression=_burning(SLOW_BURN, long="6h", short="1h"),
            severity="warning",
            summary=f"Error budget burns: {_OF}",
            description="It is spent {{ $value | humanize }} times faster than it lasts, over six hours and over the "
            "last one: of a budget for 30 days, 5 % or more went in these six hours.",
        ),
        Alert(
            name="SeatrialErrorBudgetSpent",
            expression=f"{BUDGET_LEFT.name} <= 0",
            severity="warning",
            summary=f"Error budget spent: {_OF}",
            description="{{ $value | humanizePercentage }} of the budget is left: more went wrong in the window of the "
            "objective than it allows. Experiments on purpose had better wait.",
        ),
        Alert(
            name="SeatrialEvidenceStale",
            expression=f"time() - {OBJECTIVE_JUDGED_AT.name} > {_STALE_SECONDS}",
            severity="warning",
            summary=f"Nothing new is known of an objective: {_OF}",
            description="It was judged the last time {{ $value | humanizeDuration }} ago: its scenario does not run.",
        ),
        Alert(
            name="SeatrialObjectiveUnreadable",
            expression=f"{OBJECTIVE_UNREADABLE.name} == 1",
            severity="warning",
            lasting="5m",
            summary=f"An objective can't be judged: {_OF}",
            description="Its values can't be read from where runs are kept. The log says why (`objective_judged`).",
        ),
        Alert(
            name="SeatrialObjectiveWarns",
            expression=f"{OBJECTIVE_WARNINGS.name} > 0",
            severity="info",
            lasting="1h",
            summary=f"What an objective measures needs a look: {_OF}",
            description="A trend or a jump: it may hold today and not next week; or runs that failed before it was "
            "measured. `seatrial slo status` says what.",
        ),
        Alert(
            name="SeatrialObjectiveUndecided",
            expression=f"{_where(OBJECTIVE_STATUS, status='undecided')} == 1",
            severity="info",
            lasting="7d",
            summary=f"Not enough evidence for a week: {_OF}",
            description="The scenario runs too rarely for what the objective asks, or ends inconclusive. "
            "`seatrial slo status` tells how many more runs it takes.",
        ),
    ),
)
"""About objectives and their budgets."""

EXPERIMENTS = AlertGroup(
    name="seatrial-experiments",
    alerts=(
        Alert(
            name="SeatrialScenarioFailing",
            # The counter sees failures that came and went between two scrapes, the level those of a run that ended.
            expression=f"max by (job, instance, name) ({_grew(SCENARIO_RUNS, '15m', result='fail')} "
            f"or {_where(SCENARIO_VERDICT, verdict='failed')} == 1)",
            severity="warning",
            summary="A scenario fails: {{ $labels.name }}",
            description="The system under test did not stand it, in the last run or within 15 minutes. The log of the "
            "run says which step failed and why.",
        ),
        Alert(
            name="SeatrialScenarioInconclusive",
            expression=f"{_where(SCENARIO_VERDICT, verdict='inconclusive')} == 1",
            severity="warning",
            lasting="6h",
            summary="Nothing is learned from a scenario: {{ $labels.name }}",
            description="For hours it found nothing to act on, or could not act or see. The log of the run says why.",
        ),
        Alert(
            name="SeatrialCleanUpFailed",
            # The run ends soon after, and its series with it: the last ones are looked at for another hour.
            expression=f"max_over_time({_where(UNDOS, result='failed')}[1h]) > 0",
            severity="critical",
            summary="An experiment left something behind",
            description="Changes that could not be undone: {{ $value }}. A person has to act: `seatrial status` lists "
            "them with the commands, `seatrial recover` tries again.",
        ),
        Alert(
            name="SeatrialRecoveryMissed",
            expression=f"increase({RECOVERIES_MISSED.name}[1h]) > 0",
            severity="warning",
            summary="Killed pods were not replaced in time",
            description="In the last hour the replacements of killed pods were not seen to be ready in time.",
        ),
        Alert(
            name="SeatrialFaultUnproven",
            expression=f"increase({_where(FAULTS, proof='missing')}[1h]) > 0",
            severity="warning",
            summary="A fault without proof",
            description="In the last hour it could not be seen from outside that a fault happened, or that it is gone: "
            "what passed then shows less than it seems to.",
        ),
    ),
)
"""About what experiments come to."""

SEATRIAL_ITSELF = AlertGroup(
    name="seatrial-itself",
    alerts=(
        Alert(
            name="SeatrialAbsent",
            expression=f"absent({BUILD_INFO.name})",
            severity="warning",
            lasting="15m",
            summary="Seatrial does not run",
            description="No Seatrial can be scraped for a quarter of an hour: nothing is verified, and no other alert "
            "about it can fire. Leave this one out where Seatrial isn't meant to run all the time.",
        ),
        Alert(
            name="SeatrialRoundOverdue",
            expression=f"time() - {NEXT_ROUND_AT.name} > {_LATE_SECONDS}",
            severity="warning",
            lasting="1m",
            summary="The next round does not begin",
            description="It should have begun {{ $value | humanizeDuration }} ago.",
        ),
        Alert(
            name="SeatrialRoundStuck",
            expression=f"(time() - {ROUND_STARTED_AT.name} > {_LONG_ROUND_SECONDS}) "
            f"and on (job, instance) ({IN_FLIGHT.name} > 0)",
            severity="warning",
            summary="A round does not end",
            description="It began {{ $value | humanizeDuration }} ago and is not over: the fault that it made may "
            "still be there.",
        ),
        Alert(
            name="SeatrialScheduleMissed",
            expression=f"increase({SCHEDULE_MISSED.name}[1h]) > 0",
            severity="info",
            summary="Rounds did not begin when the schedule says",
            description="About {{ $value | humanize }} of them in the last hour: the round before took too long, or "
            "the machine slept. The log has the reason.",
        ),
        Alert(
            name="SeatrialPolicyRejected",
            expression=f"{POLICY_REJECTED.name} == 1",
            severity="warning",
            lasting="5m",
            summary="An edited policy can't be used",
            description="Seatrial goes on with what its file said before. `seatrial validate` lists what is wrong.",
        ),
        Alert(
            name="SeatrialNotificationsFail",
            expression=f"max by (job, instance, channel) ({_grew(NOTIFICATIONS, '1h', result='failed')})",
            severity="warning",
            summary="Notifications do not arrive: {{ $labels.channel }}",
            description="Within the last hour this channel of config.notify did not take a message. The log says why.",
        ),
        Alert(
            name="SeatrialHalted",
            # A run that is halted ends: its last words count, until another one of the job runs.
            expression=f"max by (job) (last_over_time({HALTED.name}[12h])) == 1 unless on (job) {HALTED.name} == 0",
            severity="info",
            lasting="30m",
            summary="Experiments are halted",
            description="A run was halted, and none has begun since. `seatrial status` tells who halted all "
            "experiments on the cluster and why, `seatrial resume` lets them go on.",
        ),
    ),
)
"""About Seatrial itself: an alert that watches whoever watches."""

GROUPS = (OBJECTIVES, EXPERIMENTS, SEATRIAL_ITSELF)
"""All alerts."""
