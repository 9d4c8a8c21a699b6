"""`pods`: the pods of a namespace, numbered, so that `kill 1` is enough."""

import click

from seatrial.shell.shell import Shell
from seatrial.shell.tables import Column, Table

_COLUMNS = (Column(heading="#", key="number", align="right"), Column(heading="NAME", key="name"))


@click.command("pods")
@click.argument("namespace", required=False)
@click.argument("selector", required=False)
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
async def pods(shell: Shell, namespace: str | None, selector: str | None, output: str) -> None:
    """List the pods of a namespace, or those of them that a label selector selects."""
    from seatrial.kube.objects import PartialObject
    from seatrial.kube.resources import PODS

    listed = await shell.session.context.cluster.list(
        PODS, namespace=namespace or shell.namespace, label_selector=selector or "", metadata_only=True,
        type=PartialObject,
    )  # fmt: skip
    found = sorted((each.metadata.namespace, each.metadata.name) for each in listed.items)
    shell.numbered_pods = found
    rows = [{"number": number, "name": name} for number, (_, name) in enumerate(found, start=1)]
    shell.output.table(Table(columns=_COLUMNS, rows=rows, empty="no pods"), output)
