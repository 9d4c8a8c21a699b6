"""One look at a container: an HTTP request, a gRPC call, a TCP connection, a command inside it.

What probes (`probes`) and lifecycle hooks (`container_checks`) are made of. The messages are the kubelet's.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.durations import go_duration
from seatrial.sandbox.kubelet.node_object import KUBELET_VERSION
from seatrial.sandbox.kubelet.probing.grpc_check import check_health
from seatrial.sandbox.kubelet.probing.network_failure import (
    RememberingConnector,
    dial_failure,
    exchange_failure,
    is_refused,
)
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.network.low_ports import bindable

_MOST_REDIRECTS: Final = 10
_MOST_BODY_BYTES: Final = 10 * 1024
_USER_AGENT: Final = f"kube-probe/{'.'.join(KUBELET_VERSION.removeprefix('v').split('.')[:2])}"


@dataclass(frozen=True)
class CheckResult:
    """What a check found; `refused` when nothing listens (yet), `errored` when it could not be carried out."""

    ok: bool
    output: str = ""
    refused: bool = False
    errored: bool = False


def _nowhere_else(port: int) -> None:
    """No port leads elsewhere."""


@dataclass(frozen=True, kw_only=True)
class CheckTarget:
    """The container that is looked at; `behind` tells where a connection to a port of the pod ends, if elsewhere."""

    container_id: str
    pod_ip: str
    ports: Mapping[str, int]
    behind: Callable[[int], tuple[str, int] | None] = _nowhere_else


def named_ports(container: Object) -> dict[str, int]:
    """The ports of a container's spec that have names."""
    return {port["name"]: int(port["containerPort"]) for port in container.get("ports") or () if port.get("name")}


class Checker:
    """Carries out checks from the node's address; used as an async context manager.

    Args:
        runtime: runs commands in containers.
    """

    def __init__(self, runtime: RuntimeClient) -> None:
        self._runtime = runtime
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of what connections are left."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def check(self, handler: Object, target: CheckTarget, *, timeout_seconds: float) -> CheckResult:
        """Carry out the check that a probe or hook describes."""
        if "httpGet" in handler:
            return await self._http(handler["httpGet"], target, timeout_seconds)
        if "tcpSocket" in handler:
            return await self._tcp(handler["tcpSocket"], target, timeout_seconds)
        if "grpc" in handler:
            return await self._grpc(handler["grpc"], target, timeout_seconds)
        if "exec" in handler:
            return await self._exec(handler["exec"], target, timeout_seconds)
        if "sleep" in handler:
            await asyncio.sleep(handler["sleep"]["seconds"])
            return CheckResult(ok=True)
        return CheckResult(ok=False, output="probe type not supported by the sandbox")

    async def _exec(self, action: Object, target: CheckTarget, timeout_seconds: float) -> CheckResult:
        argv = tuple(action.get("command") or ())
        reply = await self._runtime.execute(target.container_id, argv, timeout_seconds=timeout_seconds)
        if reply.timed_out:
            return CheckResult(
                ok=False, output=f'command timed out: "{" ".join(argv)}" timed out after {timeout_seconds:g}s'
            )
        return CheckResult(ok=reply.exit_code == 0 and not reply.error, output=reply.error or reply.output)

    async def _tcp(self, action: Object, target: CheckTarget, timeout_seconds: float) -> CheckResult:
        host, port = action.get("host") or target.pod_ip, _port(action["port"], target)
        if port is None:
            return _no_such_port(action["port"])
        try:
            end_host, end_port = (None if action.get("host") else target.behind(port)) or (host, port)
            async with asyncio.timeout(timeout_seconds):
                _, writer = await asyncio.open_connection(end_host, bindable(end_port))
        except TimeoutError:
            return CheckResult(ok=False, output=f"dial tcp {host}:{port}: i/o timeout")
        except OSError as error:
            return CheckResult(ok=False, output=dial_failure(host, port, error), refused=is_refused(error))
        writer.close()
        return CheckResult(ok=True)

    async def _grpc(self, action: Object, target: CheckTarget, timeout_seconds: float) -> CheckResult:
        host, port = target.pod_ip, int(action["port"])
        try:
            async with asyncio.timeout(timeout_seconds):
                why = await check_health(host, bindable(port), action.get("service") or "", user_agent=_USER_AGENT)
        except TimeoutError:
            slow = f'timeout: failed to connect service "{host}:{port}" within {go_duration(timeout_seconds)}'
            return CheckResult(ok=False, output=f"{slow}: context deadline exceeded")
        except OSError as error:
            failure = dial_failure(host, port, error)
            return CheckResult(ok=False, output=f"error: {failure}", refused=is_refused(error))
        return CheckResult(ok=not why, output=why)

    async def _http(self, action: Object, target: CheckTarget, timeout_seconds: float) -> CheckResult:
        host, port = action.get("host") or target.pod_ip, _port(action["port"], target)
        if port is None:
            return _no_such_port(action["port"])
        scheme = (action.get("scheme") or "HTTP").lower()
        path = "/" + (action.get("path") or "/").removeprefix("/")
        shown = f'Get "{scheme}://{host}:{port}{path}"'
        headers = _headers(action, f"{host}:{port}")
        try:
            async with asyncio.timeout(timeout_seconds):
                status = await self._fetch(f"{scheme}://{host}:{bindable(port)}{path}", headers)
        except TimeoutError:
            failure = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return CheckResult(ok=False, output=f"{shown}: {failure}")
        except aiohttp.ClientConnectorError as error:
            failure = dial_failure(host, port, error.os_error)
            return CheckResult(ok=False, output=f"{shown}: {failure}", refused=is_refused(error.os_error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return CheckResult(ok=False, output=f"{shown}: {exchange_failure(host, port, error)}")
        if 200 <= status < 400:
            return CheckResult(ok=True)
        return CheckResult(ok=False, output=f"HTTP probe failed with statuscode: {status}")

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> int:
        """The status of the answer; redirects are followed as long as they stay on the host."""
        host = urlsplit(url).hostname
        for _ in range(_MOST_REDIRECTS):
            async with self._client().get(url, headers=headers, allow_redirects=False) as response:
                await response.content.read(_MOST_BODY_BYTES)
                location = response.headers.get("Location")
                if not 300 <= response.status < 400 or not location:
                    return response.status
                url = str(response.url.join(type(response.url)(location)))
                if urlsplit(url).hostname != host:
                    return response.status
        raise ValueError(f"stopped after {_MOST_REDIRECTS} redirects")

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # As the kubelet's: no kept connections, certificates not verified, environment proxies ignored.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._session = aiohttp.ClientSession(
                connector=RememberingConnector(ssl=context, limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


def _headers(action: Object, host: str) -> dict[str, str]:
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Host": host}
    return headers | {header["name"]: header["value"] for header in action.get("httpHeaders") or ()}


def _port(port: Any, target: CheckTarget) -> int | None:
    if isinstance(port, int):
        return port
    return target.ports.get(port) or (int(port) if str(port).isdecimal() else None)


def _no_such_port(port: Any) -> CheckResult:
    return CheckResult(ok=False, output=f'couldn\'t find port: "{port}"')
