"""How patiently a driver waits for its cloud: what is asked again, how often, and for how long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from seatrial.errors import MachineError
from seatrial.kube.retry import Backoff

T = TypeVar("T")

_FEW = 3


class Passing(Exception):  # noqa: N818 -- a fact, which `Pace.ask` lives with
    """A try failed in a way that may pass: another does no harm.

    Args:
        error: what to say if nothing better comes.
        not_before_seconds: when the cloud wants to be asked again.
        few_tries: nothing has ever answered there, so that it is soon given up.
    """

    def __init__(self, error: MachineError, *, not_before_seconds: float = 0.0, few_tries: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.not_before_seconds = not_before_seconds
        self.few_tries = few_tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Delays that grow from `first_seconds` to `most_seconds`.

    One question, repetitions included, may take `answer_seconds`, one change `deadline_seconds`: a machine of iron may
    take minutes to boot. That lies within the deadline of the undo which starts machines, so that what is told at last
    is the cloud's state.
    """

    first_seconds: float = 1.0
    most_seconds: float = 10.0
    answer_seconds: float = 60.0
    deadline_seconds: float = 540.0

    def backoff(self) -> Backoff:
        """Delays between tries, begun anew."""
        return Backoff(first_seconds=self.first_seconds, most_seconds=self.most_seconds)

    async def ask(self, send: Callable[[], Awaitable[T]], *, whom: str, seconds: float | None = None) -> T:
        """The answer to a question, which is sent again, later and later, while it raises `Passing`.

        Args:
            send: one try.
            whom: who is asked.
            seconds: how long all tries may take, where that isn't `answer_seconds`.

        Raises:
            MachineError: it was refused for good, or not answered in time.
        """
        seconds = self.answer_seconds if seconds is None else seconds
        backoff = self.backoff()
        last: MachineError | None = None
        try:
            async with asyncio.timeout(seconds) as timer:
                while True:
                    try:
                        return await send()
                    except Passing as passing:
                        last = passing.error
                        delay = backoff.next_delay(at_least=passing.not_before_seconds)
                        if passing.few_tries and backoff.failures >= _FEW:
                            raise last from passing
                    if asyncio.get_running_loop().time() + delay > (timer.when() or 0.0):
                        break  # sleeping until the deadline would change nothing
                    await asyncio.sleep(delay)
        except TimeoutError:
            if not timer.expired():
                raise
        raise _no_answer(whom, seconds, last) from last

    async def until(self, look: Callable[[], Awaitable[T]], reached: Callable[[T], bool]) -> T:
        """Look until what is seen is what was waited for."""
        backoff = self.backoff()
        while not reached(seen := await look()):  # noqa: ASYNC110 -- a cloud has to be asked
            await asyncio.sleep(backoff.next_delay(at_least=self.first_seconds))
        return seen

    async def within_deadline(self, change: Awaitable[T], *, what: str, seen: Callable[[], str]) -> T:
        """The outcome of a change.

        Args:
            change: what to wait for.
            what: what it does, such as `stopping machine a`.
            seen: the state that the machine was in when it was last seen, empty where it never was.

        Raises:
            MachineError: the deadline passed.
        """
        try:
            async with asyncio.timeout(self.deadline_seconds) as timer:
                return await change
        except TimeoutError as error:
            if not timer.expired():
                raise
            state = seen()
            raise MachineError(
                f"{what} took longer than {self.deadline_seconds:g} s{f': it was last seen {state}' if state else ''}",
                hint="look at it in the cloud's console: it may yet come",
            ) from error


def _no_answer(whom: str, seconds: float, last: MachineError | None) -> MachineError:
    if last is None:
        return MachineError(f"{whom} did not answer within {seconds:g} s", hint="try again when it is less busy")
    return MachineError(
        f"{whom} did not answer within {seconds:g} s (last: {last.message})",
        hint=last.hint or "it is slow or throttles: try again later",
    )
