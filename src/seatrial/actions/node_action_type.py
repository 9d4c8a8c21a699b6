"""What the registry of node actions holds: a key of the policy language, its model, and what carries it out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from seatrial.kube.objects import Pod
from seatrial.machines.driver import Capability
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import Outcome
from seatrial.targets.guardrails import Reasons
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission


async def _nothing_more(_spec: Any, _targets: Any, _context: Context) -> ActionPlan:
    return ActionPlan()


async def _go(_spec: Any, _targets: Any, _context: Context) -> Reasons:
    return ()


async def _no_pods(_spec: Any, _targets: Any, _context: Context) -> Sequence[Pod]:
    return ()


class NodeActionType(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of action, such as `stop`: the object that an entry point of `seatrial.node_actions` names.

    Each function is called with the spec, the targets and the context. `run` carries the action out; the step has asked
    `guard` for reasons to refuse before that. `victims` are the pods that it would disrupt, `plan` says what else it
    would do, changing nothing. `accepts_empty` tells whether it means something for an empty set.

    `capabilities(spec)` is what the machine driver has to be able to do, `runs_commands` that an executor is needed:
    where these are missing, the step fails before any of its actions. `permissions` are those it needs in the cluster.
    `disrupts` tells whether its targets count as hit for `maxNodes`, `takes_machines` whether it can be done to
    machines that no node runs on.
    """

    key: str
    model: type[Model]
    run: Callable[[Any, tuple[NodeTarget, ...], Context], Awaitable[Outcome]]
    guard: Callable[[Any, tuple[NodeTarget, ...], Context], Awaitable[Reasons]] = _go
    victims: Callable[[Any, tuple[NodeTarget, ...], Context], Awaitable[Sequence[Pod]]] = _no_pods
    plan: Callable[[Any, tuple[NodeTarget, ...], Context], Awaitable[ActionPlan]] = _nothing_more
    accepts_empty: bool = False
    capabilities: Callable[[Any], Sequence[Capability]] = lambda _spec: ()
    runs_commands: bool = False
    disrupts: bool = False
    takes_machines: bool = False
    permissions: Sequence[Permission] = ()
