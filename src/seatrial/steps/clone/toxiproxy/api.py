"""Toxiproxy's HTTP interface, as far as a copy's sidecar is told what to do.

The subset that all versions have, from 2.0 on: what is changed is changed by POST, and nothing by `/populate`, which
older ones refuse when a proxy exists. Source: Toxiproxy's README, "HTTP API".
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import yarl

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.steps.clone.toxiproxy.layout import PlannedToxic

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class ToxiproxyError(ClusterError):
    """A sidecar can't be reached, or refuses what it is told."""


class RefusedError(ToxiproxyError):
    """A sidecar answered, and won't do what it is told: asking again would change nothing."""


class ShownToxic(msgspec.Struct, frozen=True):
    """A toxic as Toxiproxy shows it; versions before 2.0.1 know no toxicity."""

    name: str
    type: str
    stream: str
    toxicity: float = 1.0
    attributes: dict[str, Any] = {}

    def is_as(self, planned: PlannedToxic) -> bool:
        """Whether it does what was planned. Toxiproxy keeps the toxicity as a 32-bit number."""
        return (
            (self.name, self.type, self.stream) == (planned.name, planned.type, planned.stream)
            and abs(self.toxicity - planned.toxicity) < 1e-6
            and all(self.attributes.get(name) == value for name, value in planned.attributes)
        )


class ShownProxy(msgspec.Struct, frozen=True):
    """A proxy as Toxiproxy shows it."""

    name: str
    enabled: bool
    toxics: tuple[ShownToxic, ...] | None = None


_proxies_decoder = msgspec.json.Decoder(dict[str, ShownProxy])


class _Refusal(msgspec.Struct, frozen=True):
    """An error of Toxiproxy: `title` before 2.1.4, `error` since."""

    error: str = ""
    title: str = ""


class ToxiproxyApi:
    """The interface of one sidecar, behind a port of this machine."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def proxies(self) -> dict[str, ShownProxy]:
        """All proxies with their toxics.

        Raises:
            ToxiproxyError: there is no answer, or none of Toxiproxy's.
        """
        body = await self._ask("GET", "/proxies")
        try:
            return _proxies_decoder.decode(body)
        except msgspec.DecodeError as error:
            raise ToxiproxyError(f"Toxiproxy's answer can't be read: {error}") from error

    async def create_proxy(self, name: str, *, listen: str, upstream: str) -> None:
        """Make a proxy that listens at once."""
        await self._ask("POST", "/proxies", {"name": name, "listen": listen, "upstream": upstream, "enabled": True})

    async def add_toxic(self, toxic: PlannedToxic) -> None:
        """Put a toxic into its proxy."""
        body = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        await self._ask("POST", f"/proxies/{quote(toxic.proxy, safe='')}/toxics", body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(method, yarl.URL(path, encoded=True), data=data) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ToxiproxyError(f"Toxiproxy doesn't answer: {str(error) or type(error).__name__}") from error
        if response.status >= 300:
            raise RefusedError(f"Toxiproxy refuses {method} {path}: {_reason(answer) or response.status}")
        return answer


@asynccontextmanager
async def sidecar_api(cluster: Client, *, namespace: str, pod: str, port: int) -> AsyncIterator[ToxiproxyApi]:
    """The interface of a pod's sidecar, through a port-forward; `port` is the pod's.

    Raises:
        ClusterError: in the block, where the pod can't be reached; the API server's reason, where it gave one.
    """
    async with cluster.port_forward(pod, port=port, namespace=namespace) as forward:
        base = f"http://{forward.host}:{forward.port}"
        async with aiohttp.ClientSession(base, timeout=_TIMEOUT, trust_env=False) as session:
            try:
                yield ToxiproxyApi(session)
            except RefusedError:
                raise
            except ToxiproxyError as error:
                if forward.failure is not None:
                    raise forward.failure from error
                raise


def _reason(body: bytes) -> str:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return refusal.error or refusal.title
