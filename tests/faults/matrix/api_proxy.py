"""Stands between Seatrial and a server, and lets one fault strike at one request that changes something.

The server is the API server, or another that a step talks to, such as an Alertmanager.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.matrix.faults import LONG_OUTAGE_SECONDS, OUTAGES, Fault, Kind, Moment, Phase

OUTAGE_SECONDS = 3.5
_FAILING_ANSWERS = 3
_HOP = {"host", "transfer-encoding", "connection", "keep-alive", "content-length", "content-encoding"}
_READ_ONLY_POSTS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews", "/events")
_CLEAN_UP_BEGINS = "/matrix/clean-up"
_Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


@dataclass
class Upstream:
    """The server itself, with an administrator's credentials."""

    url: str
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)


class ApiProxy:
    """A server whose requests pass through here; `strike` is what a fault that isn't an outage does.

    `others` are told when clean-up begins, which only the API server hears.
    """

    def __init__(
        self,
        upstream: Upstream,
        fault: Fault | None,
        strike: Callable[[], Coroutine[Any, Any, None]],
        *,
        others: Sequence["ApiProxy"] = (),
    ) -> None:
        self.changes = {Phase.ACTION: 0, Phase.CLEAN_UP: 0}
        self.struck = False
        self._upstream = upstream
        self._fault = fault
        self._strike = strike
        self._others = others
        self._phase = Phase.ACTION
        self._failing = 0
        self._failing_until = 0.0
        self._down_until = 0.0
        self._silent_until = 0.0
        self._port = 0
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0)
        self._site: web.TCPSite | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ApiProxy"]:
        await self._runner.setup()
        await self._listen()
        try:
            yield self
        finally:
            await self.settled()
            await self._runner.cleanup()

    def heal(self) -> None:
        """From here on everything passes."""
        self._fault = None
        self._failing = 0
        self._failing_until = 0.0

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[-1][1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == _CLEAN_UP_BEGINS:
            for each in (self, *self._others):
                each._phase = Phase.CLEAN_UP
            return web.json_response({})
        await self._sleep_until(self._silent_until)
        if self._loop_time() < self._down_until:
            return self._cut(request)
        if self._failing or self._loop_time() < self._failing_until:
            self._failing = max(0, self._failing - 1)
            return self._failure()
        body = b"" if _is_stream(request) else await request.read()
        if not self._is_change(request):
            return await self._pass_on(request, body)
        self.changes[self._phase] += 1
        fault = self._fault
        mine = fault and (self._phase, self.changes[self._phase]) == (fault.phase, fault.change)
        if fault is None or self.struck or not mine:
            return await self._pass_on(request, body)
        self.struck = True
        return await self._strike_at(request, body, fault)

    async def _strike_at(self, request: web.Request, body: bytes, fault: Fault) -> web.StreamResponse:
        if fault.kind in OUTAGES:
            return await self._outage(request, body, fault)
        if fault.moment is Moment.BEFORE:
            await self._strike_now()
            if fault.kind in {Kind.SIGINT, Kind.SIGTERM, Kind.SIGKILL}:
                return await self._never(request)
            return await self._pass_on(request, body)
        if fault.moment is Moment.DURING:
            answer = await self._ask(request, body)
            await self._strike_now()
            if fault.kind in {Kind.SIGINT, Kind.SIGTERM, Kind.SIGKILL}:
                return await self._never(request)
            return answer
        response = await self._pass_on(request, body)
        await _end(response)
        await self._strike_now()
        return response

    async def _outage(self, request: web.Request, body: bytes, fault: Fault) -> web.StreamResponse:
        if fault.moment is Moment.AFTER:
            response = await self._pass_on(request, body)
            await _end(response)
            self._begin_outage(fault)
            return response
        # What is told to come back later was not carried out (Kubernetes documentation, "API Priority and Fairness").
        if fault.moment is Moment.DURING and fault.kind is not Kind.ERROR_429:
            await self._ask(request, body)
        self._begin_outage(fault)
        if fault.kind is Kind.HANGING:
            return await self._never(request)
        if fault.kind is Kind.GONE:
            return self._cut(request)
        self._failing = max(0, self._failing - 1)
        return self._failure()

    def _begin_outage(self, fault: Fault) -> None:
        until = self._loop_time() + (LONG_OUTAGE_SECONDS if fault.is_long else OUTAGE_SECONDS)
        if fault.kind is Kind.HANGING:
            self._silent_until = until
        elif fault.kind is Kind.GONE:
            self._down_until = until
            self._start(self._go_away(until))
        elif fault.is_long:
            self._failing_until = until
        else:
            self._failing = _FAILING_ANSWERS

    async def _go_away(self, until: float) -> None:
        """Nothing listens, and what was open is reset."""
        assert self._site is not None
        await self._site.stop()
        for connection in list(self._runner.server.connections if self._runner.server else ()):
            connection.force_close()
        await self._sleep_until(until)
        await self._listen()

    def _failure(self) -> web.Response:
        code = 429 if self._fault and self._fault.kind is Kind.ERROR_429 else 500
        reason = "TooManyRequests" if code == 429 else "InternalError"
        status = {"kind": "Status", "status": "Failure", "message": "made for the test", "reason": reason, "code": code}
        headers = {"Retry-After": "1"} if code == 429 else {}
        return web.json_response(status, status=code, headers=headers)

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _never(self, request: web.Request) -> web.Response:
        """No answer, for as long as somebody waits for one, which a program that outlives Seatrial does to the end."""
        while self._fault and not (request.transport is None or request.transport.is_closing()):  # noqa: ASYNC110 -- no event
            await asyncio.sleep(0.05)
        return self._cut(request)

    async def _ask(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if _is_stream(request):
            return await self._bridge(request)
        async with self._forwarded(request, body) as answer:
            headers = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
            return web.Response(status=answer.status, headers=headers, body=await answer.read())

    async def _pass_on(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if _is_stream(request):
            return await self._bridge(request)
        async with self._forwarded(request, body) as answer:
            headers = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
            response = web.StreamResponse(status=answer.status, headers=headers)
            with contextlib.suppress(ConnectionError):  # the client has gone
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response

    def _forwarded(self, request: web.Request, body: bytes) -> "aiohttp.client._RequestContextManager":
        kept = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
        url = f"{self._upstream.url}{request.raw_path}"
        return self._upstream.session.request(
            request.method, url, data=body or None, headers={**kept, **self._upstream.headers}, allow_redirects=False
        )

    async def _bridge(self, request: web.Request) -> web.StreamResponse:
        wanted = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if each.strip()]
        url = f"{self._upstream.url}{request.raw_path}"
        try:
            inner = await self._upstream.session.ws_connect(
                url, protocols=wanted, headers=self._upstream.headers, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as error:
            return web.Response(status=error.status)
        outer = web.WebSocketResponse(protocols=[inner.protocol] if inner.protocol else [], max_msg_size=0)
        await outer.prepare(request)
        back = asyncio.create_task(_copy(inner, outer))
        await _copy(outer, inner)
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)
        return outer

    def _is_change(self, request: web.Request) -> bool:
        if _is_stream(request):
            return request.path.endswith("/exec")
        if request.method not in {"POST", "PUT", "PATCH", "DELETE"} or "dryRun" in request.query:
            return False
        return not any(word in request.path for word in _READ_ONLY_POSTS)

    async def _strike_now(self) -> None:
        """To the end, also where the client goes away meanwhile."""
        task = self._start(self._strike())
        await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait until what was begun here is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()

    async def _sleep_until(self, when: float) -> None:
        if (left := when - self._loop_time()) > 0:
            await asyncio.sleep(left)


def _is_stream(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def _end(response: web.StreamResponse) -> None:
    if not isinstance(response, web.WebSocketResponse):
        await response.write_eof()


async def _copy(one: _Socket, other: _Socket) -> None:
    async for message in one:
        if message.type is aiohttp.WSMsgType.BINARY:
            await other.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await other.send_str(message.data)
    await other.close()
