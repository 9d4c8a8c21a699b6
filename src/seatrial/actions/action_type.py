"""What the registry of actions holds: a key of the policy language, its model, and what carries it out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.kube.objects import Pod
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import Outcome


@dataclass(frozen=True, kw_only=True)
class ActionType:
    """One kind of action, such as `kill`: the object that an entry point of `seatrial.pod_actions` names.

    `run(spec, targets, context)` carries it out. `accepts_empty` tells whether it means something for an empty set;
    where it doesn't, the step skips it and says so. `victims(spec, targets, context)` tells, for a plan, which targets
    it would disrupt.
    """

    key: str
    model: type[Model]
    run: Callable[[Any, Any, Context], Awaitable[Outcome]]
    accepts_empty: bool = False
    victims: Callable[[Any, Any, Context], Sequence[Pod]] = lambda _spec, _targets, _context: ()
