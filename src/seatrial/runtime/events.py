"""What happens in a run, as small frozen records on one stream.

Logs, metrics, the terminal's account and the report are listeners on it; the engine knows none of them. A listener has
a queue and a thread of its own: one that is slow or fails loses events (counted) and never hurts the experiment.

    Preparing ─ RunStarted ─ RoundStarted ─ ScenarioStarted ─ StepStarted ─ TargetsMatched ─ TargetsFiltered
    ─ TargetsChosen | NodesChosen
    ─ MachineStopped | MachineStopFailed | MachineSkipped ─ MachineStarted ─ CommandExecuted ─ NodeCordoned
    ─ NodeTainted ─ PodEvicted | EvictionBlocked | EvictionSkipped
    ─ PodCommandExecuted ─ ContainerSignalled ─ ContainerRestarted
    ─ PodKilled | PodKillSkipped | PodSpared ─ PodRecovered | RecoveryMissed ─ ProbeSampled ─ MeshSampled
    ─ ObjectApplied
    ─ GuardrailHeld ─ FaultProven ─ FaultCleared ─ ProofMissing ─ MeasurementTaken
    ─ StepFinished ─ UndoWritten ─ UndoRetried ─ UndoDone | UndoFailed ─ ScenarioFinished ─ PauseStarted
    ─ StopRequested | RunHalted | HaltUnreadable ─ RunFinished
    ─ EarlierRunFound (what a dead run left behind is undone)
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class NodeRef:
    """A node as events name it."""

    name: str
    uid: str
    zone: str = ""

    def __str__(self) -> str:
        return self.name


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
    """What one matcher found; `kind` is what it looks for."""

    matcher: str
    count: int
    kind: Literal["pod", "node"] = "pod"


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
class NodesChosen(Event):
    """The nodes the step's actions will act on."""

    nodes: tuple[NodeRef, ...]
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStopped(Event):
    """The cloud says that a machine is down; `id` is its id there, `name` its node's, or its own where it has none.

    `duration_ms` is how long that took.
    """

    id: str
    name: str
    force: bool
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStopFailed(Event):
    """A machine could not be stopped, and why."""

    id: str
    name: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStarted(Event):
    """The cloud says that a machine is up; `duration_ms` is how long that took."""

    id: str
    name: str
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSkipped(Event):
    """A machine was left as it is, and why; `error` where it should not have been."""

    id: str
    name: str
    reason: str
    error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandExecuted(Event):
    """A command was carried to a node's machine (`id` is the node's UID, `name` its name).

    `output` is shortened. `exit_code` is None where the command could not be carried there, or did not end in time;
    `error` tells why.
    """

    id: str
    name: str
    command: str
    exit_code: int | None
    output: str
    duration_ms: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCordoned(Event):
    """A node takes no more pods; `already` tells that it took none before, and so stays that way."""

    node: NodeRef
    already: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTainted(Event):
    """A node has a taint; `taint` reads as in kubectl, `key=value:effect`, `already` tells that it had it before."""

    node: NodeRef
    taint: str
    already: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEvicted(Event):
    """The API server granted the eviction of exactly this pod; `duration_ms` is how long the call took."""

    pod: PodRef
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionBlocked(Event):
    """PodDisruptionBudgets forbid a pod's eviction; `budgets` names them as far as the API server does."""

    pod: PodRef
    budgets: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionSkipped(Event):
    """A pod was not evicted, for another reason than a budget; `error` where it should have been."""

    pod: PodRef
    reason: str
    error: bool = False


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
class PodSpared(Event):
    """A pod that asks to be killed by its labels was left alone, and why."""

    pod: PodRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCommandExecuted(Event):
    """A command was run in a container of a pod.

    `output` is shortened. `exit_code` is None where it could not be run, or it is not known what became of it; `error`
    tells why.
    """

    pod: PodRef
    container: str
    command: str
    exit_code: int | None
    output: str
    duration_ms: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerArmed(Event):
    """A timer was started beside a fault, which undoes it after so many seconds whatever becomes of Seatrial.

    `place` is the container or node that it runs in, `undo` the command that it runs.
    """

    place: str
    seconds: int
    undo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSignalled(Event):
    """A signal was sent to a container's main process; `via` tells from where."""

    pod: PodRef
    container: str
    signal: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRestarted(Event):
    """A container that was ended runs again, and is ready; times in milliseconds since the signal was sent."""

    pod: PodRef
    container: str
    ended_ms: float
    ready_ms: float
    restarts: int


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
    """One look of a probe; `latency_ms` is None when no answer came, or when the way there hides how long it took.

    `via` names the way: `url`, `clusterIP`, `apiserver`, `portForward`, `tcp`, `dns`, `command`. `status` is that of an
    HTTP answer, `answer` another probe's in a few words. The times of a request's parts are None where they can't be
    seen: `connect_ms` until the connection stands (looking up the name included), `tls_ms` for the handshake,
    `first_byte_ms` from the beginning until the answer's head is there.
    """

    target: str
    via: str
    ok: bool
    attempt: int
    status: int | None
    latency_ms: float | None
    error: str = ""
    answer: str = ""
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None


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
class ObjectDeleted(Event):
    """An object was deleted and seen to be gone; `comes_back` tells whether clean-up makes it anew."""

    kind: str
    namespace: str
    name: str
    comes_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsMuted(Event):
    """An Alertmanager keeps quiet about all alerts, for so many seconds at most; `silence` is the silence's id."""

    alertmanager: str
    silence: str
    seconds: float


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
class SteadyStateHeld(Event):
    """All probes of the steady state held, `before` the first step or `after` clean-up.

    `seconds` is how long that took: until all had been looked at, or until all held again.
    """

    moment: str
    probes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyStateLost(Event):
    """A probe of the steady state stopped holding while the steps ran, and why."""

    probe: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyStateRegained(Event):
    """A probe of the steady state holds again, after so many seconds."""

    probe: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyStateSampled(Event):
    """What all samples of one probe came to while the steps ran; `unseen` ones could not be taken."""

    probe: str
    samples: int
    failed: int
    unseen: int
    longest_outage_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentAborted(Event):
    """A condition of `abortWhen` is met: the experiment ends at once."""

    condition: str
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
class UndoRetried(Event):
    """An undo failed for a reason that may pass, and is tried again after `wait_seconds`; `attempt` counts from 1."""

    description: str
    error: str
    attempt: int
    wait_seconds: float


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
class RunHalted(Event):
    """Somebody halted all experiments on the cluster: the run ends here, and cleans up; `since` as the mark has it."""

    by: str
    reason: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltUnreadable(Event):
    """Whether experiments are halted can't be seen for lack of permission; the run goes on."""

    namespace: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRunFound(Event):
    """A run that left changes behind; `note` says why it is left alone, empty where its clean-up is finished now."""

    run_id: str
    policy: str
    started: str
    server: str
    undos: int
    note: str = ""


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
