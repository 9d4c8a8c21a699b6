"""`seatrial sandbox machine|component|partition|api`: break the embedded cluster on purpose, and mend it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.options import output_option, state_dir_option
from seatrial.cli.sandbox_lookup import name_option, print_table, running_sandbox
from seatrial.errors import UsageError

if TYPE_CHECKING:
    from seatrial.sandbox.client import SandboxClient

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")


def duration(text: str) -> float:
    """Seconds from `250ms`, `1.5s` or `2`."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{text!r} is no duration", hint="write 250ms, 1.5s or 2")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def disturbance_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--latency`, `--jitter`, `--error-rate` and `--error-status`: what requests to the API server suffer."""
    options = (
        click.option(
            "--error-status", default="500", show_default=True, type=click.Choice(["429", "500", "503", "504"]),
            help="What failing requests to the API server are answered.",
        ),
        click.option(
            "--error-rate", type=click.FloatRange(0, 1), metavar="SHARE",
            help="The share of requests to the API server that fail, 0 to 1.",
        ),
        click.option("--jitter", metavar="DURATION", help="By how much more or less, at random."),
        click.option("--latency", metavar="DURATION", help="Hold up each request to the API server, as 250ms or 1.5s."),
    )  # fmt: skip
    for option in options:
        command = option(command)
    return command


def disturbance_of(
    latency: str | None, jitter: str | None, error_rate: float | None, error_status: str
) -> dict[str, Any]:
    """The settings of `disturbance_options` as `seatrial.sandbox.disturbance.Disturbance` takes them."""
    return {
        "latency_seconds": duration(latency) if latency else 0.0,
        "jitter_seconds": duration(jitter) if jitter else 0.0,
        "error_rate": error_rate or 0.0,
        "status": int(error_status),
    }


@click.group(
    epilog="""\b
Examples:
  seatrial sandbox machine list
  seatrial sandbox machine stop node2
  seatrial sandbox machine pause --zone west-1
  seatrial sandbox machine start --zone west-1
"""
)
def machine() -> None:
    """Stop, start, reboot and pause machines.

    `stop` pulls the plug: everything on the machine is gone at once, its disk stays. `pause` freezes it: it looks
    gone, but comes back with all that ran on it. `start` brings either back.
    """


@machine.command("list")
@name_option
@click.option("--zone", metavar="ZONE", help="Only the machines of this zone.")
@output_option("them")
@state_dir_option
def list_machines(name: str, zone: str | None, output: str, state_dir: Path | None) -> None:
    """Show the machines: state, zone, address."""
    machines = _ask(name, state_dir, "GET", "machines")["machines"]
    machines = [each for each in machines if zone in (None, each["zone"])]
    if output == "json":
        _print_json(machines)
        return
    columns = ("name", "state", "zone", "group", "address", "instance_id")
    print_table(
        ("MACHINE", "STATE", "ZONE", "GROUP", "ADDRESS", "INSTANCE ID"),
        [tuple(each[column] for column in columns) for each in machines],
    )


def _machine_command(action: str, summary: str) -> click.Command:
    @click.command(action, help=summary, short_help=summary)
    @name_option
    @click.argument("machines", nargs=-1, metavar="[MACHINE]...")
    @click.option("--zone", metavar="ZONE", help="All machines of this zone.")
    @state_dir_option
    def act(name: str, machines: tuple[str, ...], zone: str | None, state_dir: Path | None) -> None:
        if bool(machines) == (zone is not None):
            raise UsageError("which machines? Name them, or a --zone", hint="`seatrial sandbox machine list` shows all")

        async def work(client: "SandboxClient") -> None:
            known = (await client.ask("GET", "/sandbox/v1/machines"))["machines"]
            wanted = machines or tuple(each["name"] for each in known if each["zone"] == zone)
            if not wanted:
                zones = sorted({each["zone"] for each in known})
                raise UsageError(f"there is no machine in zone {zone!r}", hint=f"zones: {', '.join(zones)}")
            unknown = [each for each in wanted if each not in [one["name"] for one in known]]
            if unknown:
                names = ", ".join(each["name"] for each in known)
                raise UsageError(f"there is no machine {unknown[0]!r}", hint=f"machines: {names}")
            await _all_at_once(client, wanted, action)

        _run(name, state_dir, work)

    return act


for _action, _summary in (
    ("stop", "Pull the plug: everything on the machines is gone at once."),
    ("start", "Switch machines on, or let paused ones go on."),
    ("reboot", "Pull the plug and put it in again."),
    ("pause", "Freeze machines: nothing on them runs until they are started."),
):
    machine.add_command(_machine_command(_action, _summary))


async def _all_at_once(client: "SandboxClient", names: Sequence[str], action: str) -> None:
    import asyncio

    async def act(each: str) -> None:
        done = await client.ask("POST", f"/sandbox/v1/machines/{each}/{action}")
        click.echo(f"{each} is {done['state']}" + (" again" if action == "reboot" else ""))

    for outcome in await asyncio.gather(*map(act, names), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


@click.group(
    epilog="""\b
Examples:
  seatrial sandbox component list
  seatrial sandbox component stop controller-manager
  seatrial sandbox component stop kubelet:node2
  seatrial sandbox component start controller-manager
"""
)
def component() -> None:
    """Stop and start the parts of the control plane, and kubelets.

    Parts: controller-manager (without it nothing is replaced), scheduler (nothing is placed), kube-proxy (routes of
    Services stay as they are and go stale), kubelet:NODE (the node falls silent while its containers run on).
    """


@component.command("list")
@name_option
@output_option("them")
@state_dir_option
def list_components(name: str, output: str, state_dir: Path | None) -> None:
    """Show the parts and whether they run."""
    components = _ask(name, state_dir, "GET", "components")["components"]
    if output == "json":
        _print_json(components)
        return
    print_table(("COMPONENT", "STATE"), [(each["name"], each["state"]) for each in components])


def _component_command(action: str, summary: str) -> click.Command:
    @click.command(action, help=summary, short_help=summary)
    @name_option
    @click.argument("components", nargs=-1, required=True, metavar="COMPONENT...")
    @state_dir_option
    def act(name: str, components: tuple[str, ...], state_dir: Path | None) -> None:
        for each in components:
            done = _ask(name, state_dir, "POST", f"components/{each}/{action}")
            click.echo(f"{each} is {done['state']}")

    return act


for _action, _summary in (
    ("stop", "Stop parts of the control plane."),
    ("start", "Start parts that are stopped."),
):
    component.add_command(_component_command(_action, _summary))


@click.command(
    short_help="Part zones from each other, as a broken network does.",
    epilog="""\b
Examples:
  # east-1 and west-1 can't reach each other
  seatrial sandbox partition --zone east-1 --from west-1
  # east-1 is alone
  seatrial sandbox partition --zone east-1
  # what is parted, and an end to it
  seatrial sandbox partition
  seatrial sandbox partition --heal
""",
)
@name_option
@click.option("--zone", metavar="ZONE", help="The zone to cut off.")
@click.option("--from", "others", multiple=True, metavar="ZONE", help="From which zone; repeatable.  [default: all]")
@click.option("--heal", is_flag=True, help="Take partitions back: those of --zone, or all.")
@output_option("the partitions")
@state_dir_option
def partition(
    name: str, zone: str | None, others: tuple[str, ...], heal: bool, output: str, state_dir: Path | None
) -> None:
    """Part zones from each other, as a broken network does: what is sent is lost.

    Cut are: what goes through Services, what pods of built-in images send to each other's addresses, the heartbeats of
    nodes that are parted from the control plane (it stands in the first zone), and what the control plane asks of them.
    Not cut is what leaves no trace of where it comes from: connections that a program of yours (--image) makes or takes
    at a pod's own address, and what you send from outside.
    """
    if others and zone is None:
        raise UsageError("which zone? --from needs a --zone")
    if heal:
        if others:
            raise UsageError("--heal takes back all partitions of a --zone, so it takes no --from")
        gone = _ask(name, state_dir, "DELETE", f"partitions?zone={zone or ''}")["partitions"]
        click.echo("healed: " + "; ".join(map(_parted, gone)) if gone else "Nothing was parted.")
        return
    if zone is not None:
        _ask(name, state_dir, "POST", "partitions", {"zone": zone, "others": list(others)})
    found = _ask(name, state_dir, "GET", "partitions")
    if output == "json":
        _print_json(found)
    elif not found["partitions"]:
        click.echo("Nothing is parted.")
    else:
        for each in found["partitions"]:
            click.echo(_parted(each))
        click.echo(f"The control plane stands in {found['controlPlane']}.")


def _parted(found: dict[str, Any]) -> str:
    return f"{found['zone']} can't reach {', '.join(found['others'])}"


@click.command(
    short_help="Slow the API server down, or make it fail.",
    epilog="""\b
Examples:
  # every request takes 300 ms more, give or take 100
  seatrial sandbox api --latency 300ms --jitter 100ms
  # one request in five is refused for too much load
  seatrial sandbox api --error-rate 0.2 --error-status 429
  seatrial sandbox api --clear
""",
)
@name_option
@disturbance_options
@click.option("--clear", is_flag=True, help="Let it work as it should.")
@output_option("the state")
@state_dir_option
def api(
    name: str,
    latency: str | None,
    jitter: str | None,
    error_rate: float | None,
    error_status: str,
    clear: bool,
    output: str,
    state_dir: Path | None,
) -> None:
    """Slow the API server down, or make it fail, for everyone who asks over HTTPS."""
    wanted = disturbance_of(latency, jitter, error_rate, error_status)
    is_set = latency is not None or error_rate is not None
    if clear and is_set:
        raise UsageError("--clear takes no other setting")
    if jitter is not None and latency is None:
        raise UsageError("--jitter needs a --latency")
    if is_set or clear:
        found = _ask(name, state_dir, "PUT", "disturbance", wanted)
    else:
        found = _ask(name, state_dir, "GET", "disturbance")
    if output == "json":
        _print_json(found)
        return
    suffered = []
    if found["latency_seconds"]:
        jitter_ms = f" ± {found['jitter_seconds'] * 1000:g} ms" if found["jitter_seconds"] else ""
        suffered.append(f"{found['latency_seconds'] * 1000:g} ms{jitter_ms} of latency")
    if found["error_rate"]:
        suffered.append(f"{found['error_rate']:.0%} answered with {found['status']}")
    click.echo(f"Requests: {'; '.join(suffered)}." if suffered else "Requests are left alone.")


def _ask(name: str, state_dir: Path | None, method: str, path: str, body: Any = None) -> Any:
    async def work(client: "SandboxClient") -> Any:
        return await client.ask(method, f"/sandbox/v1/{path}", body)

    return _run(name, state_dir, work)


def _run(name: str, state_dir: Path | None, work: Callable[["SandboxClient"], Any]) -> Any:
    import asyncio

    from seatrial.sandbox.client import SandboxClient

    found = running_sandbox(name, state_dir)

    async def run() -> Any:
        async with SandboxClient(found.kubeconfig) as client:
            return await work(client)

    return asyncio.run(run())


def _print_json(found: Any) -> None:
    import json

    click.echo(json.dumps(found, indent=2))
