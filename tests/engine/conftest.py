from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from seatrial.engine.interrupts import Interrupts
from seatrial.engine.runner import run_policy
from seatrial.policy.base import Model, one_key
from seatrial.policy.models import Policy, Scenario
from seatrial.runtime.context import Context
from seatrial.runtime.events import Event, EventStream, Record, StopRequested
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.verdict import PASSED, Outcome, RunResult
from seatrial.steps.step_type import StepType
from seatrial.testing import FakeClock


class Does(Model):
    """A step that does what its test says."""

    what: str


@dataclass
class Bench:
    """An engine with steps made for the test: `steps` says what `does: {what: NAME}` does."""

    context: Context
    interrupts: Interrupts
    clock: FakeClock
    records: list[Record]
    steps: dict[str, Callable[[Context], Awaitable[Outcome]]] = field(default_factory=dict)
    undone: list[str] = field(default_factory=list)
    undo_errors: dict[str, Exception] = field(default_factory=dict)

    def policy(self, *scenarios: list[str], config: dict[str, Any] | None = None) -> Policy:
        step = one_key("Step", {"does": Does}, doc="A step.")
        made = [
            Scenario(
                name=f"scenario {number}",
                steps=tuple(step.model_validate({"does": {"what": what}}) for what in whats),
            )
            for number, whats in enumerate(scenarios, start=1)
        ]
        base = {"runStrategy": {"runs": 1, **((config or {}).pop("runStrategy", {}))}, **(config or {})}
        return Policy.model_validate({"config": base, "scenarios": made})

    async def run(self, policy: Policy, **options: Any) -> RunResult:
        result = await run_policy(policy, self.context, self.interrupts, **options)
        await self.context.events.close()
        return result

    def undo(self, name: str) -> Undo:
        return Undo(kind="forget", args={"name": name}, description=f"forget {name}", manual=f"forget {name} by hand")

    def events(self, kind: type[Event]) -> list[Any]:
        return [record.event for record in self.records if isinstance(record.event, kind)]


@pytest.fixture
async def bench(monkeypatch, tmp_path):
    """An engine with a journal on disk, time that flies, and steps and undos made by the test."""
    clock, records = FakeClock(), []
    events = EventStream(clock)
    events.subscribe(records.append)
    journal = await Journal.open(tmp_path)
    await journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    context = Context(
        run_id="run-1",
        cluster=None,
        journal=RunJournal(journal, "run-1"),
        events=events,
        randomness=Randomness(7),
        clock=clock,
    )
    interrupts = Interrupts(lambda reason, hurry: context.emit(StopRequested(reason=reason, hurry=hurry)))
    made = Bench(context, interrupts, clock, records)

    async def does(spec: Does, context: Context) -> Outcome:
        return await made.steps[spec.what](context) if spec.what in made.steps else PASSED

    async def forget(args, world):
        if error := made.undo_errors.get(args["name"]):
            raise error
        made.undone.append(args["name"])
        return ""

    monkeypatch.setattr(
        "seatrial.engine.scenario.step_types",
        lambda: {"does": StepType(key="does", model=Does, run=does, plan=None)},
    )
    kinds = {"forget": UndoKind(kind="forget", run=forget)}
    monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: kinds)
    yield made
    await events.close()
    await journal.close()
