"""A client of Alertmanager's API version 2, as its OpenAPI document describes it: silences, and nothing else.

Proxies named by environment variables are ignored; TLS certificates are verified unless that is switched off; a user
and password may stand in the URL and are shown nowhere.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
import yarl

from seatrial import __version__
from seatrial.errors import AlertmanagerError

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 16 * 1024 * 1024
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an Alertmanager is: the URL that ends in `/api/v2`, and how to get there."""

    url: str
    proxy: str = ""
    insecure: bool = False

    @property
    def shown(self) -> str:
        """The URL as it may be shown: without user and password."""
        return str(yarl.URL(self.url).with_user(None))

    def as_json(self) -> dict[str, Any]:
        """What stands in the journal, which only its owner can read."""
        return {"url": self.url, "proxy": self.proxy, "insecure": self.insecure}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Address":
        """Read what `as_json` wrote."""
        return cls(url=data["url"], proxy=data["proxy"], insecure=data["insecure"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence as Alertmanager tells it: `state` is `pending`, `active` or `expired`."""

    id: str
    created_by: str
    state: str


class Alertmanager:
    """One Alertmanager. Use with `async with`. Every method raises `AlertmanagerError`."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._session = aiohttp.ClientSession(
            headers={"User-Agent": f"seatrial/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def silence_all(self, *, created_by: str, comment: str, starts_at: datetime, ends_at: datetime) -> str:
        """Silence every alert; tells the silence's id.

        Every alert of Prometheus has the label `alertname`. A matcher that fits an absent label too, such as `.*`, is
        refused where no other stands beside it.
        """
        matcher = {"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}
        silence = {
            "matchers": [matcher],
            "startsAt": starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
            "createdBy": created_by,
            "comment": comment,
        }
        answer = await self._request("POST", "silences", silence)
        identifier = answer.get("silenceID") if isinstance(answer, dict) else None
        if not isinstance(identifier, str) or not identifier:
            raise self._strange()
        return identifier

    async def silence(self, identifier: str) -> Silence:
        """One silence."""
        return self._read(await self._request("GET", f"silence/{identifier}"))

    async def silences(self, *, created_by: str) -> list[Silence]:
        """The silences of one creator that have not expired."""
        answer = await self._request("GET", "silences")
        if not isinstance(answer, list):
            raise self._strange()
        silences = (self._read(each) for each in answer)
        return [each for each in silences if each.created_by == created_by and each.state != "expired"]

    async def expire(self, identifier: str) -> None:
        """End a silence; Alertmanager keeps it as expired."""
        await self._request("DELETE", f"silence/{identifier}")

    async def _request(self, method: str, path: str, body: Any = None) -> Any:
        address = self.address
        try:
            async with self._session.request(
                method,
                f"{address.url.rstrip('/')}/{path}",
                json=body,
                proxy=address.proxy or None,
                ssl=not address.insecure,
                allow_redirects=False,
            ) as response:
                content = await self._body(response)
        except TimeoutError:
            raise AlertmanagerError(
                f"{address.shown} did not answer within {_TIMEOUT_SECONDS:g} s", hint=_NETWORK_HINT, may_pass=True
            ) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise AlertmanagerError(
                f"the certificate of {address.shown} is not trusted: {error.certificate_error}",
                hint="'insecure: true' accepts any certificate",
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            said = f"can't reach {address.shown}: {reason}"
            raise AlertmanagerError(said, hint=_NETWORK_HINT, may_pass=True) from error
        text = content.decode(errors="replace")
        if response.status != 200:
            said = " ".join(text.split())[:_MOST_SHOWN]
            what = f"{method} {path.partition('/')[0]}"
            told = f"{address.shown} answered {what} with {response.status}: {said}"
            raise AlertmanagerError(told, may_pass=response.status == 429 or response.status >= 500)
        if method == "DELETE":
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise self._strange() from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise AlertmanagerError(f"{self.address.shown} answered with more than {_MOST_BYTES // 2**20} MiB")
        return bytes(body)

    def _read(self, data: Any) -> Silence:
        try:
            return Silence(id=data["id"], created_by=data["createdBy"], state=data["status"]["state"])
        except (TypeError, KeyError):
            raise self._strange() from None

    def _strange(self) -> AlertmanagerError:
        return AlertmanagerError(
            f"{self.address.shown} answered what no Alertmanager would", hint="the URL has to end in /api/v2"
        )


_NETWORK_HINT = "check the URL, the proxies of the step, and the network"
