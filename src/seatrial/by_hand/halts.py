"""What a session by hand sees of a halt."""

from seatrial.engine.halt import HaltWatch
from seatrial.runtime.context import Context
from seatrial.runtime.halt import HaltMark


def halt_seen(context: Context) -> HaltMark | None:
    """The mark as a session's watch saw it last; None where experiments may run, as far as is known."""
    return context.halt.mark if isinstance(context.halt, HaltWatch) else None


async def until_seen(context: Context, *, halted: bool) -> None:
    """Return when the session's watch has seen that a mark was set, or lifted: what is done next asks that watch."""
    if isinstance(context.halt, HaltWatch):
        await context.halt.until_seen(halted=halted)
