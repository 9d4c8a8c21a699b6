"""`probe`: ask a URL, a Service or a name whether it answers, and how fast."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from seatrial.shell.acting import act, agreed, refuse_halted
from seatrial.shell.milliseconds import MILLISECONDS
from seatrial.shell.shell import Shell
from seatrial.shell.values import SERVICE_ADDRESS

_EPILOG = """\b
Examples:
  probe web
  probe cart.shop:8080/healthz --count 10
  probe https://example.com/ --code 301
  probe cart.shop --method post --body '{}' --header 'Accept: text/plain'
  # only whether something listens, and only whether a name is known
  probe db:5432 --tcp
  probe tcp://10.0.0.7:22
  probe dns:cart.shop.svc.cluster.local
"""

_VIA = {"cluster-ip": "clusterIP", "api-server": "apiserver", "port-forward": "portForward"}
_SERVICE = re.compile(r"(?P<name>[a-z0-9-]+)(\.(?P<namespace>[a-z0-9-]+))?(:(?P<port>[0-9]+))?(?P<path>/.*)?")


@click.command("probe", epilog=_EPILOG)
@click.argument("target", metavar="URL|SERVICE", type=SERVICE_ADDRESS)
@click.option("--count", "-c", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="How often.")
@click.option(
    "--method", type=click.Choice(["get", "post", "put", "patch", "head", "delete"], case_sensitive=False),
    help="The HTTP method.  [default: get]",
)  # fmt: skip
@click.option(
    "--code", type=click.IntRange(100, 599), metavar="STATUS", help="The HTTP status that is expected.  [default: 200]"
)
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="One more header.")
@click.option("--body", metavar="TEXT", help="The body of each request.")
@click.option("--https", is_flag=True, help="Speak HTTPS to the Service.")
@click.option("--insecure", "-k", is_flag=True, help="Accept any TLS certificate.")
@click.option("--tcp", is_flag=True, help="Only connect to the Service's port.")
@click.option(
    "--via", type=click.Choice([*_VIA]), help="How to reach the Service.  [default: in this order, what works]"
)
@click.option("--type", "record_type", metavar="TYPE", help="The type of DNS records: A, AAAA, ...  [default: A]")
@click.option("--server", metavar="IP", help="The DNS server to ask.  [default: those of this machine]")
@click.option(
    "--timeout", "timeout_ms", type=MILLISECONDS, metavar="TIME", help="How long an answer may take.  [default: 1s]"
)
@click.option(
    "--tries", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="How often to try each."
)
@click.option("--yes", "-y", is_flag=True, help="Don't ask before a method that may change something.")
@click.pass_obj
async def probe(
    shell: Shell, /, target: str, count: int, timeout_ms: int | None, tries: int, yes: bool, **given: Any
) -> int:
    """Send requests and show how long each took: where it fails, the exit code is 1.

    A Service is named as in the cluster's DNS, NAME or NAME.NAMESPACE, with :PORT (80 otherwise) and /PATH;
    tcp://HOST:PORT only connects; dns:NAME looks a name up. What methods other than get and head change, nothing
    takes back: so they are asked for.
    """
    from seatrial.by_hand.orders import Order, parsed_step

    key, spec, known = _step(target, given, shell.namespace)
    for option, value in given.items():
        if value and option not in known:
            raise click.UsageError(f"--{_OPTIONS.get(option, option)} means nothing to {target}")
    spec |= {"count": count, "retries": tries}
    if timeout_ms is not None:
        spec["timeout"] = timeout_ms
    order = Order(title=f"probe {target}", step={key: spec}, is_destructive=False)
    if shell.is_planning or given["method"] in _ONLY_READ:
        return await act(order, shell)
    parsed_step(order)
    await refuse_halted(shell)
    often = f"{count} times " if count > 1 else ""
    if not await agreed(f"send {given['method'].upper()} {often}to {target}", shell, yes=yes):
        return 3
    return await act(order, shell)


_OPTIONS = {"record_type": "type", "headers": "header"}
_HTTP = frozenset({"method", "code", "headers", "body", "insecure"})
_ONLY_READ = frozenset({None, "get", "head"})


def _step(target: str, given: Mapping[str, Any], namespace: str) -> tuple[str, dict[str, Any], frozenset[str]]:
    """The policy's step, what it says, and which options are about it."""
    if target.startswith("dns:"):
        asked = {"name": target.removeprefix("dns:"), "type": given["record_type"], "server": given["server"]}
        return "probeDNS", _said(asked), frozenset({"record_type", "server"})
    if target.startswith("tcp://"):
        return "probeTCP", {"target": {"address": _address(target)}}, frozenset()
    if "://" in target:
        return "probeHTTP", {"target": {"url": target}, **_http(given)}, _HTTP
    found = _SERVICE.fullmatch(target)
    if found is None:
        raise click.UsageError(f"{target!r} is no URL and no SERVICE[.NAMESPACE][:PORT][/PATH]")
    via = _VIA[given["via"]] if given["via"] else None
    service = {"name": found["name"], "namespace": found["namespace"] or namespace, "via": via}
    if given["tcp"]:
        if not found["port"] or found["path"]:
            raise click.UsageError(f"{target!r} is no SERVICE:PORT, as --tcp wants it")
        return "probeTCP", {"target": {"service": _said({**service, "port": int(found["port"])})}}, _TCP
    service |= {"port": int(found["port"]) if found["port"] else None, "protocol": "https" if given["https"] else None}
    spec = {"target": {"service": _said(service)}, **_said({"endpoint": found["path"]}), **_http(given)}
    return "probeHTTP", spec, _HTTP | {"https", "via"}


_TCP = frozenset({"tcp", "via"})


def _http(given: Mapping[str, Any]) -> dict[str, Any]:
    headers = []
    for each in given["headers"]:
        name, colon, value = each.partition(":")
        if not colon:
            raise click.UsageError(f"{each!r} is no header, such as 'Accept: text/plain'")
        headers.append({"name": name.strip(), "value": value.strip()})
    said = {key: given[key] for key in ("method", "code", "body")}
    return _said({**said, "headers": headers or None, "insecure": given["insecure"] or None})


def _address(target: str) -> Mapping[str, Any]:
    parts = urlsplit(target)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise click.UsageError(f"{target!r} is no tcp://HOST:PORT")
    return {"host": host, "port": port}


def _said(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What was said: the language has the defaults of the rest."""
    return {key: value for key, value in spec.items() if value is not None}
