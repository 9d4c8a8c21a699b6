"""`kubectl`, `etcdctl`, `docker`, `crictl`: programs that machines have, run there with the words that are given."""

import shlex

import click

from seatrial.shell.commands.exec import AS_ROOT, OPTIONS_FIRST, run_on_machines
from seatrial.shell.node_arguments import SUBSET_HELP, yes_option
from seatrial.shell.shell import Shell
from seatrial.shell.values import NODES


def _program(name: str, *, as_root: bool, examples: str) -> click.Command:
    """The command that runs a program of that name; every word reaches it as it was given."""
    root = " as root" if as_root else ""

    @click.command(
        name,
        epilog=f"{SUBSET_HELP}\n\b\nExamples:\n{examples}",
        context_settings=OPTIONS_FIRST,
        help=(
            f"Run {name} on machines{root}, with the words that follow SUBSET as they are.\n\n"
            "The exit code is 1 where it failed on any of them, as where it is not installed."
        ),
    )
    @yes_option
    @click.argument("subset", metavar="SUBSET", type=NODES)
    @click.argument("words", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
    @click.pass_obj
    async def run(shell: Shell, subset: str, words: tuple[str, ...], yes: bool) -> int:
        line = shlex.join([name, *words])
        return await run_on_machines(subset, f"{AS_ROOT} {line}" if as_root else line, shell, shown=line, yes=yes)

    return run


kubectl = _program("kubectl", as_root=False, examples="  kubectl control-plane get --raw /readyz?verbose\n")
etcdctl = _program("etcdctl", as_root=False, examples="  etcdctl control-plane endpoint health\n")
docker = _program("docker", as_root=True, examples="  docker node2 ps --filter name=kubelet\n")
crictl = _program("crictl", as_root=True, examples="  crictl west-1 pods --state ready\n")
