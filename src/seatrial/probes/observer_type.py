"""What the registry of observers holds: a key of the policy language, its model, and what carries it out."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import Outcome


def _nothing_more(_spec: Any) -> str:
    return ""


class ObserverType(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of observer, such as `goldpinger`: the object that an entry point of `seatrial.observers` names.

    `run(spec, context, observation)` watches until `observation.ending` is set and then tells what it saw.
    `summary(spec)` says in a few words what it looks at, for plans.
    """

    key: str
    model: type[Model]
    run: Callable[[Any, Context, Observation], Coroutine[Any, Any, Outcome]]
    summary: Callable[[Any], str] = _nothing_more
