"""`kill`: end pods by their number in the last list, or by name."""

import click

from seatrial.shell.acting import act
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  kill 1
  kill web-7d4b9 --force
"""


@click.command("kill", epilog=_EPILOG)
@click.argument("targets", metavar="NUMBER|NAME...", nargs=-1)
@click.option("--force", "-f", is_flag=True, help="At once, without the pod's grace period.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def kill(shell: Shell, targets: tuple[str, ...], force: bool, yes: bool) -> int:
    """Kill pods through the API server. Without a pod it kills nothing."""
    from seatrial.by_hand.orders import Order

    if not targets:
        raise click.UsageError("which pod? its number in the last list, or its name")
    pods = [shell.numbered_pods[int(each) - 1] if each.isdigit() else (shell.namespace, each) for each in targets]
    matches = [{"field": {"namespace": ns, "selector": f"metadata.name={name}"}} for ns, name in pods]
    step = {"podAction": {"matches": matches, "actions": [{"kill": {"force": force}}]}}
    title = f"kill {', '.join('/'.join(each) for each in pods)}{' at once' if force else ''}"
    return await act(Order(title=title, step=step), shell, yes=yes)
