"""What happens in a run, as small frozen records on one stream.

Logs, metrics, the terminal's account and the report are listeners on it; the engine knows none of them. A listener has
a queue and a thread of its own: one that is slow or fails loses events (counted) and never hurts the experiment.

    Preparing ─ RunStarted ─ RoundStarted ─ ScenarioStarted ─ StepStarted ─ TargetsMatched ─ TargetsFiltered
    ─ TargetsChosen
    ─ PodKilled | PodKillSkipped ─ PodRecovered | RecoveryMissed ─ ProbeSampled ─ MeshSampled ─ ObjectApplied
    ─ GuardrailHeld ─ FaultProven ─ FaultCleared ─ ProofMissing ─ MeasurementTaken
    ─ StepFinished ─ UndoWritten ─ UndoDone | UndoFailed ─ ScenarioFinished ─ PauseStarted ─ StopRequested ─ RunFinished
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from seatrial.runtime.clock import Clock
from seatrial.runtime.verdict import Verdict

_log = logging.getLogger(__name__)
_QUEUE_SIZE = 10_000
_BATCH_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class PodRef:
    """A pod as events name it."""

    namespace: str
    name: str
    uid: str
    node: str = ""
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing(Event):
    """Something that takes a while before the run can begin."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run begins; `rounds` is None for ever."""

    run_id: str
    policy: str
    seed: str
    server: str
    rounds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStarted(Event):
    """A round begins; counted from 1."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStarted(Event):
    """A scenario begins."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step begins; counted from 0, as in a policy's paths."""

    index: int
    key: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsMatched(Event):
    """What one matcher found."""

    matcher: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsFiltered(Event):
    """What one filter left; `note` says how a fraction was rounded or why nothing passed."""

    filter: str
    before: int
    after: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsChosen(Event):
    """The pods the step's actions will act on."""

    pods: tuple[PodRef, ...]
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodKilled(Event):
    """The API server accepted the deletion of exactly this pod; `duration_ms` is how long the call took.

    `replaced` tells whether its controller is one that replaces it, so that its recovery is measured.
    """

    pod: PodRef
    force: bool
    replaced: bool = True
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodKillSkipped(Event):
    """A chosen pod was not killed, and why."""

    pod: PodRef
    reason: str
    error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRecovered(Event):
    """A killed pod's replacement is Ready; all times in milliseconds since the kill was sent.

    Each is None where the watch did not show that moment.
    """

    pod: PodRef
    replacement: PodRef
    gone_ms: float | None
    created_ms: float
    scheduled_ms: float | None
    running_ms: float | None
    ready_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryMissed(Event):
    """No Ready replacement of a killed pod was seen, and why."""

    pod: PodRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSampled(Event):
    """One request of a probe; `latency_ms` is None when no answer came."""

    target: str
    via: str
    ok: bool
    attempt: int
    status: int | None
    latency_ms: float | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSampled(Event):
    """One look at goldpinger's graph: of `pairs` calls between instances, those in `failed` did not succeed.

    Each failed pair reads `caller -> callee`. `error` tells why goldpinger itself could not be asked.
    """

    instances: int
    pairs: int
    failed: tuple[str, ...]
    slowest_ms: float | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectApplied(Event):
    """A manifest was applied; `created` tells whether its object was not there before."""

    kind: str
    namespace: str
    name: str
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultProven(Event):
    """Proof that a fault happened: what was seen from outside, not what was asked for."""

    subject: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCleared(Event):
    """Proof that a fault is gone."""

    subject: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofMissing(Event):
    """A fault, or its end, could not be proven, and why."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementTaken(Event):
    """A named measurement, in seconds of the monotonic clock; `of` says what was measured."""

    name: str
    of: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailHeld(Event):
    """A guardrail refused a step before it acted."""

    guardrail: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    """A step ends."""

    index: int
    key: str
    verdict: Verdict
    reasons: tuple[str, ...]
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoWritten(Event):
    """The journal holds what will undo the change about to be made."""

    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDone(Event):
    """A change is undone, and seen to be; `note` says what was left as it is because somebody else changed it."""

    description: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoFailed(Event):
    """A change could not be undone; `manual` is what a person can do about it."""

    description: str
    error: str
    manual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFinished(Event):
    """A scenario ends, clean-up included."""

    name: str
    verdict: Verdict
    reasons: tuple[str, ...]
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseStarted(Event):
    """A pause between two rounds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(Event):
    """Somebody asked the run to stop; `hurry` the second time."""

    reason: str
    hurry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run ends."""

    verdict: Verdict
    reasons: tuple[str, ...]
    exit_code: int
    duration_ms: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Where:
    """The place in a run that an event or a decision belongs to; rounds count from 1, all others from 0."""

    round: int = 0
    scenario: str = ""
    step: int | None = None
    attempt: int = 0
    action: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An event with its place and its two times."""

    sequence: int
    time: datetime
    monotonic: float
    where: Where
    event: Event


_NOWHERE = Where()
Listener = Callable[[Record], None]


class EventStream:
    """Hands each event to every listener, in order, without ever waiting for one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sequence = 0
        self._subscriptions: list[_Subscription] = []

    def subscribe(self, listener: Listener) -> None:
        """Add a listener, called in a thread of its own; it sees what is published from here on."""
        self._subscriptions.append(_Subscription(listener))

    def publish(self, event: Event, where: Where = _NOWHERE) -> None:
        """Stamp an event and queue it for every listener."""
        self._sequence += 1
        record = Record(self._sequence, self._clock.now(), self._clock.monotonic(), where, event)
        for subscription in self._subscriptions:
            subscription.offer(record)

    async def close(self, *, deadline_seconds: float = 5) -> None:
        """Let the listeners finish what is queued, at most that long."""
        subscriptions, self._subscriptions = self._subscriptions, []
        closing = (asyncio.to_thread(each.close, deadline_seconds) for each in subscriptions)
        await asyncio.gather(*closing)


class _Subscription:
    """One listener with its queue and thread: a terminal that stands still blocks the thread, not the run.

    The thread wakes up at most every `_BATCH_SECONDS`: one wake-up an event would cost the run more than the events do.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: deque[Record] = deque()
        self._something_waits = threading.Event()
        self._closing = threading.Event()
        self._lost = 0
        self._failures = 0
        self._thread = threading.Thread(target=self._deliver, name="event listener", daemon=True)
        self._thread.start()

    def offer(self, record: Record) -> None:
        if len(self._waiting) >= _QUEUE_SIZE:
            self._lost += 1
            return
        self._waiting.append(record)
        if not self._something_waits.is_set():
            self._something_waits.set()

    def close(self, deadline_seconds: float) -> None:
        self._closing.set()
        self._something_waits.set()
        self._thread.join(deadline_seconds)
        if self._thread.is_alive():
            _log.warning("an event listener did not keep up and was left behind")
        if self._lost:
            _log.warning("%d events were lost to a slow listener", self._lost)

    def _deliver(self) -> None:
        while True:
            self._something_waits.wait()
            self._closing.wait(_BATCH_SECONDS)
            self._something_waits.clear()
            # Read after the signal is cleared: whoever closes sets this first, so it is seen here or signalled anew.
            closing = self._closing.is_set()
            while self._waiting:
                self._hand_over(self._waiting.popleft())
            if closing:
                return

    def _hand_over(self, record: Record) -> None:
        try:
            self._listener(record)
        except Exception:  # noqa: BLE001 -- a listener is anybody's code; it must not hurt the run
            self._failures += 1
            if self._failures == 1:
                _log.exception("an event listener failed; the run goes on")
