"""`seatrial interactive`: look at a cluster and break it by hand; what was done is taken back at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.option_group import SectionedCommand
from seatrial.cli.options import FILE, RunChoice, cluster_options, guardrail_options, run_options

if TYPE_CHECKING:
    from seatrial.runtime.guardrails import Guardrails
    from seatrial.shell.shell import Connection

_EPILOG = """\b
Exit codes:
  0 all that a script asked for was done   1 something failed
  2 wrong usage   3 refused, or inconclusive   4 clean-up incomplete
  130 interrupted, after clean-up

\b
Examples:
  seatrial interactive --sandbox
  seatrial interactive --context staging --namespace shop
  # from a script; the first command that fails ends it
  seatrial interactive -c 'pods default; kill 1 --force --yes'
"""


@click.command(cls=SectionedCommand, epilog=_EPILOG)
@click.option("--command", "-c", "commands", multiple=True, metavar="COMMANDS", help="Carry these out, and leave.")
@click.option("--namespace", "-n", metavar="NAME", default="", help="Where commands look that name no namespace.")
@click.option("--yes", "-y", is_flag=True, help="Answer yes to every question.")
@click.option("--keep", is_flag=True, help="Leave what was done as it is at the end.")
@click.option(
    "--production-pattern", metavar="GLOB", default="*prod*", show_default=True,
    help="Contexts called like this are production: to break something, type the name in full.",
)  # fmt: skip
@cluster_options
@click.option("--sandbox", is_flag=True, help="Start an embedded cluster for this, and take it down afterwards.")
@click.option("--load", "manifests", multiple=True, metavar="FILE", type=FILE, help="Apply these manifests first.")
@click.option(
    "--load-timeout", type=click.FloatRange(min=0), default=120, show_default=True, metavar="SECONDS",
    help="How long to wait until what was loaded is ready.",
)  # fmt: skip
@run_options
@guardrail_options
@machine_options
def interactive(
    commands: tuple[str, ...],
    namespace: str,
    yes: bool,
    keep: bool,
    production_pattern: str,
    kubeconfig: Path | None,
    kube_context: str | None,
    sandbox: bool,
    manifests: tuple[Path, ...],
    load_timeout: float,
    run: RunChoice,
    guardrails: "Guardrails",
    machines: MachineChoice,
) -> int:
    """Look at a cluster and break things by hand. What was done is taken back when the shell ends, however it ends."""
    import asyncio

    from seatrial.shell.loop import run_shell
    from seatrial.shell.output import Output
    from seatrial.shell.script import ScriptFront
    from seatrial.shell.shell import Shell, ShellSettings

    if sandbox and (kubeconfig or kube_context):
        raise click.UsageError("--sandbox goes without --kubeconfig and --context", click.get_current_context())
    output = Output()

    @asynccontextmanager
    async def opening() -> "AsyncIterator[Connection]":
        from seatrial.actions.manifest_text import read_manifests
        from seatrial.by_hand.live.cluster import LiveCluster
        from seatrial.by_hand.orders import NAME
        from seatrial.cli.hand_session import EMPTY_POLICY, hand_session
        from seatrial.cli.session import SessionOptions
        from seatrial.engine.interrupts import Interrupts
        from seatrial.shell.shell import Connection

        options = SessionOptions(
            policy=EMPTY_POLICY,
            policy_name=NAME,
            kubeconfig=kubeconfig,
            kube_context=kube_context,
            sandbox=sandbox,
            manifests=tuple(manifest for file in manifests for manifest in read_manifests(file)),
            load_timeout_seconds=load_timeout,
            seed=run.seed,
            recovery_timeout_seconds=run.recovery_timeout_seconds,
            max_parallel=run.max_parallel,
            state_directory=run.state_directory,
            halt_namespace=run.halt_namespace,
            guardrails=guardrails,
            machines=machines,
        )
        async with hand_session(options, [output], Interrupts(), keeps=lambda: shell.keeps) as session:
            cluster = session.context.cluster
            async with LiveCluster(cluster) as live:
                yield Connection(
                    session=session, live=live, namespace=cluster.default_namespace, context_name=cluster.context_name
                )

    settings = ShellSettings(assume_yes=yes, keep=keep, namespace=namespace, production_pattern=production_pattern)
    shell = Shell(ScriptFront(commands or None), output, settings)
    return asyncio.run(run_shell(shell, opening))
