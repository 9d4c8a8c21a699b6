"""Everything that carrying out a step needs and that the policy doesn't say.

Nothing is global: the engine builds a `Context` for a run, narrows it (`at`) for each scenario and step, and tests pass
their own.
"""

import random
from dataclasses import astuple, dataclass, field, replace

from seatrial.kube.client import Client
from seatrial.runtime.clock import Clock
from seatrial.runtime.events import Event, EventStream, Where
from seatrial.runtime.journal import RunJournal
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.scope import ScenarioScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Where Seatrial itself runs, so that it never hits its own pod or node; empty outside a cluster."""

    pod_name: str = ""
    pod_namespace: str = ""
    host_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says for the whole run.

    `recovery_timeout_seconds` is how long a scenario waits for the replacements of the pods it killed; 0 doesn't wait.
    """

    max_parallel: int = 50
    recovery_timeout_seconds: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a step, action or probe is handed beside its spec."""

    run_id: str
    cluster: Client
    journal: RunJournal
    events: EventStream
    randomness: Randomness
    clock: Clock
    identity: Identity = field(default_factory=Identity)
    settings: Settings = field(default_factory=Settings)
    scope: ScenarioScope = field(default_factory=ScenarioScope)
    where: Where = field(default_factory=Where)

    def at(self, *, where: Where, scope: ScenarioScope | None = None) -> "Context":
        """The same context at another place of the policy."""
        return replace(self, where=where, scope=scope or self.scope)

    def emit(self, event: Event) -> None:
        """Publish an event as happening here."""
        self.events.publish(event, self.where)

    def random(self, *purpose: object) -> random.Random:
        """The random numbers for one decision made here."""
        return self.randomness.stream(*astuple(self.where), *purpose)
