"""What a store keeps of a run, as frozen records; times of day are Unix time, in seconds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from seatrial.runtime.events import ObjectiveJudged
from seatrial.runtime.liveness import Liveness, Sighting
from seatrial.runtime.process_identity import ProcessIdentity
from seatrial.runtime.verdict import Verdict
from seatrial.storage.histogram import Histogram


class RunState(StrEnum):
    """Whether a run is at work, has ended as runs do, or is gone without a word."""

    RUNNING = "running"
    ENDED = "ended"
    DIED = "died"


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run: what it was to do, where, with which versions and seed, and what it came to.

    `policy` is the policy's name, its file; `policy_text` what stood in it, in which `redacted` secrets were left out.
    `digests` has, by scenario, that of what the scenario does (`slo.series`), and `windows` those of its objectives, as
    the policy has them. `command` is the command line, `plan` the digest of the saved plan that it was held to, where
    there was one, and `saved_plan` that plan as JSON. `versions` has those of `seatrial`, `kubernetes` and `python`.
    While the run lasts, or where it died, `ended` and `verdict` are None; `seen` is when it last said that it lives.
    What happened before `events_from` is no longer kept one by one, where that isn't None: its figures are. `lost`
    events could not be kept at all.
    """

    id: str
    policy: str
    policy_text: str
    digests: Mapping[str, str]
    seed: str
    server: str
    context: str
    cluster: str
    versions: Mapping[str, str]
    host: str
    started: float
    seen: float
    rounds: int = 0
    ended: float | None = None
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    exit_code: int | None = None
    redacted: int = 0
    command: str = ""
    plan: str = ""
    saved_plan: str = ""
    windows: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    process: ProcessIdentity | None = None
    events_from: float | None = None
    lost: int = 0

    @property
    def state(self) -> RunState:
        """Whether it is at work, ended, or died: its process is looked for, or its last word counts."""
        if self.ended is not None:
            return RunState.ENDED
        unknown = ProcessIdentity(host=self.host, boot="elsewhere", namespace="", pid=0, began=0)
        heartbeat = datetime.fromtimestamp(self.seen, UTC).isoformat()
        sighting = Sighting(process=self.process or unknown, heartbeat=heartbeat, ended=False)
        return RunState.DIED if sighting.liveness is Liveness.DEAD else RunState.RUNNING


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What is missing in the series of a scenario, up to the event with the number `sequence`, at the time `at`.

    `figures` events that measurements and counts are made of, and `samples` of probes.
    """

    scenario: str
    digest: str
    sequence: int
    at: float
    figures: int
    samples: int


class ScenarioRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a scenario, in one round of a run."""

    run_id: str
    round: int
    scenario: str
    digest: str
    started: float
    duration_ms: float
    verdict: Verdict
    reasons: tuple[str, ...] = ()


class StoredMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a measurement (see `slo.measurements`), and where in which run it was taken."""

    run_id: str
    round: int
    scenario: str
    name: str
    of: str
    value: float
    at: float
    is_lower_bound: bool = False


class StoredJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """What was last said of an objective of a scenario in a run."""

    scenario: str
    judged: ObjectiveJudged
    at: float


class ProbeMinute(msgspec.Struct, frozen=True, kw_only=True):
    """What the samples of a probe came to within a minute, which begins at `at`.

    `latencies` has how long the answers took, in milliseconds.
    """

    scenario: str
    probe: str
    at: float
    ok: int
    failed: int
    unseen: int
    latencies: Histogram
