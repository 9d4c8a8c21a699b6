"""What the registry of steps holds: a key of the policy language, its model, and what carries it out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome


@dataclass(frozen=True, kw_only=True)
class StepType:
    """One kind of step, such as `podAction`: the object that an entry point of `seatrial.steps` names.

    `run(spec, context)` carries it out; `plan(spec, context)` tells what it would do, changing nothing.
    """

    key: str
    model: type[Model]
    run: Callable[[Any, Context], Awaitable[Outcome]]
    plan: Callable[[Any, Context], Awaitable[StepPlan]]
