"""`seatrial sandbox`: start, stop and look at the embedded cluster."""

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.options import output_option, state_dir_option
from seatrial.cli.sandbox_control import (
    api,
    component,
    disturbance_of,
    disturbance_options,
    machine,
    partition,
)
from seatrial.cli.sandbox_lookup import (
    DEFAULT_NAME,
    all_homes_in,
    home_named,
    name_flag,
    name_option,
    not_running,
    print_table,
    running_sandbox,
)
from seatrial.errors import SandboxError, UsageError

if TYPE_CHECKING:
    from seatrial.sandbox.apiserver.audit import Level
    from seatrial.sandbox.owner import Sandbox
    from seatrial.sandbox.survey import Survey

_CONTEXT = "seatrial-sandbox"

_EPILOG = """\b
Examples:
  seatrial sandbox up --detach
  seatrial sandbox load examples/manifests/goldpinger.yml
  kubectl --kubeconfig "$(seatrial sandbox kubeconfig)" get pods --watch
  seatrial sandbox down
"""


@click.group(epilog=_EPILOG)
def sandbox() -> None:
    """Start, stop and look at the embedded cluster.

    A sandbox is a Kubernetes cluster in local processes: a real API server for kubectl and every client, nodes that are
    machines to switch off, pods that are processes with an address of their own. It needs no Docker and no root.
    """


for _command in (machine, component, partition, api):
    sandbox.add_command(_command)


@sandbox.command(
    epilog="""\b
Examples:
  # until Ctrl-C
  seatrial sandbox up
  # in the background, six nodes in two zones
  seatrial sandbox up --detach --name zones --nodes 6 --zones west-1,east-1
  # with an image of your own: pods that name it run this command
  seatrial sandbox up --image my/app='python3 -m http.server 8080'
"""
)
@name_option
@click.option("--detach", "-d", is_flag=True, help="Leave it running in the background.")
@click.option("--nodes", default=4, show_default=True, metavar="N", help="How many machines.")
@click.option(
    "--zones", default="west-1,west-2,east-1,east-2", show_default=True, metavar="A,B,...",
    help="Zones, dealt to the machines in turn; west-1 lies in the region west.",
)  # fmt: skip
@click.option(
    "--image", "images", multiple=True, metavar="NAME=COMMAND",
    help="An image of your own: containers that name it run this command of this machine. Repeatable.",
)  # fmt: skip
@click.option(
    "--realistic-timing", is_flag=True,
    help="Wait as long as Kubernetes does, for a silent node and for pods on it; by default the sandbox is quicker.",
)  # fmt: skip
@click.option(
    "--node-monitor-grace", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="How long a node may be silent before it is NotReady.",
)  # fmt: skip
@click.option(
    "--time-scale", default=1.0, type=click.FloatRange(min=0, min_open=True), metavar="FACTOR",
    help="Multiply all intervals of the cluster's own parts: 0.1 makes back-offs and evictions ten times as quick.",
)  # fmt: skip
@click.option(
    "--audit-log", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write who asked the API server for what to a file: a JSON line (audit.k8s.io/v1) a request.",
)  # fmt: skip
@click.option(
    "--audit-level", type=click.Choice(["Metadata", "Request", "RequestResponse"]), default="Metadata",
    show_default=True, help="How much of each request; a secret's content is never written.",
)  # fmt: skip
@click.option(
    "--max-requests-inflight", default=400, show_default=True, type=click.IntRange(min=1), metavar="N",
    help="How many reads the API server serves at a time; more get 429.",
)  # fmt: skip
@click.option(
    "--max-mutating-requests-inflight", default=200, show_default=True, type=click.IntRange(min=1), metavar="N",
    help="How many writes.",
)  # fmt: skip
@disturbance_options
@state_dir_option
def up(
    name: str,
    detach: bool,
    nodes: int,
    zones: str,
    images: Sequence[str],
    realistic_timing: bool,
    node_monitor_grace: float | None,
    time_scale: float,
    audit_log: Path | None,
    audit_level: "Level",
    max_requests_inflight: int,
    max_mutating_requests_inflight: int,
    latency: str | None,
    jitter: str | None,
    error_rate: float | None,
    error_status: str,
    state_dir: Path | None,
) -> None:
    """Start a sandbox: ready when all its nodes are."""
    from seatrial.sandbox.cluster_config import ClusterConfig
    from seatrial.sandbox.disturbance import Disturbance
    from seatrial.sandbox.owner import start_sandbox
    from seatrial.sandbox.timing import REALISTIC, SANDBOX

    timing = (REALISTIC if realistic_timing else SANDBOX).scaled(time_scale)
    if node_monitor_grace is not None:
        timing = timing.with_grace(node_monitor_grace)
    home = home_named(name, state_dir)
    config = ClusterConfig(
        name=name,
        directory=home.directory,
        nodes=nodes,
        zones=tuple(zone.strip() for zone in zones.split(",")),
        images=dict(map(_image, images)),
        timing=timing,
        audit_log=str(audit_log.absolute()) if audit_log is not None else "",
        audit_level=audit_level,
        most_reading=max_requests_inflight,
        most_writing=max_mutating_requests_inflight,
        disturbance=Disturbance(**disturbance_of(latency, jitter, error_rate, error_status)),
    )
    owned = start_sandbox(config, detach=detach)
    if detach:
        _announce(owned.sandbox, name, "Stop it with:  seatrial sandbox down" + name_flag(name))
        owned.let_go()
        return
    try:
        _announce(owned.sandbox, name, "Ctrl-C takes it down.")
        owned.wait()
        click.echo(f"Sandbox {name} was stopped:", nl=False)
    except KeyboardInterrupt:
        click.echo(f"\nTaking sandbox {name} down ...", nl=False)
    finally:
        owned.close()
    click.echo(" nothing of it is left.")


@sandbox.command()
@name_option
@click.option("--all", "everything", is_flag=True, help="Stop all sandboxes.")
@state_dir_option
def down(name: str, everything: bool, state_dir: Path | None) -> None:
    """Stop a sandbox; nothing of it is left running or on disk."""
    from seatrial.sandbox.owner import stop_sandbox

    homes = all_homes_in(state_dir) if everything else [home_named(name, state_dir)]
    stopped = [home.name for home in homes if stop_sandbox(home)]
    for each in stopped:
        click.echo(f"Sandbox {each} is gone.")
    if not stopped and everything:
        click.echo("No sandbox is running.")
    elif not stopped:
        raise not_running(name)


@sandbox.command()
@click.option("--name", metavar="NAME", help="Which sandbox.  [default: all]")
@output_option("it")
@state_dir_option
def status(name: str | None, output: str, state_dir: Path | None) -> None:
    """Show what runs: nodes, pods, memory, address."""
    import asyncio
    import dataclasses
    import json

    from seatrial.sandbox.owner import find_sandbox
    from seatrial.sandbox.survey import survey

    async def look(found: "list[Sandbox]") -> "list[Survey]":
        return list(await asyncio.gather(*map(survey, found)))

    homes = all_homes_in(state_dir) if name is None else [home_named(name, state_dir)]
    found = [each for each in map(find_sandbox, homes) if each is not None]
    if name is not None and not found:
        raise not_running(name)
    surveys = asyncio.run(look(found))
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(each) for each in surveys], indent=2))
    elif not surveys:
        click.echo("No sandbox is running. Start one with:  seatrial sandbox up --detach")
    else:
        _show(surveys)


@sandbox.command(
    epilog="""\b
Examples:
  export KUBECONFIG="$(seatrial sandbox kubeconfig)"
  seatrial sandbox kubeconfig --merge
  kubectl --context seatrial-sandbox get nodes
"""
)
@name_option
@click.option("--merge", is_flag=True, help="Add or refresh the sandbox's context in your own kubeconfig.")
@state_dir_option
def kubeconfig(name: str, merge: bool, state_dir: Path | None) -> None:
    """Print the path of a sandbox's kubeconfig, or merge it into your own."""
    found = running_sandbox(name, state_dir)
    if not merge:
        click.echo(found.kubeconfig)
        return
    from seatrial.sandbox.kubeconfig_merge import merge_context, user_kubeconfig

    into = user_kubeconfig(os.environ)
    context = _CONTEXT if name == DEFAULT_NAME else f"{_CONTEXT}-{name}"
    merge_context(found.kubeconfig, into, name=context)
    click.echo(f"{into} has the context {context}.  Try:  kubectl --context {context} get nodes")


@sandbox.command()
@name_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the sandbox ends.")
@state_dir_option
def logs(name: str, follow: bool, state_dir: Path | None) -> None:
    """Print what the sandbox's own processes said; for a pod's log use kubectl."""
    found = running_sandbox(name, state_dir)
    try:
        for text in _follow(found) if follow else [found.home.log.read_text(errors="replace")]:
            click.echo(text, nl=False)
    except OSError as error:
        raise SandboxError(f"can't read {found.home.log}: {error.strerror}") from error


@sandbox.command(epilog="\b\nExample:\n  seatrial sandbox load examples/manifests/goldpinger.yml\n")
@name_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, allow_dash=True))
@state_dir_option
def load(name: str, files: tuple[Path, ...], state_dir: Path | None) -> None:
    """Apply manifests: files of several YAML or JSON documents, `-` for standard input."""
    import asyncio

    from seatrial.sandbox.client import SandboxClient
    from seatrial.sandbox.manifests import apply_manifests, read_manifests

    objects = read_manifests(files)
    found = running_sandbox(name, state_dir)

    async def apply() -> None:
        async with SandboxClient(found.kubeconfig) as client:
            async for line in apply_manifests(client, objects):
                click.echo(line)

    asyncio.run(apply())


def _image(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, command = text.partition("=")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"--image {text!r}: {error}") from error
    if not (name and equals and words):
        raise UsageError(f"--image {text!r} is not of the form NAME=COMMAND")
    return name, words


def _announce(found: "Sandbox", name: str, last: str) -> None:
    record = found.record
    seconds = record.timings.get("ready_ms", 0) / 1000
    click.secho(f"Sandbox {name} is up: {record.nodes} nodes Ready after {seconds:.1f} s.", bold=True)
    click.echo(f"""
  API server   {record.server}
  kubeconfig   {found.kubeconfig}

Try:
  export KUBECONFIG={shlex.quote(str(found.kubeconfig))}
  kubectl get nodes
  seatrial sandbox load{name_flag(name)} examples/manifests/goldpinger.yml
  kubectl get pods --watch

{last}""")


def _show(surveys: "Sequence[Survey]") -> None:
    rows = [
        (
            each.name,
            _duration(each.up_seconds),
            f"{sum(node.ready for node in each.nodes)}/{len(each.nodes)}",
            f"{each.pods_ready}/{each.pods}",
            f"{each.memory_bytes / 1e6:.0f} MB",
            each.server,
        )
        for each in surveys
    ]
    print_table(("SANDBOX", "UP FOR", "NODES READY", "PODS READY", "MEMORY", "API SERVER"), rows)
    for each in surveys:
        click.echo()
        nodes = [
            (node.name, "Ready" if node.ready else "NotReady", node.zone, node.address, str(node.pods))
            for node in each.nodes
        ]
        print_table((f"{each.name.upper()}: NODE", "STATUS", "ZONE", "ADDRESS", "PODS"), nodes)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _follow(found: "Sandbox") -> Iterator[str]:
    """The log as it grows; there is no portable event for that, so look a few times a second."""
    with found.home.log.open(errors="replace") as log:
        while found.home.is_claimed():
            yield log.read()
            time.sleep(0.2)
        yield log.read()
