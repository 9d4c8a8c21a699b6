"""Everything that carrying out a step needs and that the policy doesn't say.

Nothing is global: the engine builds a `Context` for a run, narrows it (`at`) for each scenario and step, and tests pass
their own.
"""

import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from seatrial.kube.client import Client
from seatrial.machines.driver import MachineDriver
from seatrial.machines.none import NoMachines
from seatrial.remote.executor import Executor, NoExecutor
from seatrial.runtime.background_sample import BackgroundSample
from seatrial.runtime.clock import Clock
from seatrial.runtime.events import Event, EventStream, UndoWritten, Where
from seatrial.runtime.failed_units import FailedUnits
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.halt import HaltSwitch, NeverHalted
from seatrial.runtime.journal import WrittenUndo
from seatrial.runtime.judging import Judge, NoJudge
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.undo import Undo
from seatrial.runtime.world import World


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Where Seatrial itself runs, so that it never hits its own pod or node; empty outside a cluster."""

    pod_name: str = ""
    pod_namespace: str = ""
    host_ip: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says for the whole run.

    `recovery_timeout_seconds` is how long a scenario waits for the replacements of the pods it killed; 0 doesn't wait.
    `inventory` has the hosts (addresses or names, in lower case) of each group, where an inventory file says which
    nodes there are to match; None takes all nodes of the cluster. With `inventory_cloud`, machines of the cloud that no
    node runs on are matched, too. Where `kill_command` is not None, pods are killed by it on their machines, not
    through the API server; an empty one is what their container runtime has for that.
    `trace_by_round` tells that each round is a trace of its own (`runtime.trace_ids`).
    """

    max_parallel: int = 50
    recovery_timeout_seconds: float = 60
    guardrails: Guardrails = msgspec.field(default_factory=Guardrails)
    inventory: Mapping[str, Sequence[str]] | None = None
    inventory_cloud: bool = False
    kill_command: str | None = None
    trace_by_round: bool = False


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a step, action or probe is handed beside its spec; `failed` in a scenario that is a failure.

    `named_nodes` are those of the nodes that an action is done to which the policy names exactly. `sample` is what a
    probe is a look of, where it is taken beside the steps.
    """

    run_id: str
    cluster: Client
    journal: RunJournal
    events: EventStream
    randomness: Randomness
    clock: Clock
    machines: MachineDriver = msgspec.field(default_factory=NoMachines)
    executor: Executor = msgspec.field(default_factory=NoExecutor)
    halt: HaltSwitch = msgspec.field(default_factory=NeverHalted)
    judge: Judge = msgspec.field(default_factory=NoJudge)
    identity: Identity = msgspec.field(default_factory=Identity)
    settings: Settings = msgspec.field(default_factory=Settings)
    scope: ScenarioScope = msgspec.field(default_factory=ScenarioScope)
    where: Where = msgspec.field(default_factory=Where)
    failed: FailedUnits | None = None
    named_nodes: AbstractSet[str] = frozenset()
    sample: BackgroundSample | None = None

    def at(self, *, where: Where, scope: ScenarioScope | None = None) -> "Context":
        """The same context at another place of the policy."""
        return msgspec.structs.replace(self, where=where, scope=scope or self.scope)

    @property
    def world(self) -> World:
        """What undo acts on."""
        return World(
            cluster=self.cluster, machines=self.machines, executor=self.executor, emit=self.emit, clock=self.clock
        )

    async def write_undo(self, undo: Undo) -> WrittenUndo:
        """Write down what undoes a change; to be awaited before the change is made.

        What it returns settles it (`journal.settle`) where the change turned out not to be made.

        Raises:
            StateError: the disk did not take it; the change must not be made.
        """
        written = await self.journal.write(undo, among=self.scope.undos)
        self.emit(UndoWritten(description=undo.description))
        # What it undoes is sent next.
        self.scope.changes((self.where, 0), at=self.clock.monotonic(), is_exact=False)
        return written

    def mark_change(self, at: float, *, repetition: int = 0) -> None:
        """Say that a change was made which was sent at that moment, where no undo is written right before it."""
        self.scope.changes((self.where, repetition), at=at, is_exact=True)

    @property
    def traceparent(self) -> str:
        """The header that makes a request from here a part of the run's trace."""
        from seatrial.runtime.trace_ids import traceparent  # noqa: PLC0415 -- few runs are traced

        return traceparent(self.run_id, self.where, by_round=self.settings.trace_by_round)

    def emit(self, event: Event) -> None:
        """Publish an event as happening here."""
        self.events.publish(event, self.where)

    def random(self, *purpose: object) -> random.Random:
        """The random numbers for one decision made here."""
        return self.randomness.stream(*msgspec.structs.astuple(self.where), *purpose)
