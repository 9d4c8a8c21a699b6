"""The course of a run: rounds, scenarios, steps, pauses, and what ends it before its time."""

from collections.abc import Mapping
from datetime import datetime

from seatrial.runtime.events.event import Event
from seatrial.runtime.verdict import Verdict


class Preparing(Event, frozen=True, kw_only=True):
    """Something that takes a while before the run can begin."""

    what: str


class RunStarted(Event, frozen=True, kw_only=True):
    """A run begins; `rounds` is None for ever, or as long as `duration` of the cluster's life where that is given.

    `cluster` is what the cluster is known by, from run to run: the UID of its namespace `kube-system`, or its address
    where that can't be read; `sandbox` for an embedded one of this run's own. `kubernetes` is the server's version.
    """

    run_id: str
    policy: str
    seed: str
    server: str
    rounds: int | None
    duration: str = ""
    context: str = ""
    cluster: str = ""
    kubernetes: str = ""


class RoundStarted(Event, frozen=True, kw_only=True):
    """A round begins; counted from 1."""

    number: int


class ScenarioStarted(Event, frozen=True, kw_only=True):
    """A scenario begins."""

    name: str
    description: str


class StepStarted(Event, frozen=True, kw_only=True):
    """A step begins; counted from 0, as in a policy's paths."""

    index: int
    key: str
    total: int


class StepFinished(Event, frozen=True, kw_only=True):
    """A step ends."""

    index: int
    key: str
    verdict: Verdict
    reasons: tuple[str, ...]
    duration_ms: float


class ScenarioFinished(Event, frozen=True, kw_only=True):
    """A scenario ends, clean-up included."""

    name: str
    verdict: Verdict
    reasons: tuple[str, ...]
    duration_ms: float


class PauseStarted(Event, frozen=True, kw_only=True):
    """A pause before a round; `until` is when it is to end, by the clock on the wall."""

    seconds: float
    until: datetime | None = None


class ScheduleMissed(Event, frozen=True, kw_only=True):
    """No round began at so many times of the schedule, of which `first` was the first; one may make up for them."""

    first: datetime
    times: int
    reason: str
    is_made_up: bool


class PolicyReloaded(Event, frozen=True, kw_only=True):
    """The policy's file has changed: from here on the run does what it says now.

    `changes` tells in words how it differs, `policy_text` is what stands there without its secrets, and `digests` has,
    by scenario, that of what the scenario does (`slo.digest`).
    """

    policy: str
    changes: tuple[str, ...]
    policy_text: str
    digests: Mapping[str, str]


class PolicyRejected(Event, frozen=True, kw_only=True):
    """The policy's file has changed, and can't be used as it is; the last one that could be holds."""

    policy: str
    problems: tuple[str, ...]


class StopRequested(Event, frozen=True, kw_only=True):
    """Somebody asked the run to stop; `hurry` the second time."""

    reason: str
    hurry: bool


class RunHalted(Event, frozen=True, kw_only=True):
    """Somebody halted all experiments on the cluster: the run ends here, and cleans up; `since` as the mark has it."""

    by: str
    reason: str
    since: str


class HaltUnreadable(Event, frozen=True, kw_only=True):
    """Whether experiments are halted can't be seen for lack of permission; the run goes on."""

    namespace: str
    error: str


class RunFinished(Event, frozen=True, kw_only=True):
    """The run ends."""

    verdict: Verdict
    reasons: tuple[str, ...]
    exit_code: int
    duration_ms: float
    rounds: int
