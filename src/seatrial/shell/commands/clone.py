"""`clone`: a copy of a Deployment with a fault in it, beside the original."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from seatrial.shell.acting import act
from seatrial.shell.milliseconds import MILLISECONDS
from seatrial.shell.shell import Shell
from seatrial.shell.values import DEPLOYMENT, SERVICE

_EPILOG = """\b
Examples:
  # two more pods of goldpinger, which answer 250 ms late
  clone goldpinger --replicas 2 --latency 250ms
  clone shop/cart --latency 1s --jitter 300ms --port 8080 --toxicity 0.5
  # a setting tried out: Service cart leads to the copy only, until undo
  clone shop/cart --env CACHE=off --service cart
  clone web --tc 'qdisc add dev eth0 root netem loss 10%'
"""

Step = Mapping[str, Any]


def _pairs(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Sequence[tuple[str, str]]:
    pairs = [each.partition("=") for each in given]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise click.BadParameter(f"{key!r} is not KEY=VALUE", param=parameter)
    return [(key, value) for key, _, value in pairs]


@click.command("clone", epilog=_EPILOG)
@click.argument("deployment", metavar="DEPLOYMENT", type=DEPLOYMENT)
@click.option(
    "--replicas", "-r", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Its pods."
)
@click.option("--latency", type=MILLISECONDS, metavar="TIME", help="How much later it answers: 250ms, 1s.")
@click.option("--jitter", type=MILLISECONDS, metavar="TIME", help="How much more or less late, at random.")
@click.option("--bandwidth", type=click.IntRange(min=0), metavar="KB/S", help="How much it may answer in a second.")
@click.option("--slow-close", type=MILLISECONDS, metavar="TIME", help="How much later connections close.")
@click.option("--hang", type=MILLISECONDS, metavar="TIME", help="Nothing gets through, and then it hangs up; 0: never.")
@click.option("--reset", type=MILLISECONDS, metavar="TIME", help="Connections are reset after that time.")
@click.option("--limit", type=click.IntRange(min=1), metavar="BYTES", help="Connections end after so many bytes.")
@click.option(
    "--port", metavar="PORT", help="The port, by number or name, that this befalls.  [default: every TCP port]"
)
@click.option("--upstream", is_flag=True, help="It befalls what comes in, not what is answered.")
@click.option("--toxicity", type=click.FloatRange(0, 1), metavar="SHARE", help="Which share of connections it befalls.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Set a variable in its containers.")
@click.option("--tc", multiple=True, metavar="ARGUMENTS", help="Run tc in its pods, with these arguments.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", callback=_pairs, help="Set a label of its pods.")
@click.option("--service", multiple=True, metavar="NAME", type=SERVICE, help="Turn this Service to the copy only.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def clone(
    shell: Shell,
    /,
    deployment: str,
    replicas: int,
    port: str | None,
    upstream: bool,
    toxicity: float | None,
    env: Sequence[tuple[str, str]],
    tc: tuple[str, ...],
    label: Sequence[tuple[str, str]],
    service: tuple[str, ...],
    yes: bool,
    **faults: int | None,
) -> int:
    """Copy a Deployment, until undo: the copy's pods answer beside the original's, with what is said here.

    A Deployment of another namespace is named with it before a slash, and so is a Service.
    """
    from seatrial.by_hand.orders import Order

    space, _, name = deployment.rpartition("/")
    namespace = space or shell.namespace
    kinds = list(_kinds(faults))
    if not kinds and (port or upstream or toxicity is not None):
        raise click.UsageError("--port, --upstream and --toxicity say where a fault is: give one, such as --latency")
    ports = await _ports(name, namespace, port, shell) if kinds else ()
    toxics = [_toxic(kind, at, upstream=upstream, toxicity=toxicity) for at in ports for kind in kinds]
    mutations: list[Step] = [{"environment": {"name": key, "value": value}} for key, value in env]
    mutations += [{"tc": {"command": ["tc"], "args": _words(each)}} for each in tc]
    mutations += [{"toxiproxy": {"toxics": toxics}}] if toxics else []
    retargeted = [(each.rpartition("/")[2], each.rpartition("/")[0] or namespace) for each in service]
    spec = {
        "source": {"deployment": {"name": name, "namespace": namespace}},
        "replicas": replicas,
        "labels": [{"label": {"key": key, "value": value}} for key, value in label],
        "servicesToRetarget": [{"service": {"name": each, "namespace": where}} for each, where in retargeted],
        "mutations": mutations,
    }
    title = f"clone Deployment {namespace}/{name}"
    return await act(
        Order(title=title, step={"clone": {key: value for key, value in spec.items() if value}}), shell, yes=yes
    )


def _kinds(faults: Mapping[str, int | None]) -> Iterator[tuple[str, Mapping[str, int]]]:
    """The toxics that the options say, each with its attributes as Toxiproxy calls them."""
    given = {name: value for name, value in faults.items() if value is not None}
    if "latency" in given or "jitter" in given:
        yield "latency", {"latency": given.get("latency", 0), "jitter": given.get("jitter", 0)}
    for option, kind, attribute in (
        ("bandwidth", "bandwidth", "rate"),
        ("slow_close", "slow_close", "delay"),
        ("hang", "timeout", "timeout"),
        ("reset", "reset_peer", "timeout"),
        ("limit", "limit_data", "bytes"),
    ):
        if option in given:
            yield kind, {attribute: given[option]}


def _toxic(kind: tuple[str, Mapping[str, int]], port: str, *, upstream: bool, toxicity: float | None) -> Step:
    name, attributes = kind
    toxic: dict[str, Any] = {
        "targetProxy": port,
        "toxicType": name,
        "toxicAttributes": [{"name": key, "value": value} for key, value in attributes.items()],
    }
    if upstream:
        toxic["stream"] = "upstream"
    if toxicity is not None:
        toxic["toxicity"] = toxicity
    return toxic


async def _ports(name: str, namespace: str, port: str | None, shell: Shell) -> Sequence[str]:
    """The ports that toxics are for: the one that was said, or all that the Deployment declares."""
    from seatrial.errors import UsageError
    from seatrial.kube.resources import DEPLOYMENTS
    from seatrial.steps.clone.toxiproxy.layout import tcp_ports

    if port:
        return [port]
    found = await shell.session.context.cluster.get(DEPLOYMENTS, name, namespace=namespace)
    ports = tcp_ports(found["spec"]["template"]["spec"])
    if not ports:
        raise UsageError(f"Deployment {namespace}/{name} declares no TCP port", hint="say which one with --port")
    return [str(each) for each in ports]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {str(error).lower()}", param_hint="--tc") from None
