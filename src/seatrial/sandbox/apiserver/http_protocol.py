"""What the server says to bytes that aiohttp's parser refuses, and what it makes of those that are no UTF-8.

Go's parser lets any word pass as a method, so that Kubernetes answers it as it answers all it doesn't serve: with a
Status. The rest is 400, as Go words it, and no entry in the log: anybody may send rubbish.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakSet

import msgspec
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from seatrial.sandbox.apiserver.statuses import failure, method_not_allowed

IDLE_SECONDS: Final = 90.0
"""How long a connection may say nothing, or be in the middle of a request's head."""

BODY_SECONDS: Final = 60.0
"""How long a body may take to arrive, as any request that is no watch may take in Kubernetes."""

_REQUEST_LINE = re.compile(r"[!#$%&'*+.^`|~\w-]+ /\S* HTTP/1\.[01]")


class ApiProtocol(RequestHandler):
    """One connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what couldn't be parsed or handled; the connection ends with it."""
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, BadHttpMethod) and _REQUEST_LINE.search(str(exc)):
            refusal = method_not_allowed()
            data = msgspec.json.encode(refusal.status) + b"\n"
            response = web.Response(status=refusal.code, body=data, content_type="application/json")
        else:
            response = web.Response(status=400, text="400 Bad Request")
        response.force_close()
        return response


class ApiHttpServer(web.Server):
    """Makes an `ApiProtocol` for each connection."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """A connection stands."""
        super().connection_made(handler, transport)
        self._transports.add(transport)

    async def abort(self) -> None:
        """Leave no connection that waits for its client to agree that it ends, as TLS would have it."""
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0)  # the sockets are closed in the next round

    def __call__(self) -> RequestHandler:
        """The handler of a new connection."""
        return ApiProtocol(self, loop=self._loop, **self._kwargs)


class ApiRequest(web.BaseRequest):
    """A request whose body must come in time: one that never does would hold its place among those served."""

    async def read(self) -> bytes:
        """The body; 504 when it doesn't arrive."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await super().read()
        except TimeoutError:
            text = "Timeout: request did not complete within the allotted timeout"
            raise failure(504, "Timeout", text) from None


def legible(message: RawRequestMessage) -> RawRequestMessage:
    """A request's head with a replacement character for what is no UTF-8: such text could be kept, but not written."""
    if all(value.isascii() for value in message.headers.values()) and message.path.isascii():
        return message
    pairs = [(_legible(name), _legible(value)) for name, value in message.headers.items()]
    path = _legible(message.path)
    url = message.url if path == message.path else URL(path, encoded=True)
    return message._replace(headers=CIMultiDictProxy(CIMultiDict(pairs)), path=path, url=url)


def _legible(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
