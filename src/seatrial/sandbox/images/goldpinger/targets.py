"""Checks of the world outside: names to resolve, TCP and HTTP targets (HOSTS_TO_RESOLVE, TCP_TARGETS, HTTP_TARGETS)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from seatrial.sandbox.images.goldpinger.metrics import Metrics
from seatrial.sandbox.images.goldpinger.settings import Settings

if TYPE_CHECKING:
    import aiohttp


async def probe_targets(
    settings: Settings, session: "aiohttp.ClientSession", *, metrics: Metrics
) -> dict[str, list[dict[str, Any]]]:
    """`ProbeResults`: target to a list of results, each with its protocol."""

    async def http(url: str) -> None:
        async with session.get(url) as answer:
            if answer.status != 200:
                raise OSError(f"answered {answer.status}")

    results: dict[str, list[dict[str, Any]]] = {}
    for protocol, targets, probe in (
        ("dns", settings.dns_hosts, _resolve),
        ("http", settings.http_targets, http),
        ("tcp", settings.tcp_targets, _connect),
    ):
        for target in targets:
            result = await _timed(probe, target, settings.target_timeout_seconds)
            if "error" in result:
                metrics.count(f"goldpinger_{protocol}_errors_total", host=target)
            results.setdefault(target, []).append({"protocol": protocol, **result})
    return results


async def _timed(probe: Callable[[str], Awaitable[None]], target: str, timeout_seconds: float) -> dict[str, Any]:
    import aiohttp  # noqa: PLC0415 -- heavy: loaded when an instance runs

    started = time.monotonic()
    result: dict[str, Any] = {}
    try:
        async with asyncio.timeout(timeout_seconds):
            await probe(target)
    except TimeoutError:
        result["error"] = f"no answer within {timeout_seconds * 1000:.0f} ms"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        result["error"] = str(error) or type(error).__name__
    return {"response-time-ms": int((time.monotonic() - started) * 1000), **result}


async def _resolve(host: str) -> None:
    await asyncio.get_running_loop().getaddrinfo(host, None)


async def _connect(target: str) -> None:
    host, _, port = target.rpartition(":")
    _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.close()
    await writer.wait_closed()
