"""`services`: the Services of a namespace, and how many pods are behind each."""

from typing import TYPE_CHECKING

import click

from seatrial.shell.look import all_option, list_options, where
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE

if TYPE_CHECKING:
    from datetime import datetime

    from seatrial.by_hand.live.services import LiveService
    from seatrial.shell.tables import Row

_EPILOG = """\b
Examples:
  services
  services shop
  services --all --sort type

\b
Keys of each row with -o json:
  namespace, name, ageSeconds, created, type, clusterIP, ports, pods,
  selector
"""


@click.command("services", epilog=_EPILOG)
@click.argument("namespace", required=False, type=NAMESPACE)
@all_option
@list_options
@click.pass_obj
async def services(shell: Shell, namespace: str | None, everywhere: bool, sort: str | None, output: str) -> None:
    """List the Services of a namespace, with the pods that they select: how many of them are ready."""
    from seatrial.errors import ClusterError
    from seatrial.shell.listings.services import PodsByLabel
    from seatrial.shell.listings.shown import is_one, show
    from seatrial.shell.listings.workloads import service_columns, service_row
    from seatrial.shell.look import seen

    place = await where(namespace, shell, everywhere=everywhere)
    try:
        pods, unknown = PodsByLabel(await seen(shell.live.pods, place, shell)), ""
    except ClusterError as error:  # a Service can be shown without them
        pods, unknown = None, f"pods are not counted: {error.message}"

    def row(service: "LiveService", moment: "datetime") -> "Row":
        behind = pods.selected(service.namespace, service.selector) if pods else None
        ready = None if behind is None else sum(pod.is_ready and pod.deleted is None for pod in behind)
        return service_row(service, pods=None if behind is None else len(behind), ready=ready, now=moment)

    columns = service_columns(one_namespace=is_one(place))
    await show(
        shell.live.services, place, shell,
        row=row, columns=columns, what="Services", sort=sort, output=output, unknown=unknown,
    )  # fmt: skip
