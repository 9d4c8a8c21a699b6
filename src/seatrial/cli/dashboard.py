"""`seatrial dashboard`: a cluster on one screen, and keys to break it and to mend it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from seatrial.cli.hand_options import HandChoice, hand_options
from seatrial.cli.option_group import SectionedCommand
from seatrial.errors import UsageError

if TYPE_CHECKING:
    from seatrial.by_hand.session import HandSession
    from seatrial.dashboard.terminal import Account

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
@hand_options
def dashboard(
    namespace: str,
    hand: HandChoice,
) -> None:
    """See a cluster on one screen, nodes by zone with their pods, and break it and mend it by single keys."""
    import asyncio
    import os
    import sys
    from importlib.util import find_spec

    if find_spec("textual") is None:
        raise UsageError("the dashboard needs the extra 'tui'", hint="install it: pip install 'seatrial[tui]'")
    if not all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("the dashboard needs a terminal", hint="in a script: seatrial interactive -c COMMANDS")
    if os.environ.get("TERM") == "dumb":
        raise UsageError(
            "this terminal (TERM=dumb) draws no screens", hint="line by line: seatrial interactive --plain"
        )

    from seatrial.cli.hand_session import hand_session, session_options
    from seatrial.dashboard.app import DashboardSettings
    from seatrial.dashboard.terminal import run_dashboard
    from seatrial.engine.interrupts import Interrupts

    options = session_options(hand)
    interrupts = Interrupts()

    @asynccontextmanager
    async def opening(account: "Account") -> "AsyncIterator[HandSession]":
        async with hand_session(options, [account], interrupts, keeps=lambda: account.keeps) as session:
            yield session

    settings = DashboardSettings(
        namespace=namespace, production_pattern=hand.production_pattern, halt_namespace=hand.run.halt_namespace
    )
    asyncio.run(run_dashboard(opening, settings, interrupts=interrupts))
