"""A real browser for the tests: this machine's Chromium, asked over its DevTools protocol.

It needs some hundred libraries, so it can't be taken out of Debian's archive without root, as other programs are: where
there is none (`apt-get install chromium`), the tests that need it are skipped.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_SECONDS = 60
_ANSWER_SECONDS = 30


def browser() -> str | None:
    """The browser's program, where there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """A page of the browser: commands of the DevTools protocol, and the events that came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self.events: list[dict[str, Any]] = []

    async def listen(self) -> None:
        """Take in what the browser says, until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self.events.append(said)
                self._changed.set()

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and await its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_ANSWER_SECONDS):
            said = await answer
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, url: str) -> None:
        """Load a page, and return when all of it is there."""
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            await self.ask(f"{domain}.enable")
        await self.ask("Page.navigate", url=url)
        async with asyncio.timeout(_ANSWER_SECONDS):
            while not self.named("Page.loadEventFired"):
                self._changed.clear()
                await self._changed.wait()

    def named(self, method: str) -> list[dict[str, Any]]:
        """The events of a kind that have come so far."""
        return [each["params"] for each in self.events if each["method"] == method]

    async def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to in the page."""
        result = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"]["value"]


@asynccontextmanager
async def page_in(program: str) -> AsyncIterator[Page]:
    """An empty page in a browser of its own, without its profile and its network services."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
            "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            port = await _port(Path(profile), process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = await answer.json()
                url = next(each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    page = Page(socket)
                    listener = asyncio.create_task(page.listen())
                    yield page
                    listener.cancel()
                    with suppress(asyncio.CancelledError):
                        await listener
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _port(profile: Path, process: asyncio.subprocess.Process) -> int:
    """The port that the browser chose: it writes that to a file, and announces it to nobody."""
    file = profile / "DevToolsActivePort"
    async with asyncio.timeout(_START_SECONDS):
        while not (file.exists() and file.read_text().count("\n")):
            assert process.returncode is None, "the browser ended before it began"
            await asyncio.sleep(0.05)
    return int(file.read_text().split("\n")[0])
