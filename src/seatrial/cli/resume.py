"""`seatrial resume`: lift a halt."""

from pathlib import Path

import click

from seatrial.cli.options import cluster_options, halt_namespace_option, output_option


@click.command
@halt_namespace_option
@cluster_options
@output_option("what was lifted")
def resume(halt_namespace: str, kubeconfig: Path | None, kube_context: str | None, output: str) -> None:
    """Lift the halt of a cluster: experiments may run again; those that were ended don't begin by themselves."""
    import asyncio
    import json

    from msgspec.structs import asdict

    from seatrial.engine.halt_mark import lift_mark
    from seatrial.kube.client import connect
    from seatrial.runtime.halt import HaltMark

    async def lift() -> HaltMark | None:
        async with await connect(kubeconfig=kubeconfig, context=kube_context) as cluster:
            return await lift_mark(cluster, namespace=halt_namespace)

    found = asyncio.run(lift())
    if output == "json":
        was = asdict(found) if found else None
        click.echo(json.dumps({"halted": False, "namespace": halt_namespace, "was": was}))
    else:
        click.echo(f"experiments may run again; they were {found}" if found else "experiments were not halted")
