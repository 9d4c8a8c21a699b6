"""`wait`: until what was done has been seen through, or for some seconds."""

import asyncio

import click

from seatrial.shell.acting import act, told
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  # until the pods that were killed are replaced, or that took too long
  wait
  # a step of what 'record' writes, too
  wait 30
"""


@click.command("wait", epilog=_EPILOG)
@click.argument("seconds", type=click.FloatRange(min=0), required=False)
@click.pass_obj
async def wait(shell: Shell, seconds: float | None) -> int:
    """Wait until everything that was done has been seen through, such as the recovery of a killed pod; or some SECONDS.

    Recovery is waited for as long as --recovery-timeout says. Ctrl-C ends the waiting, and nothing else.
    """
    if seconds is not None:
        return await _for(seconds, shell)
    deeds = [deed for deed in shell.session.deeds if deed.settling is not None and not deed.settling.done()]
    if not deeds:
        shell.output.line("there is nothing to wait for", "dim")
        return 0
    outcomes = await asyncio.gather(*(deed.settled() for deed in deeds))
    await shell.caught_up()
    return max(told(outcome, shell) for outcome in outcomes)


async def _for(seconds: float, shell: Shell) -> int:
    from seatrial.by_hand.orders import Order

    return await act(
        Order(title=f"wait for {seconds:g} s", step={"wait": {"seconds": seconds}}, is_destructive=False), shell
    )
