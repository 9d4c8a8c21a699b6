"""Messages as HTTP requests, signed as Standard Webhooks (standardwebhooks.com) has it.

Each message bears its id (`webhook-id`, `Idempotency-Key`), by which receivers find out what they have had already: a
message whose answer was lost is sent again. What a receiver answers may repeat our secrets, and is scrubbed of them.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import ssl
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self

import aiohttp
import yarl
from multidict import CIMultiDict

from seatrial import __version__
from seatrial.errors import ConfigurationError
from seatrial.policy.notifications import Webhook
from seatrial.policy.secrets import scrubbed
from seatrial.telemetry.notifications.delivery import DeliveryFailed, rendered
from seatrial.telemetry.notifications.message import Message
from seatrial.telemetry.notifications.secret_values import value_of

_MOST_REDIRECTS = 3
_KEPT_BYTES = 4096
_SHOWN = 200
_MAY_PASS = frozenset({408, 409, 423, 425, 429})
_ABOUT_THE_MESSAGE = frozenset({400, 413, 422})
_SAME_REQUEST = frozenset({307, 308})
_SIGNING_PREFIX = "whsec_"


class WebhookCarrier:
    """Sends to one URL; see `delivery.Carrier`. Made by `open`."""

    def __init__(self, spec: Webhook, *, name: str, tls: ssl.SSLContext) -> None:
        self._spec = spec
        self._tls = tls
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=spec.timeout_seconds),
            trust_env=False,
        )
        self.name = f"{name} ({self._url().host})" if spec.name is None else name

    @classmethod
    async def open(cls, spec: Webhook, *, name: str) -> Self:
        """Look at all that the webhook needs, and send nothing.

        Raises:
            ConfigurationError: a secret or a certificate can't be read, or is none.
        """
        _url_of(spec)
        _headers_of(spec)
        _key_of(spec)
        # Reading all authorities that a machine trusts takes 30 ms, which the loop does not have.
        return cls(spec, name=name, tls=await asyncio.to_thread(_tls_context, spec))

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    async def deliver(self, message: Message) -> str:
        """Send the message once; what was answered.

        Raises:
            DeliveryFailed: no answer came, or one that says no.
        """
        try:
            content = _body_of(self._spec, message).encode()
            headers = self._headers(message, content)
            headers.update(_headers_of(self._spec))
            return await self._send(self._url(), content, headers)
        except ConfigurationError as error:
            raise DeliveryFailed(error.message) from error
        except TimeoutError:
            raise DeliveryFailed(f"no answer within {self._spec.timeout_seconds:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", "") or "it does not fit"
            raise DeliveryFailed(f"its certificate is not trusted: {reason}") from error
        except aiohttp.ClientHttpProxyError as error:
            raise DeliveryFailed(f"the proxy answered {error.status}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise DeliveryFailed(f"no answer: {_in_words(error)}") from error

    async def _send(self, url: yarl.URL, content: bytes, headers: CIMultiDict[str]) -> str:
        proxy = self._spec.proxy.get_secret_value() if self._spec.proxy else None
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._session.request(
                self._spec.method.upper(),
                url,
                data=content,
                headers=headers,
                proxy=proxy,
                ssl=self._tls if url.scheme == "https" else True,
                allow_redirects=False,
            ) as response:
                said = (await response.content.read(_KEPT_BYTES)).decode(errors="replace")
            if not 300 <= response.status < 400 or response.status == 304:
                return self._judge(response, said)
            url = _redirected(response, url)
        raise DeliveryFailed(f"more than {_MOST_REDIRECTS} redirects", may_pass=False)

    def _judge(self, response: aiohttp.ClientResponse, said: str) -> str:
        shown = " ".join(scrubbed(said, self._secrets()).split())[:_SHOWN]
        answer = f"{response.status} {shown}".strip()
        if response.ok and response.status != 304:
            return answer
        raise DeliveryFailed(
            f"answered {answer}",
            may_pass=response.status >= 500 or response.status in _MAY_PASS,
            is_hopeless=response.status in _ABOUT_THE_MESSAGE,
            retry_after_seconds=_retry_after(response.headers.get("Retry-After", "")),
        )

    def _url(self) -> yarl.URL:
        return _url_of(self._spec)

    def _headers(self, message: Message, content: bytes) -> CIMultiDict[str]:
        sent = str(int(time.time()))
        headers = CIMultiDict(
            {
                "User-Agent": f"seatrial/{__version__}",
                "Content-Type": "application/json",
                "Idempotency-Key": message.id,
                "webhook-id": message.id,
                "webhook-timestamp": sent,
            }
        )
        if key := _key_of(self._spec):
            headers["webhook-signature"] = signature(key, message_id=message.id, timestamp=sent, body=content)
        return headers

    def _secrets(self) -> list[str]:
        url = self._url()
        proxy = yarl.URL(value_of(self._spec.proxy, None))
        values = [str(url), url.raw_path_qs, url.path, url.password or "", proxy.password or ""]
        values.append(value_of(self._spec.secret, self._spec.secret_from))
        return [*filter(None, (*values, *_headers_of(self._spec).values()))]


def signature(key: bytes, *, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a message: HMAC-SHA256 of `id.timestamp.body`, in base64 after its version."""
    digest = hmac.digest(key, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _url_of(spec: Webhook) -> yarl.URL:
    """The URL, read anew: who rotates a secret file does not want to start Seatrial again."""
    try:
        url = yarl.URL(value_of(spec.url, spec.url_from))
    except ValueError:
        url = yarl.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("what config.notify reads a webhook's URL from holds no URL with http or https")
    return url


def _headers_of(spec: Webhook) -> dict[str, str]:
    headers = {each.name: value_of(each.value, each.value_from) for each in spec.headers}
    for name, value in headers.items():
        if any(character in value for character in "\r\n\0"):
            raise ConfigurationError(f"the value of the webhook's header {name} has several lines")
    return headers


def _key_of(spec: Webhook) -> bytes:
    secret = value_of(spec.secret, spec.secret_from)
    if not secret.startswith(_SIGNING_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_SIGNING_PREFIX), validate=True)
    except binascii.Error as error:
        raise ConfigurationError(f"the webhook's secret has no base64 after {_SIGNING_PREFIX}") from error


def _tls_context(spec: Webhook) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=spec.ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "no PEM certificate"
        raise ConfigurationError(f"can't use the webhook's caFile {Path(spec.ca_file or '')}: {reason}") from error
    if spec.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _body_of(spec: Webhook, message: Message) -> str:
    if spec.body is None:
        return json.dumps(message.values, ensure_ascii=False)
    return rendered(spec.body, message)


def _redirected(response: aiohttp.ClientResponse, url: yarl.URL) -> yarl.URL:
    """Where a redirect leads, if the same request may go there."""
    try:
        target = url.join(yarl.URL(response.headers.get("Location", "")))
    except ValueError:
        target = url
    if response.status in _SAME_REQUEST and target.origin() == url.origin() and target != url:
        return target
    where = "to another host" if target.origin() != url.origin() else "that is not followed"
    raise DeliveryFailed(f"answered {response.status}, a redirect {where}", may_pass=False)


def _in_words(error: Exception) -> str:
    """Without the address, which stands in what asyncio says of it."""
    number = getattr(getattr(error, "os_error", error), "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else type(error).__name__


def _retry_after(header: str) -> float:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0
