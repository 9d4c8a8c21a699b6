"""A system under test in small: `/probe` answers what the test says, `/gate` holds a step up until it is opened."""

import asyncio

from aiohttp import web


class SwitchedServer:
    """Answers `status` to each probe; None leaves it without an answer until the server stops."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.probes = 0
        self.entered = asyncio.Event()
        self._open = asyncio.Event()
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> "SwitchedServer":
        app = web.Application()
        app.add_routes([web.get("/probe", self._probe), web.get("/gate", self._gate)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        assert self._runner
        self.open()
        await self._runner.cleanup()

    def open(self) -> None:
        """Let the step go on."""
        self._open.set()

    async def more(self, probes: int) -> None:
        """Wait until so many more probes have come."""
        wanted = self.probes + probes
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.probes >= wanted)

    async def _probe(self, _request: web.Request) -> web.Response:
        async with self._changed:
            self.probes += 1
            self._changed.notify_all()
        if self.status is None:
            await self._open.wait()
        return web.Response(status=self.status or 200)

    async def _gate(self, _request: web.Request) -> web.Response:
        self.entered.set()
        await self._open.wait()
        return web.Response()

    @property
    def probe(self) -> dict:
        """The probe, as a policy has it."""
        return {"probeHTTP": {"target": {"url": f"{self.url}/probe"}, "retries": 1, "timeout": 20_000}}

    @property
    def step(self) -> dict:
        """A step that lasts until the gate is opened."""
        return {"probeHTTP": {"target": {"url": f"{self.url}/gate"}, "retries": 1, "timeout": 60_000}}
