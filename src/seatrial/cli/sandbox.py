"""`seatrial sandbox`: start, stop and look at the embedded cluster."""

import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seatrial.cli.options import output_option, state_dir_option
from seatrial.errors import SandboxError, UsageError

if TYPE_CHECKING:
    from seatrial.sandbox.home import Home
    from seatrial.sandbox.owner import Sandbox
    from seatrial.sandbox.survey import Survey

F = TypeVar("F", bound=Callable[..., Any])

_CONTEXT = "seatrial-sandbox"

_EPILOG = """\b
Examples:
  seatrial sandbox up --detach
  seatrial sandbox load examples/goldpinger.yml
  kubectl --kubeconfig "$(seatrial sandbox kubeconfig)" get pods --watch
  seatrial sandbox down
"""


def name_option(command: F) -> F:
    """`--name`: which sandbox."""
    return click.option(
        "--name", default="default", show_default=True, metavar="NAME", help="Which sandbox; several can run at once."
    )(command)


@click.group(epilog=_EPILOG)
def sandbox() -> None:
    """Start, stop and look at the embedded cluster.

    A sandbox is a Kubernetes cluster in local processes: a real API server for kubectl and every client, nodes that are
    machines to switch off, pods that are processes with an address of their own. It needs no Docker and no root.
    """


@sandbox.command(
    epilog="""\b
Examples:
  # until Ctrl-C
  seatrial sandbox up
  # in the background, six nodes in two zones
  seatrial sandbox up --detach --name two-zones --nodes 6 --zones west-1,east-1
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
@state_dir_option
def up(name: str, detach: bool, nodes: int, zones: str, images: Sequence[str], state_dir: Path | None) -> None:
    """Start a sandbox: ready when all its nodes are."""
    from seatrial.sandbox.cluster_config import ClusterConfig
    from seatrial.sandbox.owner import start_sandbox

    home = _home(name, state_dir)
    config = ClusterConfig(
        name=name,
        directory=home.directory,
        nodes=nodes,
        zones=tuple(zone.strip() for zone in zones.split(",")),
        images=dict(map(_image, images)),
    )
    owned = start_sandbox(config, detach=detach)
    if detach:
        _announce(owned.sandbox, name, "Stop it with:  seatrial sandbox down" + _name_flag(name))
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

    homes = _all_homes(state_dir) if everything else [_home(name, state_dir)]
    stopped = [home.name for home in homes if stop_sandbox(home)]
    for each in stopped:
        click.echo(f"Sandbox {each} is gone.")
    if not stopped and everything:
        click.echo("No sandbox is running.")
    elif not stopped:
        raise _not_running(name)


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

    homes = _all_homes(state_dir) if name is None else [_home(name, state_dir)]
    found = [each for each in map(find_sandbox, homes) if each is not None]
    if name is not None and not found:
        raise _not_running(name)
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
  seatrial sandbox kubeconfig --merge && kubectl --context seatrial-sandbox get nodes
"""
)
@name_option
@click.option("--merge", is_flag=True, help="Add or refresh the sandbox's context in your own kubeconfig.")
@state_dir_option
def kubeconfig(name: str, merge: bool, state_dir: Path | None) -> None:
    """Print the path of a sandbox's kubeconfig, or merge it into your own."""
    found = _running(name, state_dir)
    if not merge:
        click.echo(found.kubeconfig)
        return
    from seatrial.sandbox.kubeconfig_merge import merge_context, user_kubeconfig

    into = user_kubeconfig(os.environ)
    context = _CONTEXT if name == "default" else f"{_CONTEXT}-{name}"
    merge_context(found.kubeconfig, into, name=context)
    click.echo(f"{into} has the context {context}.  Try:  kubectl --context {context} get nodes")


@sandbox.command()
@name_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the sandbox ends.")
@state_dir_option
def logs(name: str, follow: bool, state_dir: Path | None) -> None:
    """Print what the sandbox's own processes said; for a pod's log use kubectl."""
    found = _running(name, state_dir)
    try:
        for text in _follow(found) if follow else [found.home.log.read_text(errors="replace")]:
            click.echo(text, nl=False)
    except OSError as error:
        raise SandboxError(f"can't read {found.home.log}: {error.strerror}") from error


@sandbox.command(epilog="\b\nExample:\n  seatrial sandbox load examples/goldpinger.yml\n")
@name_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, allow_dash=True))
@state_dir_option
def load(name: str, files: tuple[Path, ...], state_dir: Path | None) -> None:
    """Apply manifests: files of several YAML or JSON documents, `-` for standard input."""
    import asyncio

    from seatrial.sandbox.client import SandboxClient
    from seatrial.sandbox.manifests import apply_manifests, read_manifests

    objects = read_manifests(files)
    found = _running(name, state_dir)

    async def apply() -> None:
        async with SandboxClient(found.kubeconfig) as client:
            async for line in apply_manifests(client, objects):
                click.echo(line)

    asyncio.run(apply())


def _home(name: str, state_dir: Path | None) -> "Home":
    from seatrial.sandbox.home import home_of
    from seatrial.state_directory import state_directory

    return home_of(name, state=state_directory(state_dir).absolute())


def _all_homes(state_dir: Path | None) -> "list[Home]":
    from seatrial.sandbox.home import all_homes
    from seatrial.state_directory import state_directory

    return all_homes(state=state_directory(state_dir).absolute())


def _running(name: str, state_dir: Path | None) -> "Sandbox":
    from seatrial.sandbox.owner import find_sandbox

    found = find_sandbox(_home(name, state_dir))
    if found is None:
        raise _not_running(name)
    return found


def _not_running(name: str) -> SandboxError:
    return SandboxError(
        f"no sandbox named {name!r} is running",
        hint=f"start one with `seatrial sandbox up --detach{_name_flag(name)}`; `seatrial sandbox status` shows all",
    )


def _name_flag(name: str) -> str:
    return "" if name == "default" else f" --name {name}"


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
  seatrial sandbox load{_name_flag(name)} examples/goldpinger.yml
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
    _table(("SANDBOX", "UP FOR", "NODES READY", "PODS READY", "MEMORY", "API SERVER"), rows)
    for each in surveys:
        click.echo()
        nodes = [
            (node.name, "Ready" if node.ready else "NotReady", node.zone, node.address, str(node.pods))
            for node in each.nodes
        ]
        _table((f"{each.name.upper()}: NODE", "STATUS", "ZONE", "ADDRESS", "PODS"), nodes)


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        return "   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    click.secho(line(titles), bold=True)
    for row in rows:
        click.echo(line(row))


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
