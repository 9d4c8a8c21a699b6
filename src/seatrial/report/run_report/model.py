"""What a report holds: frozen records, which are the JSON form as they stand, and its published schema.

Lengths are seconds (`seconds` in the name) or milliseconds (`_ms`), times of day ISO 8601 in UTC; `at_seconds` and
`start_seconds` count from the beginning of the scenario's run. Nothing here grows with the number of samples: thousands
of rounds are told one by one in few words (`rounds`), and the worst of them in detail (`details`).
"""

from typing import Literal

import msgspec

from seatrial.report.account import Tone
from seatrial.runtime.events import BudgetState, ObjectiveStatus
from seatrial.runtime.verdict import Verdict
from seatrial.storage.records import RunState

MeshMoment = Literal["before", "during", "end", "after"]

FORMAT: Literal["seatrial.io/report/v1"] = "seatrial.io/report/v1"


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The root of all parts of a report."""


class RunFacts(Told, frozen=True, kw_only=True):
    """Which run: what it was to do, where, when, and how far it came.

    A run that is `running` has been heard of lately; one that `died` has not, and left no end. `rounds_planned` is null
    where it goes on for ever.
    """

    id: str
    policy: str
    seed: str
    server: str
    context: str
    cluster: str
    host: str
    versions: dict[str, str]
    state: RunState
    started: str
    seen: str
    ended: str | None
    seconds: float
    rounds: int
    rounds_planned: int | None


class ObjectivePoint(Told, frozen=True, kw_only=True):
    """What was known of an objective after a round."""

    round: int
    status: ObjectiveStatus
    estimate: float | None
    lower: float | None
    upper: float | None


class ObjectiveTold(Told, frozen=True, kw_only=True):
    """An objective as it was judged last; fields as in the event `objective_judged`, `trail` is how it came to that."""

    scenario: str
    objective: str
    status: ObjectiveStatus
    text: str
    measurement: str
    limit: float
    unit: str
    confidence: float
    window: str
    samples: int
    estimate: float | None
    lower: float | None
    upper: float | None
    more_needed: int | None
    budget: BudgetState | None
    warnings: tuple[str, ...]
    trail: tuple[ObjectivePoint, ...]


class ScenarioTold(Told, frozen=True, kw_only=True):
    """A scenario over all its rounds, and the reasons why some did not pass, the most frequent first."""

    name: str
    description: str
    passed: int
    failed: int
    inconclusive: int
    seconds: float
    reasons: dict[str, int]


class RoundTold(Told, frozen=True, kw_only=True):
    """One run of a scenario."""

    round: int
    scenario: str
    verdict: Verdict
    reasons: tuple[str, ...]
    started: str
    seconds: float


class QuantileTold(Told, frozen=True, kw_only=True):
    """A quantile of a measurement, with bounds for it (each one-sided, at 95 %); null where nothing bounds it."""

    percent: float
    estimate: float | None
    lower: float | None
    upper: float | None


class LimitTold(Told, frozen=True, kw_only=True):
    """An objective's limit for a measurement, in seconds."""

    objective: str
    limit: float
    status: ObjectiveStatus


class Bin(Told, frozen=True, kw_only=True):
    """How many values lie from `start` to `end`, in seconds."""

    start: float
    end: float
    count: int


class TimesThen(Told, frozen=True, kw_only=True):
    """The values of a part of a run.

    `median` is null where half had not come when nobody waited any more, `largest`, the largest that came, where none
    did.
    """

    start_seconds: float
    end_seconds: float
    count: int
    unended: int
    median: float | None
    largest: float | None


class SamplesThen(Told, frozen=True, kw_only=True):
    """The samples of a part of a run."""

    start_seconds: float
    end_seconds: float
    ok: int
    failed: int
    unseen: int


class MeasurementTold(Told, frozen=True, kw_only=True):
    """The values of a measurement in a scenario, in seconds.

    `unended` ones had not come when nobody waited any more: all that is known is that they take longer. `course` tells
    how they went in parts of the run of one length, counted from when the run began.
    """

    scenario: str
    name: str
    meaning: str
    count: int
    unended: int
    smallest: float
    largest: float
    quantiles: tuple[QuantileTold, ...]
    bins: tuple[Bin, ...]
    course: tuple[TimesThen, ...]
    limits: tuple[LimitTold, ...]


class Outage(Told, frozen=True, kw_only=True):
    """A stretch in which every sample of a probe failed; one that `is_open` was not over when the steps were."""

    round: int
    started: str
    seconds: float
    is_open: bool
    reason: str


class LatencyTold(Told, frozen=True, kw_only=True):
    """How long a probe's answers took, in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class AvailabilityTold(Told, frozen=True, kw_only=True):
    """A probe of a steady state over all rounds.

    `share` of the samples that could be taken succeeded, at least `lower` and at most `upper` (each one-sided, at 95 %,
    with the samples of a round taken as belonging together).
    """

    scenario: str
    probe: str
    samples: int
    failed: int
    unseen: int
    share: float | None
    lower: float | None
    upper: float | None
    outages: int
    longest_outage_seconds: float
    course: tuple[SamplesThen, ...]
    worst_outages: tuple[Outage, ...]
    latency: LatencyTold | None


class ProbeTold(Told, frozen=True, kw_only=True):
    """The probes that a step made, over all rounds; a step that waits for an answer makes many that fail.

    `target` is what was asked first, and how many others were.
    """

    scenario: str
    step: int | None
    target: str
    succeeded: int
    failed: int
    last_error: str
    latency: LatencyTold | None


class MeshLook(Told, frozen=True, kw_only=True):
    """One look at goldpinger's graph; `calls_ms` has a row for each caller, null where a call failed or none was seen.

    `failed` calls read `caller -> callee`. The last look is one `after` where what had been changed was put back by
    then, or nothing had to be, and the `end` where that was not seen.
    """

    moment: MeshMoment
    at_seconds: float
    instances: int
    pairs: int
    failed: tuple[str, ...]
    slowest_ms: float | None
    names: tuple[str, ...]
    calls_ms: tuple[tuple[float | None, ...], ...]


class MeshTold(Told, frozen=True, kw_only=True):
    """What goldpinger's instances saw of each other: in all rounds, and at three moments of the worst one."""

    text: str
    samples: int
    degraded: int
    unanswered: int
    scenario: str
    round: int
    looks: tuple[MeshLook, ...]


class Proof(Told, frozen=True, kw_only=True):
    """Evidence for a fault, or for its end, from outside; how often it was told, and when last."""

    kind: Literal["proven", "cleared", "missing"]
    subject: str
    text: str
    times: int
    round: int


class EvidenceTold(Told, frozen=True, kw_only=True):
    """How many faults were proven, proven to be gone, and not proven; `latest` are those told last."""

    proven: int
    cleared: int
    missing: int
    latest: tuple[Proof, ...]


class UndoProblem(Told, frozen=True, kw_only=True):
    """A change that could not be undone, and what a person can do about it."""

    what: str
    error: str
    manual: str


class UndoTold(Told, frozen=True, kw_only=True):
    """Clean-up: how many changes were undone, what was left as somebody else had made it, what could not be undone."""

    written: int
    done: int
    left: tuple[str, ...]
    failed: tuple[UndoProblem, ...]


class Figure(Told, frozen=True, kw_only=True):
    """A line of the closing summary."""

    heading: str
    text: str


class StepTold(Told, frozen=True, kw_only=True):
    """A step; `seconds` and `verdict` are null where it did not end."""

    index: int
    key: str
    start_seconds: float
    seconds: float | None
    verdict: Verdict | None
    reasons: tuple[str, ...]


class Span(Told, frozen=True, kw_only=True):
    """Something that lasted, such as a fault until it was seen to be gone; `end_seconds` is null without an end."""

    kind: Literal["fault", "outage", "mesh"]
    label: str
    text: str
    start_seconds: float
    end_seconds: float | None


class ProbeBucket(Told, frozen=True, kw_only=True):
    """The samples of a probe in a part of a round."""

    start_seconds: float
    end_seconds: float
    succeeded: int
    failed: int
    unseen: int
    slowest_ms: float | None


class ProbeLane(Told, frozen=True, kw_only=True):
    """A probe's samples through a round."""

    probe: str
    buckets: tuple[ProbeBucket, ...]


class Moment(Told, frozen=True, kw_only=True):
    """A line of a round's account: when it happened, and in words."""

    at_seconds: float
    depth: int
    label: str
    text: str
    tone: Tone


class RoundDetail(Told, frozen=True, kw_only=True):
    """A round told in full; `verdict` is null where it has not ended. `left_out` lines of its account are not told."""

    round: int
    scenario: str
    started: str
    seconds: float
    verdict: Verdict | None
    reasons: tuple[str, ...]
    steps: tuple[StepTold, ...]
    spans: tuple[Span, ...]
    lanes: tuple[ProbeLane, ...]
    account: tuple[Moment, ...]
    left_out: int


class Reproduction(Told, frozen=True, kw_only=True):
    """How to run it again: a command, and what the command does not say."""

    command: str
    notes: tuple[str, ...]


class RunReport(Told, frozen=True, kw_only=True):
    """A run, its verdict first.

    `verdict` is null while the run lasts, or where it died. `incomplete` says in sentences what is missing; it is empty
    where this is all.
    """

    run: RunFacts
    verdict: Verdict | None
    reasons: tuple[str, ...]
    exit_code: int | None
    incomplete: str
    objectives: tuple[ObjectiveTold, ...]
    scenarios: tuple[ScenarioTold, ...]
    figures: tuple[Figure, ...]
    measurements: tuple[MeasurementTold, ...]
    availability: tuple[AvailabilityTold, ...]
    probes: tuple[ProbeTold, ...]
    mesh: MeshTold | None
    evidence: EvidenceTold
    undo: UndoTold
    warnings: tuple[str, ...]
    rounds: tuple[RoundTold, ...]
    details: tuple[RoundDetail, ...]
    policy_text: str
    reproduction: Reproduction
    format: Literal["seatrial.io/report/v1"] = FORMAT
