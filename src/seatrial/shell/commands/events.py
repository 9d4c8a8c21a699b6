"""`events`: what the components of the cluster tell about its objects."""

import json
from collections.abc import Iterable, Sequence

import click

from seatrial.shell.following import for_option, going_on, ready_in, watched, watching
from seatrial.shell.look import all_option, list_options
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE

_EPILOG = """\b
Examples:
  events
  events shop --warnings
  events --all --sort -times
  events shop -f

\b
Keys of each row with -o json:
  type, reason, object, message, times, component, first, last,
  lastSeconds
"""


@click.command("events", epilog=_EPILOG)
@click.argument("namespace", required=False, type=NAMESPACE)
@click.option("--warnings", "-w", is_flag=True, help="Warnings only.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is told from here on, until Ctrl-C.")
@for_option
@all_option
@list_options
@click.pass_obj
async def events(
    shell: Shell,
    namespace: str | None,
    warnings: bool,
    follow: bool,
    seconds: float | None,
    everywhere: bool,
    sort: str | None,
    output: str,
) -> None:
    """List the Events of a namespace, newest last. Those about nodes are in the namespace 'default'.

    What was told again and again is one line, counted. Kubernetes keeps Events for an hour, unless it is set up
    otherwise. What follows with -f is told as 'watch' tells it.
    """
    from seatrial.by_hand.live.events import LiveEvent
    from seatrial.shell.listings.events import EVENT_COLUMNS, event_rows
    from seatrial.shell.listings.shown import none_in
    from seatrial.shell.look import doubts, in_order, live_doubts, now, seen, where
    from seatrial.shell.tables import Row, Table
    from seatrial.shell.watching import is_in

    if seconds is not None and not follow:
        raise click.UsageError("--for goes with --follow")

    def is_wanted(event: LiveEvent) -> bool:
        return not warnings or event.type != "Normal"

    place = await where(namespace, shell, everywhere=everywhere)
    kind, moment = shell.live.events, await now(shell)

    def rows_of(found: Iterable[LiveEvent]) -> Sequence[Row]:
        return in_order(event_rows([each for each in found if is_wanted(each)], now=moment), EVENT_COLUMNS, sort)

    def show(rows: Sequence[Row], doubt: str) -> None:
        empty = none_in("warnings" if warnings else "events", place)
        shell.output.table(Table(columns=EVENT_COLUMNS, rows=rows, empty=empty, note=doubt), output, pages=not follow)

    if not follow:
        show(rows_of(await seen(kind, place, shell)), doubts(shell, kind, namespace=place))
        return
    await ready_in(kind, place)
    with watched(watching(shell, output)) as made:
        # From here on what is told comes as lines; so the list is of what is known at this moment.
        made.begin(kind, place, only=is_wanted)
        rows, doubt = rows_of(each for each in kind.all() if is_in(each, place)), live_doubts(kind, namespace=place)
        if output == "json":
            for row in rows:
                shell.output.line(json.dumps(row))
            if doubt:
                shell.output.note(doubt)
        else:
            show(rows, doubt)
        await going_on(made, shell, seconds)
