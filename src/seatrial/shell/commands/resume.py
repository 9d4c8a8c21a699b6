"""`resume`: lift a halt."""

import click

from seatrial.shell.acting import agreed
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  resume
"""


@click.command("resume", epilog=_EPILOG)
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def resume(shell: Shell, yes: bool) -> int:
    """Lift the halt of the cluster, whoever set it: experiments may run again; those that ended don't begin anew."""
    from seatrial.by_hand.halts import until_seen
    from seatrial.engine.halt_mark import lift_mark, read_mark

    cluster, namespace = shell.session.context.cluster, shell.settings.halt_namespace
    found = await read_mark(cluster, namespace=namespace)
    if found is None:
        shell.output.line("experiments are not halted", "dim")
        return 0
    shell.output.line(f"experiments are {found}")
    if not await agreed("let them run again", shell, yes=yes):
        return 3
    await lift_mark(cluster, namespace=namespace)
    await until_seen(shell.session.context, halted=False)
    shell.output.line("experiments may run again")
    return 0
