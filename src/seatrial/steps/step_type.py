"""What the registry of steps holds: a key of the policy language, its model, and what carries it out."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome


async def _nothing_early(_spec: Any, _context: Context) -> None:
    pass


async def _nothing_unmet(_spec: Any, _context: Context) -> tuple[str, ...]:
    return ()


class StepType(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of step, such as `podAction`: the object that an entry point of `seatrial.steps` names.

    `run(spec, context)` carries it out; `plan(spec, context)` tells what it would do, changing nothing.
    `unmet_needs(spec, context)` tells, one sentence each, what it can't do without and isn't there (a cloud, a way to
    run commands on machines): all steps of a scenario are asked before the first begins, so that nothing is touched.
    `begin_early(spec, context)` begins what has to be there before the first step of the scenario, for one that comes
    later: it may leave observers in the scenario's scope, and changes nothing.
    `changes_nothing` marks a step that only looks: it may run again and again beside other steps, as a sample.
    """

    key: str
    model: type[Model]
    run: Callable[[Any, Context], Awaitable[Outcome]]
    plan: Callable[[Any, Context], Awaitable[StepPlan]]
    changes_nothing: bool = False
    unmet_needs: Callable[[Any, Context], Awaitable[tuple[str, ...]]] = _nothing_unmet
    begin_early: Callable[[Any, Context], Awaitable[None]] = _nothing_early
