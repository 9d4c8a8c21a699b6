"""`halt`: stop every experiment on the cluster at once, this session's too."""

import click

from seatrial.shell.acting import agreed
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  halt
  halt incident 4711: checkout is down
"""


@click.command("halt", epilog=_EPILOG)
@click.argument("reason", nargs=-1)
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def halt(shell: Shell, reason: tuple[str, ...], yes: bool) -> int:
    """Halt every experiment on the cluster, whoever runs it: each ends and cleans up, and none begins until 'resume'.

    What was done in this session is taken back as well. REASON is for those whose experiments end.
    """
    from seatrial.by_hand.halts import until_seen
    from seatrial.engine.halt_mark import own_mark, set_mark

    # To stop things must not be made hard: production's name isn't asked for.
    if not await agreed("halt every experiment on this cluster", shell, yes=yes, is_destructive=False):
        return 3
    wanted = own_mark(" ".join(reason))
    namespace = shell.settings.halt_namespace
    found = await set_mark(shell.session.context.cluster, wanted, namespace=namespace)
    await until_seen(shell.session.context, halted=True)
    await shell.session.undo_all()  # as the session does that sees a halt; here it is waited for
    await shell.caught_up()
    if found == wanted:
        shell.output.line("halted: running experiments end and clean up, none begins until 'resume'")
    else:
        shell.output.line(f"was {found}; that mark stays")
    return 4 if shell.session.undo_failures else 0
