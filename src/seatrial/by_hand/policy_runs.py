"""A whole policy, planned and run from within a session: a run of its own beside it, in the same journal.

It has its own undos, verdict and seed, and ends with its clean-up; what was done by hand before stands meanwhile.
"""

import asyncio
import uuid
from collections.abc import Sequence

from msgspec.structs import replace

from seatrial.by_hand.session import HandSession
from seatrial.engine.interrupts import Interrupts
from seatrial.engine.plan import make_plan
from seatrial.engine.runner import run_policy
from seatrial.policy.models import Policy
from seatrial.runtime.context import Context
from seatrial.runtime.events import EventStream, Listener, RunStarted, StopRequested, Where
from seatrial.runtime.guardrails import merge_guardrails
from seatrial.runtime.plan import Plan
from seatrial.runtime.randomness import Randomness, new_seed
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.verdict import RunResult


class PolicyRun:
    """A policy that may be run; until then nothing is changed. Its guardrails are the stricter of both."""

    def __init__(self, policy: Policy, session: HandSession, *, name: str, seed: int | str | None = None) -> None:
        """`name` is what the policy is called, `seed` one that somebody wants; else the policy's, or a new one."""
        wanted = policy.config.seed if seed is None else seed
        self.seed = str(new_seed() if wanted is None else wanted)
        self._policy = policy
        self._name = name
        self._session = session
        self._id = uuid.uuid4().hex[:12]

    async def plan(self) -> Plan:
        """What its first round would do, as the cluster is.

        Raises:
            ClusterError: the API server did not answer.
        """
        return await make_plan(self._policy, self._context(EventStream(self._session.context.clock)), name=self._name)

    @property
    def is_endless(self) -> bool:
        """Whether it goes on until somebody stops it."""
        strategy = self._policy.config.run_strategy
        return strategy.runs is None and strategy.duration is None

    async def carry_out(self, listeners: Sequence[Listener], interrupts: Interrupts) -> RunResult:
        """Run it, clean-up included; `interrupts` or a cancellation stop it, and a second one hurries its clean-up.

        The session watches for halts, tells them, and has this run end with it.

        Raises:
            StateError: it can't be written down that it begins.
            asyncio.CancelledError: it was cancelled; it has been cleaned up after, and its listeners know its verdict.
        """
        events = EventStream(self._session.context.clock)
        for listener in listeners:
            events.subscribe(listener)
        interrupts.announce = lambda reason, hurry: events.publish(StopRequested(reason=reason, hurry=hurry))
        try:
            with self._session.halting_too(interrupts.halt):
                await self._begin()
                context = self._context(events)
                context.emit(self._started())
                run = asyncio.create_task(self._run(context, interrupts), name=self._name)
                return await _to_its_end(run, interrupts)
        finally:
            await events.close()

    async def _run(self, context: Context, interrupts: Interrupts) -> RunResult:
        async with self._session.watched_over(context.journal):
            result = await run_policy(self._policy, context, interrupts)
        self._session.add_failures(result.undo_failures)
        return result

    async def _begin(self) -> None:
        journal = self._session.context.journal
        session = next(each.entry for each in await journal.journal.runs() if each.entry.id == journal.run_id)
        await journal.journal.begin(replace(session, id=self._id, policy=self._name, seed=self.seed))

    def _context(self, events: EventStream) -> Context:
        own = self._session.context
        limits = merge_guardrails(self._policy.config.guardrails, own.settings.guardrails)
        return replace(
            own,
            run_id=self._id,
            journal=RunJournal(own.journal.journal, self._id),
            events=events,
            randomness=Randomness(self.seed),
            settings=replace(own.settings, guardrails=limits),
            scope=ScenarioScope(),
            where=Where(),
        )

    def _started(self) -> RunStarted:
        strategy = self._policy.config.run_strategy
        return RunStarted(
            run_id=self._id,
            policy=self._name,
            seed=self.seed,
            server=self._session.context.cluster.server,
            rounds=strategy.runs,
            duration=strategy.duration or "",
        )


async def _to_its_end(run: asyncio.Task[RunResult], interrupts: Interrupts) -> RunResult:
    """The result; cancellation is passed on as a request to stop, and raised when the clean-up is done."""
    cancelled: asyncio.CancelledError | None = None
    while not run.done():
        try:
            await asyncio.wait({run})
        except asyncio.CancelledError as error:
            cancelled = error
            interrupts.request("SIGINT")
    if cancelled is not None:
        raise cancelled
    return run.result()
