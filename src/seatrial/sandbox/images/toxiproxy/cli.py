"""`toxiproxy-cli`: asks a Toxiproxy over its HTTP interface; list, inspect, create, toggle, delete, toxic.

Both forms of its command line work: flags before the proxy's name (2.2 and later) and after it (before).
"""

import argparse
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.sandbox.images.serving import complain, pod_address, say
from seatrial.sandbox.network.low_ports import bindable

_COMMANDS = {
    "l": "list",
    "ls": "list",
    "i": "inspect",
    "ins": "inspect",
    "c": "create",
    "new": "create",
    "tog": "toggle",
    "d": "delete",
    "t": "toxic",
}
_TOXIC_COMMANDS = {"a": "add", "u": "update", "r": "remove", "delete": "remove", "d": "remove"}


class _RefusedError(Exception):
    """What the server said, or that it said nothing."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="toxiproxy-cli", add_help=False, allow_abbrev=False)
    parser.add_argument("--host", "-h", default="http://localhost:8474")
    given, rest = parser.parse_known_args(argv[1:])
    client = _Client(given.host, environ)
    commands = {
        "list": _list,
        "inspect": _inspect,
        "create": _create,
        "toggle": _toggle,
        "delete": _delete,
        "toxic": _toxic,
    }
    name = _COMMANDS.get(rest[0], rest[0]) if rest else ""
    if name not in commands:
        complain(f"usage: toxiproxy-cli [--host URL] {'|'.join(commands)} ...")
        return 1
    try:
        commands[name](client, rest[1:])
    except _RefusedError as failure:
        complain(str(failure))
        return 1
    return 0


class _Client:
    def __init__(self, server: str, environ: Mapping[str, str]) -> None:
        scheme, _, address = server.rpartition("://")
        host, _, port = address.rstrip("/").partition(":")
        if host in ("localhost", "127.0.0.1"):
            host = pod_address(environ)
        self._base = f"{scheme or 'http'}://{host}:{bindable(int(port or 8474))}"
        self._server = server

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._base}{path}", data=data, method=method)  # noqa: S310 -- http only
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise _RefusedError(_reason(error)) from error
        except OSError as error:
            raise _RefusedError(f"Failed to retrieve proxies: can't reach {self._server}: {error}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return f"HTTP {error.code}: {json.loads(text)['error']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}: {text.strip()}"


def _list(client: _Client, _arguments: list[str]) -> None:
    proxies = client.ask("GET", "/proxies")
    if not proxies:
        say("No proxies")
    for proxy in proxies.values():
        state = "enabled" if proxy["enabled"] else "disabled"
        say("\t".join([proxy["name"], proxy["listen"], proxy["upstream"], state, str(len(proxy["toxics"]) or "None")]))


def _inspect(client: _Client, arguments: list[str]) -> None:
    proxy = client.ask("GET", f"/proxies/{_name(arguments)}")
    say(f"Name: {proxy['name']}\tListen: {proxy['listen']}\tUpstream: {proxy['upstream']}")
    for toxic in proxy["toxics"]:
        attributes = " ".join(f"{key}={value}" for key, value in toxic["attributes"].items())
        kind = f"type={toxic['type']} stream={toxic['stream']} toxicity={toxic['toxicity']:.2f}"
        say(f"{toxic['name']}: {kind} {attributes}")


def _create(client: _Client, arguments: list[str]) -> None:
    parser = _parser()
    parser.add_argument("--listen", "-l", required=True)
    parser.add_argument("--upstream", "-u", required=True)
    given = parser.parse_intermixed_args(arguments)
    client.ask("POST", "/proxies", {"name": given.proxy, "listen": given.listen, "upstream": given.upstream})
    say(f"Created new proxy {given.proxy}")


def _toggle(client: _Client, arguments: list[str]) -> None:
    name = _name(arguments)
    enabled = not client.ask("GET", f"/proxies/{name}")["enabled"]
    client.ask("POST", f"/proxies/{name}", {"enabled": enabled})
    say(f"Proxy {name} is now {'enabled' if enabled else 'disabled'}")


def _delete(client: _Client, arguments: list[str]) -> None:
    client.ask("DELETE", f"/proxies/{_name(arguments)}")
    say(f"Deleted proxy {_name(arguments)}")


def _toxic(client: _Client, arguments: list[str]) -> None:
    command = _TOXIC_COMMANDS.get(arguments[0], arguments[0]) if arguments else ""
    if command not in ("add", "update", "remove"):
        raise _RefusedError("usage: toxiproxy-cli toxic add|update|remove ...")
    parser = _parser()
    parser.add_argument("--toxicName", "-n", default="")
    parser.add_argument("--type", "-t", default="")
    parser.add_argument("--toxicity", "--tox", type=float)
    parser.add_argument("--attribute", "-a", action="append", default=[])
    parser.add_argument("--upstream", "-u", action="store_true")
    parser.add_argument("--downstream", "-d", action="store_true")
    given = parser.parse_intermixed_args(arguments[1:])
    path = f"/proxies/{given.proxy}/toxics"
    if command == "remove":
        client.ask("DELETE", f"{path}/{given.toxicName}")
        say(f"Removed toxic '{given.toxicName}' on proxy '{given.proxy}'")
        return
    body: dict[str, Any] = {"attributes": dict(map(_attribute, given.attribute))}
    if given.toxicity is not None:
        body["toxicity"] = given.toxicity
    if command == "update":
        client.ask("POST", f"{path}/{given.toxicName}", body)
        say(f"Updated toxic '{given.toxicName}' on proxy '{given.proxy}'")
        return
    stream = "upstream" if given.upstream else "downstream"
    toxic = client.ask("POST", path, {**body, "name": given.toxicName, "type": given.type, "stream": stream})
    say(f"Added {stream} {toxic['type']} toxic '{toxic['name']}' on proxy '{given.proxy}'")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toxiproxy-cli", allow_abbrev=False)
    parser.add_argument("proxy")
    return parser


def _name(arguments: list[str]) -> str:
    if not arguments:
        raise _RefusedError("Proxy name is required as the first argument.")
    return arguments[0]


def _attribute(text: str) -> tuple[str, int]:
    key, equals, value = text.partition("=")
    try:
        return key, int(value) if equals else 0
    except ValueError as error:
        raise _RefusedError(f"attribute {text!r} is not of the form NAME=NUMBER") from error
