"""Muting Alertmanagers: a silence over all alerts, ended at clean-up, and by itself when its time is over.

A silence has its id from Alertmanager, and so the journal can't hold it before there is one. It holds a name instead
that no other silence has: the undo looks for what that name created.
"""

import secrets
import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from seatrial.actions.alerts.alertmanager import Address, Alertmanager
from seatrial.errors import AlertmanagerError
from seatrial.runtime.context import Context
from seatrial.runtime.events import AlertsMuted, FaultProven, ProofMissing
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

_SKEW = timedelta(minutes=10)


async def mute(address: Address, context: Context, *, duration_seconds: float, ended: bool) -> None:
    """Silence all alerts of an Alertmanager; `ended` has clean-up end the silence.

    Raises:
        AlertmanagerError: it refused, or did not answer.
        StateError: the journal could not be written; nothing was changed.
    """
    await context.halt.check()
    creator = f"seatrial {context.run_id} {secrets.token_hex(4)}"
    if ended:
        await context.write_undo(end_of(address, creator))
    now = context.clock.now()
    async with Alertmanager(address) as alertmanager:
        # Alertmanager moves a start in the past to its own time: so the silence begins at once where its clock is
        # behind ours.
        identifier = await alertmanager.silence_all(
            created_by=creator,
            comment=f"chaos experiment: {context.where.scenario or 'Seatrial'}",
            starts_at=now - _SKEW,
            ends_at=now + timedelta(seconds=duration_seconds),
        )
        context.emit(AlertsMuted(alertmanager=address.shown, silence=identifier, seconds=duration_seconds))
        silence = await alertmanager.silence(identifier)
    if silence.state == "active":
        context.emit(FaultProven(subject=address.shown, proof=f"its silence {identifier} is active"))
    else:
        reason = f"its silence {identifier} is {silence.state}: compare its clock with this machine's"
        context.emit(ProofMissing(subject=address.shown, reason=reason))


def end_of(address: Address, creator: str) -> Undo:
    """The undo of a silence: it ends what goes by this creator's name."""
    base = f"--alertmanager.url={address.shown.removesuffix('/').removesuffix('/api/v2')}"
    query = shlex.join(["amtool", base, "silence", "query", "--quiet", f"--created-by={creator}"])
    return Undo(
        kind=END_SILENCE.kind,
        args={**address.as_json(), "createdBy": creator},
        description=f"end the silence of {address.shown}",
        manual=f"{shlex.join(['amtool', base, 'silence', 'expire'])} $({query})",
    )


async def _end(args: Mapping[str, Any], world: World) -> str:  # noqa: ARG001 -- every undo gets it
    creator = args["createdBy"]
    async with Alertmanager(Address.from_json(args)) as alertmanager:
        for silence in await alertmanager.silences(created_by=creator):
            await alertmanager.expire(silence.id)
        if left := await alertmanager.silences(created_by=creator):
            raise AlertmanagerError(f"{alertmanager.address.shown} still has the silence {left[0].id}")
    return ""


END_SILENCE = UndoKind(kind="endSilence", run=_end)
