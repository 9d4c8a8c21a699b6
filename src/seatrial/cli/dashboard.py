"""`seatrial dashboard`: a cluster on one screen, and keys to break it and to mend it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.option_group import SectionedCommand
from seatrial.cli.options import FILE, RunChoice, cluster_options, guardrail_options, run_options
from seatrial.errors import UsageError

if TYPE_CHECKING:
    from seatrial.by_hand.session import HandSession
    from seatrial.dashboard.terminal import Account
    from seatrial.runtime.guardrails import Guardrails

_EPILOG = """\b
Arrows choose a node or a pod, ? lists the other keys. What is done is taken
back when the dashboard ends, unless you say 'keep' then.

\b
Exit codes:
  0 left   2 wrong usage   3 the cluster can't be reached
  4 clean-up incomplete    130 ended by a signal, after clean-up

\b
Examples:
  # nothing at hand: a cluster that comes with the tool, and something on it
  seatrial dashboard --sandbox --load examples/manifests/goldpinger.yml
  seatrial dashboard --context staging --namespace shop --max-pods 2
"""


@click.command(cls=SectionedCommand, epilog=_EPILOG)
@click.option("--namespace", "-n", metavar="NAME", default="", help="Show the pods of one namespace; key n changes it.")
@click.option(
    "--production-pattern", metavar="GLOB", default="*prod*", show_default=True,
    help="Clusters that are called like this in the kubeconfig, or whose context or server is, are production: before "
    "something is broken there, the context's name has to be typed in full.",
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
def dashboard(
    namespace: str,
    production_pattern: str,
    kubeconfig: Path | None,
    kube_context: str | None,
    sandbox: bool,
    manifests: tuple[Path, ...],
    load_timeout: float,
    run: RunChoice,
    guardrails: "Guardrails",
    machines: MachineChoice,
) -> None:
    """See a cluster on one screen, nodes by zone with their pods, and break it and mend it by single keys."""
    import asyncio
    import os
    import sys
    from importlib.util import find_spec

    if find_spec("textual") is None:
        raise UsageError("the dashboard needs the extra 'tui'", hint="install it: pip install 'seatrial[tui]'")
    if sandbox and (kubeconfig or kube_context):
        raise click.UsageError("--sandbox goes without --kubeconfig and --context", click.get_current_context())
    if not all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("the dashboard needs a terminal", hint="in a script: seatrial interactive -c COMMANDS")
    if os.environ.get("TERM") == "dumb":
        raise UsageError(
            "this terminal (TERM=dumb) draws no screens", hint="line by line: seatrial interactive --plain"
        )

    from seatrial.cli.hand_session import hand_options, hand_session
    from seatrial.dashboard.app import DashboardSettings
    from seatrial.dashboard.terminal import run_dashboard
    from seatrial.engine.interrupts import Interrupts
    from seatrial.kube.errors import Forbidden

    options = hand_options(
        kubeconfig=kubeconfig,
        kube_context=kube_context,
        sandbox=sandbox,
        manifests=manifests,
        load_timeout_seconds=load_timeout,
        run=run,
        guardrails=guardrails,
        machines=machines,
    )
    interrupts = Interrupts()

    @asynccontextmanager
    async def opening(account: "Account") -> "AsyncIterator[HandSession]":
        async with hand_session(options, [account], interrupts, keeps=lambda: account.keeps) as session:
            with suppress(Forbidden):  # who may not ask for its version has reached it
                await session.context.cluster.version()
            yield session

    settings = DashboardSettings(
        namespace=namespace, production_pattern=production_pattern, halt_namespace=run.halt_namespace
    )
    asyncio.run(run_dashboard(opening, settings, interrupts=interrupts))
