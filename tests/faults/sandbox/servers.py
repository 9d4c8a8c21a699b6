"""An API server with its controllers in a thread of this process, which is told by HTTPS and watched from inside."""

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.controllers.manager import ControllerManager
from seatrial.sandbox.pki import Authority
from seatrial.sandbox.scheduler import Scheduler
from seatrial.sandbox.timing import SANDBOX
from tests.faults.sandbox.raw_http import RawClient

TOKEN = "administrator"


class Complaints(logging.Handler):
    """What the server and its controllers log as errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message of the standard library's logging."""
        self.texts.append(self.format(record))

    def process(self, _logger: Any, method: str, event: dict[str, Any]) -> Any:
        """Keep an error of structlog's, and print nothing."""
        if method in ("error", "exception", "critical"):
            self.texts.append(str(structlog.processors.format_exc_info(_logger, method, event)))
        raise structlog.DropEvent


class Served:
    """A running server.

    Args:
        server: the server.
        authority: whose certificates it trusts.
        complaints: what it logged.
    """

    def __init__(self, server: ApiServer, authority: Authority, complaints: Complaints) -> None:
        self.server = server
        self.complaints = complaints
        self._tls = ssl.create_default_context(cafile=str(authority.ca_file))

    def client(self, **headers: str) -> RawClient:
        """A client with the administrator's token."""
        host, _, port = self.server.url.removeprefix("https://").partition(":")
        base = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        return RawClient((host, int(port)), tls=self._tls, headers={**base, **headers})


@contextmanager
def serving(directory: Path) -> Iterator[Served]:
    """Serve until the block is left; the controllers and the scheduler must still run then."""
    authority = Authority.create(directory / "pki")
    config = ApiServerConfig("127.0.0.1", 0, directory, "10.96.0.0/16", TOKEN)
    complaints, before = Complaints(), structlog.get_config()
    logging.getLogger().addHandler(complaints)
    structlog.configure(processors=[complaints.process], cache_logger_on_first_use=False)
    ready, stop = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        server = ApiServer(config, authority)
        await server.start()
        api = server.api
        manager = ControllerManager(api, timing=SANDBOX.scaled(0.1), volumes=directory / "volumes")
        parts = [asyncio.create_task(part) for part in (manager.run(), Scheduler(api.as_manager("scheduler")).run())]
        found.extend((server, asyncio.get_running_loop()))
        ready.set()
        await stop.wait()
        found.extend(part.exception() for part in parts if part.done())
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30), complaints.texts
        yield Served(found[0], authority, complaints)
    finally:
        if len(found) > 1:
            found[1].call_soon_threadsafe(stop.set)
        thread.join(30)
        logging.getLogger().removeHandler(complaints)
        structlog.configure(**before)
    assert found[2:] == [], "a part of the control plane ended"
