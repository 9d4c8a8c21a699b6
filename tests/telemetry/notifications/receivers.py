"""Somebody who is told: a real HTTP or HTTPS server that keeps what it is sent and answers as a test wants."""

import asyncio
import json
import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Any]


@dataclass
class Call:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """What a server was sent; `answers` are used up one by one, the last of them for ever."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request):
        call = Call(request.method, request.path_qs, dict(request.headers), await request.read())
        self.calls.append(call)
        self._came.set()
        answer = (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]) if self.answers else None
        given = answer(request) if answer else web.Response(text="thanks")
        return await given if asyncio.iscoroutine(given) else given

    async def called(self, times=1):
        """Returns when it was called so often."""
        async with asyncio.timeout(30):
            while len(self.calls) < times:
                self._came.clear()
                await self._came.wait()
        return self.calls[times - 1]


def status(code, text="", **headers):
    """An answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=code, text=text, headers=named)


def hang(_):
    """An answer that never comes."""
    return asyncio.sleep(60, result=web.Response())


@asynccontextmanager
async def receiving(*answers, tls: ssl.SSLContext | None = None, host="127.0.0.1"):
    """A receiver for the length of a block."""
    receiver = Receiver(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://{'localhost' if tls else host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
