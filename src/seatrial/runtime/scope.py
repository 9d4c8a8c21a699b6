"""What lives as long as a scenario: observers, and measurements its verdict waits for.

An observer watches from before the first step to after the last. A step may also promise a measurement that takes
longer than the step itself (the recovery of a killed pod): the scenario waits for those, bounded, before its verdict.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Hashable
from typing import Any

import msgspec

from seatrial.errors import SeatrialError
from seatrial.runtime.sightings import Sightings
from seatrial.runtime.verdict import Outcome, combine, not_carried_out

_log = logging.getLogger(__name__)
_FIRST_LOOK_SECONDS = 10.0


class Observation(msgspec.Struct, frozen=True):
    """How an observer and its scenario keep step.

    The observer sets `begun` when it has had its first look: only then does the first step run. The scenario sets
    `ending` when all is done: the observer then takes a last look and returns.
    """

    begun: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    ending: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    async def follow(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Begin at once, and do endless work until the scenario ends; what the work raises is raised here."""
        self.begun.set()
        following = asyncio.create_task(work, name=name)
        ending = asyncio.create_task(self.ending.wait())
        try:
            await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
        finally:
            ending.cancel()
            following.cancel()
            await asyncio.gather(following, ending, return_exceptions=True)


class _Promise(msgspec.Struct, frozen=True):
    task: asyncio.Task[Outcome]
    give_up: Callable[[], Outcome]


class _Change(msgspec.Struct, frozen=True):
    where: Hashable
    at: float
    is_exact: bool


class ScenarioScope:
    """Owns every task a scenario leaves running; none outlives `close`.

    `done` has what was done before it and stands, where there is something before it.
    """

    def __init__(self, *, done: Collection[str] = ()) -> None:
        self.undos: set[int] = set()
        """The ids, in the journal, of the undos that were written in it."""
        self._observers: dict[asyncio.Task[Outcome], Observation] = {}
        self._promises: list[_Promise] = []
        self._withdrawn: list[asyncio.Task[Outcome]] = []
        self.sightings = Sightings()
        """What its parts let each other know."""
        self.early: dict[int, Any] = {}
        """What was begun before the first step for one that comes later, by the identity of that step's model."""
        self.shared: dict[type, Any] = {}
        """What several steps work on together, one of each type."""
        self._change: _Change | None = None
        self._done_before = frozenset(done)
        self._done: set[str] = set()
        self._done_no_more: set[str] = set()

    def changes(self, where: Hashable, *, at: float, is_exact: bool) -> None:
        """Remember when a change is made: `where` tells the changes of one action from those of the next.

        Of several requests of one action the first counts. One that is exact stands for what was only near it.
        """
        last = self._change
        if last is not None and last.where == where:
            if last.is_exact and not is_exact:
                return
            at = min(at, last.at) if last.is_exact is is_exact else at
        self._change = _Change(where, at, is_exact)

    @property
    def last_change(self) -> float | None:
        """When the last change was made, on the loop's clock: the moment before its first request; None without one."""
        return self._change.at if self._change else None

    def did(self, what: str, *, instead_of: str = "") -> None:
        """Remember what was done here: a step that is tried again and finds it so is to count it as done.

        `instead_of` is the opposite, which holds no more.
        """
        self._done.discard(instead_of)
        self._done_no_more.add(instead_of)
        self._done.add(what)
        self._done_no_more.discard(what)

    def has_done(self, what: str) -> bool:
        """Whether that was done in this scenario, and not taken back since by it."""
        return what in self.all_done(self._done_before)

    def all_done(self, before: Collection[str]) -> frozenset[str]:
        """What was done, where that was done before this scenario."""
        return (frozenset(before) - self._done_no_more) | self._done

    def observe(self, watch: Callable[[Observation], Coroutine[Any, Any, Outcome]], *, name: str) -> None:
        """Start an observer; its outcome is part of the verdict."""
        observation = Observation()
        self._observers[asyncio.create_task(watch(observation), name=name)] = observation

    def promise(self, work: Coroutine[Any, Any, Outcome], *, name: str, give_up: Callable[[], Outcome]) -> None:
        """Start a measurement that the verdict waits for; `give_up` is called when the time is over."""
        self._promises.append(_Promise(asyncio.create_task(work, name=name), give_up))

    def withdraw(self, name: str) -> bool:
        """Stop waiting for the measurements of that name, which can't come any more; tells whether there were any."""
        stale = [each for each in self._promises if each.task.get_name() == name and not each.task.done()]
        for promise in stale:
            promise.task.cancel()
            self._promises.remove(promise)
            self._withdrawn.append(promise.task)
        return bool(stale)

    async def first_look(self) -> Outcome:
        """Wait until every observer has had its first look; tells why one had none."""
        for task, observation in self._observers.items():
            begun = asyncio.create_task(observation.begun.wait())
            try:
                await asyncio.wait({task, begun}, timeout=_FIRST_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                begun.cancel()
            if observation.begun.is_set():
                continue
            outcome = await _outcome_of(task) if task.done() else combine(())
            reason = "; ".join(outcome.reasons) or f"no first look within {_FIRST_LOOK_SECONDS:g} s"
            return not_carried_out(f"{task.get_name()}: {reason}")
        return combine(())

    async def settle(self, *, timeout_seconds: float) -> Outcome:
        """Wait for what was promised, at most that long, and tell what it came to."""
        tasks = {promise.task for promise in self._promises}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_seconds)
        outcomes = []
        for promise in self._promises:
            if promise.task.done():
                outcomes.append(await _outcome_of(promise.task))
            else:
                outcomes.append(promise.give_up())
        return combine(outcomes)

    async def last_look(self) -> Outcome:
        """Let the observers take their last look, and tell what they saw."""
        for observation in self._observers.values():
            observation.ending.set()
        return combine([await _outcome_of(task) for task in self._observers])

    async def close(self) -> None:
        """End every task of the scenario and wait until it has ended."""
        tasks = [*self._observers, *self._withdrawn, *(promise.task for promise in self._promises)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._observers.clear()
        self._promises.clear()
        self._withdrawn.clear()


async def _outcome_of(task: asyncio.Task[Outcome]) -> Outcome:
    try:
        return await task
    except SeatrialError as error:
        return not_carried_out(error.in_full)
    except Exception as error:  # noqa: BLE001 -- an observer is anybody's code; clean-up must go on
        _log.exception("%s broke", task.get_name())
        return not_carried_out(f"{task.get_name()} broke: {type(error).__name__}: {error}")
