"""A policy that takes another's place while a run lasts: who is told, and what the run goes on with."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from seatrial.engine.policy_file import ChangedPolicy
from seatrial.policy.secrets import redacted
from seatrial.runtime.context import Context
from seatrial.runtime.events import PolicyReloaded
from seatrial.runtime.guardrails import Guardrails, merge_guardrails
from seatrial.slo.digest import digest_of

if TYPE_CHECKING:
    from seatrial.policy.notifications import Notification

Notify = Callable[[Sequence["Notification"]], Awaitable[None]]
"""Tells these from here on, and nobody else."""


async def adopted(found: ChangedPolicy, context: Context, *, guardrails: Guardrails, notify: Notify) -> Context:
    """The context that goes with another policy.

    Args:
        found: the policy, and how it differs.
        context: that of the run so far.
        guardrails: those of the command line, which no policy loosens.
        notify: lets others be told what happens.

    Raises:
        SeatrialError: the policy can't hold: what it needs to tell others is missing.
    """
    if found.policy.config.notify != found.before.config.notify:
        await notify(found.policy.config.notify)
    context.emit(
        PolicyReloaded(
            policy=str(found.path),
            changes=found.changes,
            policy_text=redacted(found.text),
            digests={each.name: digest_of(each) for each in found.policy.scenarios},
        )
    )
    limits = merge_guardrails(found.policy.config.guardrails, guardrails)
    return replace(context, settings=replace(context.settings, guardrails=limits))
