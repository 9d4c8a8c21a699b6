"""`mesh`: who reaches whom, and how fast, as goldpinger's instances see it."""

import click

from seatrial.shell.look import output_option
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE, SERVICE

_EPILOG = """\b
Examples:
  mesh
  mesh goldpinger
  mesh goldpinger monitoring -o json

\b
Keys with -o json:
  service, namespace, port, via, instances, failed, notAsked: name, error;
  calls: from, to, ok, ms, error
"""


@click.command("mesh", epilog=_EPILOG)
@click.argument("service", required=False, type=SERVICE)
@click.argument("namespace", required=False, type=NAMESPACE)
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="The Service's port; its first, if none.")
@output_option()
@click.pass_obj
async def mesh(shell: Shell, service: str | None, namespace: str | None, port: int | None, output: str) -> None:
    """Ask goldpinger's instances whom they reach, and draw the graph and the delays.

    Without a SERVICE it is the one before goldpinger's pods. Each instance calls every other one and itself, once,
    when it is asked.
    """
    from seatrial.probes.goldpinger_graph import ask_graph
    from seatrial.shell.goldpingers import find_goldpinger, places_of
    from seatrial.shell.mesh_picture import graph_as_data, mesh_lines

    address = await find_goldpinger(service, namespace, shell, port=port)
    graph, via = await ask_graph(address, shell.session.context)
    if output == "json":
        shell.output.json(graph_as_data(graph, address, via=via))
        return
    console = shell.output.console
    with shell.output.long():
        shell.output.line(f"goldpinger at {address.namespace}/{address.name}, by {_WAYS.get(via, via)}", "dim")
        in_words = shell.settings.plain or not console.encoding.lower().startswith("utf")
        places = await places_of(address.namespace, shell)
        for line in mesh_lines(graph, places=places, width=shell.output.width, in_words=in_words):
            console.print(line, soft_wrap=True)


_WAYS = {"clusterIP": "its cluster IP", "apiserver": "the API server's proxy", "portForward": "a port-forward"}
