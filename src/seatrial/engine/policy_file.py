"""The file of a policy, looked at before each round, so that a run for ever can be told something else.

What counts is what stands in the file, not when it was written: editors, `kubectl apply` on a mounted ConfigMap (which
swaps a link) and `cp` all do it differently. A change that can't be used is said once, with all its problems, and the
last good policy holds, also while the file is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seatrial.errors import ConfigurationError, PolicyError, SeatrialError
from seatrial.policy.load import load_policy, read_policy
from seatrial.policy.models import Policy
from seatrial.policy.problems import InvalidPolicy, render_problem
from seatrial.policy.wording import printable
from seatrial.runtime.clock import Clock
from seatrial.runtime.context import Context
from seatrial.runtime.events import PolicyRejected
from seatrial.steps.registry import policy_model

if TYPE_CHECKING:
    from seatrial.engine.timetable import Timetable

_SETTLING_SECONDS = 0.2
_MOST_LOOKS = 25


class ChangedPolicy(NamedTuple):
    """A policy that takes the place of the one `before`; `changes` tells in words how it differs."""

    policy: Policy
    before: Policy
    path: Path
    text: str
    changes: tuple[str, ...]


Adopt = Callable[[ChangedPolicy, Context], Awaitable[Context]]
"""Tells whom it concerns that another policy holds, and gives the context that goes with it.

Raises:
    SeatrialError: this one can't hold.
"""


class PolicyFile:
    """A policy's file, and what it said when it was last used.

    Args:
        path: where it is.
        content: what stood in it when the run was put together.
        adopt: is handed each change that can be used.
    """

    def __init__(self, path: Path, content: bytes, *, adopt: Adopt) -> None:
        self._path = path
        self._used = content
        self._rejected: bytes | None = None
        self._problem = ""
        self._adopt = adopt

    async def look(self, policy: Policy, context: Context) -> tuple[Policy, Context] | None:
        """The policy as it is now, with its context; None where the one in use is to be kept."""
        try:
            content = await self._content(context.clock)
            if content == self._rejected or (content == self._used and not self._problem):
                return None
            self._rejected = content
            changed = policy if content == self._used else self._policy_in(content, instead_of=policy)
            context = await self._adopt(self._change(policy, changed, content, context), context)
        except SeatrialError as error:
            problems = _problems(error)
            if self._problem != (told := "\n".join(problems)):
                context.emit(PolicyRejected(policy=str(self._path), problems=problems))
            self._problem = told
            return None
        self._used, self._rejected, self._problem = content, None, ""
        return changed, context

    def _change(self, before: Policy, after: Policy, content: bytes, context: Context) -> ChangedPolicy:
        changes: tuple[str, ...] = ("nothing: what could not be used was taken back",)
        if after is not before:
            from seatrial.engine.policy_changes import changes_between  # noqa: PLC0415 -- few files are edited meanwhile

            seed = str(context.randomness.seed)
            changes = changes_between(before, after, seed=seed) or ("nothing that it does",)
        return ChangedPolicy(after, before, self._path, content.decode(errors="replace"), changes)

    def _policy_in(self, content: bytes, *, instead_of: Policy) -> Policy:
        """The policy that a run may go on with.

        Raises:
            SeatrialError: there is none.
        """
        changed = load_policy(content, model=policy_model(), name=str(self._path))
        before, after = instead_of.config.run_strategy, changed.config.run_strategy
        if "failures" in {before.strategy, after.strategy} and before != after:
            raise PolicyError(
                "config.runStrategy: can't change from or to the strategy 'failures', nor within it, while a run lasts",
                hint="begin another run",
            )
        timetable_of(changed, directory=self._path.parent)
        return changed

    async def _content(self, clock: Clock) -> bytes:
        """What stands in the file, once it stands still: one that is being written may be valid at any moment.

        Raises:
            ConfigurationError: it can't be read.
        """
        content = await asyncio.to_thread(read_policy, self._path)
        if content in (self._used, self._rejected):
            return content
        for _ in range(_MOST_LOOKS):
            await clock.sleep(_SETTLING_SECONDS)
            before, content = content, await asyncio.to_thread(read_policy, self._path)
            if content == before:
                break
        return content


def timetable_of(policy: Policy, *, directory: Path) -> "Timetable | None":
    """The timetable of a policy, if it has a schedule, with its holidays read.

    Raises:
        ConfigurationError: they can't be.
    """
    if policy.config.schedule is None:
        return None
    from seatrial.engine.timetable import Timetable  # noqa: PLC0415 -- few policies have a schedule

    timetable = Timetable(policy.config.schedule, directory=directory)
    timetable.read()
    return timetable


def _problems(error: SeatrialError) -> tuple[str, ...]:
    if isinstance(error, InvalidPolicy):
        return tuple(render_problem(each, name=printable(error.name), lines=()) for each in error.problems)
    return (error.message if isinstance(error, ConfigurationError) else error.in_full,)
