"""What the registry of actions holds: a key of the policy language, its model, and what carries it out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from seatrial.kube.objects import Pod
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import Outcome
from seatrial.targets.permissions import Permission


async def _nothing_more(_spec: Any, _targets: Any, _context: Context) -> ActionPlan:
    return ActionPlan()


async def _nothing_unmet(_spec: Any, _context: Context) -> tuple[str, ...]:
    return ()


class ActionType(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of action, such as `kill`: the object that an entry point of `seatrial.pod_actions` names.

    `run(spec, targets, context)` carries it out; the step has looked at the guardrails for its victims before that.

    `accepts_empty` tells whether it means something for an empty set; where it doesn't, the step skips it and says so.
    `victims(spec, targets, context)` tells which targets it would disrupt. `reads_status` False promises that it needs
    no more of its targets than their metadata, which is all they have then. `honours_budgets` tells that what it does
    asks PodDisruptionBudgets by itself. `permissions` are those it needs in the namespaces of its targets, and
    `plan(spec, targets, context)` what else a plan has to say, changing nothing. `unmet_needs(spec, context)` tells
    what it can't do without and isn't there, before the scenario begins.
    """

    key: str
    model: type[Model]
    run: Callable[[Any, Any, Context], Awaitable[Outcome]]
    accepts_empty: bool = False
    victims: Callable[[Any, Any, Context], Sequence[Pod]] = lambda _spec, _targets, _context: ()
    reads_status: bool = True
    honours_budgets: bool = False
    permissions: Sequence[Permission] = ()
    plan: Callable[[Any, Any, Context], Awaitable[ActionPlan]] = _nothing_more
    unmet_needs: Callable[[Any, Context], Awaitable[tuple[str, ...]]] = _nothing_unmet
