"""`seatrial halt`: stop every experiment on a cluster at once, and let none begin until `seatrial resume`."""

from pathlib import Path

import click

from seatrial.cli.options import cluster_options, halt_namespace_option, output_option

_EPILOG = """\b
Examples:
  seatrial halt --reason "incident 4711: checkout is down"
  # where no Seatrial is at hand
  kubectl create configmap seatrial-halt --from-literal reason="incident 4711"
"""


@click.command(epilog=_EPILOG)
@click.option("--reason", metavar="TEXT", default="", help="Why, for those whose experiments end.")
@halt_namespace_option
@cluster_options
@output_option("the mark")
def halt(reason: str, halt_namespace: str, kubeconfig: Path | None, kube_context: str | None, output: str) -> None:
    """Stop every experiment on a cluster, with its clean-up, and let none begin.

    It sets a mark in the cluster, a ConfigMap, which stays until `seatrial resume`: every Seatrial that works on this
    cluster watches it.
    """
    import asyncio
    import json

    from msgspec.structs import asdict

    from seatrial.engine.halt_mark import own_mark, set_mark
    from seatrial.kube.client import connect
    from seatrial.runtime.halt import HaltMark

    wanted = own_mark(reason)

    async def mark() -> HaltMark:
        async with await connect(kubeconfig=kubeconfig, context=kube_context) as cluster:
            return await set_mark(cluster, wanted, namespace=halt_namespace)

    found = asyncio.run(mark())
    if output == "json":
        click.echo(json.dumps({"halted": True, "set": found == wanted, "namespace": halt_namespace, **asdict(found)}))
    elif found == wanted:
        click.echo("halted: running experiments end and clean up, none begins until: seatrial resume")
    else:
        click.echo(f"was {found}; that mark stays")
