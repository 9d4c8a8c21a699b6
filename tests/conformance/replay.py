"""Sends recorded requests to the sandbox's API server and compares its answers with those of a real one.

The recordings (`golden/*.jsonl`) are exchanges with a Kubernetes v1.36.2 API server. To see what differs in one topic:

    python tests/conformance/replay.py errors
"""

import asyncio
import json
import re
import ssl
import string
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from yarl import URL

from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.controllers.manager import ControllerManager
from seatrial.sandbox.pki import Authority
from tests.conformance.masking import differences, mask
from tests.conformance.stand_in import StandIn

GOLDEN = Path(__file__).parent / "golden"
_COMPARED_HEADERS = ("Content-Type", "Warning", "Retry-After", "Allow", "Location")
_GENERATED = re.compile(r"kube-api-access-\w{5}|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_NOT_SENT = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass
class Outcome:
    """How one exchange went: nothing in `problems` means alike."""

    case: str
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Score:
    """How many of a topic's exchanges were answered alike."""

    alike: int
    total: int
    outcomes: tuple[Outcome, ...]

    @property
    def percent(self) -> float:
        """The share, in percent."""
        return 100 * self.alike / self.total


def lines_of(topic: str) -> Iterator[dict[str, Any]]:
    """The recorded lines of a topic."""
    with (GOLDEN / f"{topic}.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


class Replay:
    """Replays one topic against one server."""

    def __init__(self, server: ApiServer, session: aiohttp.ClientSession, stand_in: StandIn) -> None:
        self._server = server
        self._session = session
        self._stand_in = stand_in
        self._saved: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._namespace = ""

    async def run(self, topic: str) -> Score:
        """Send every exchange in order."""
        outcomes = []
        for line in lines_of(topic):
            if line["type"] == "scenario":
                await self._begin(line)
            elif line["type"] == "wait":
                await self._stand_in.settle()
            elif "meanwhile" not in line and "frames" not in line:
                outcomes.append(await self._exchange(line))
        alike = sum(not outcome.problems for outcome in outcomes)
        return Score(alike, len(outcomes), tuple(outcomes))

    async def _begin(self, scenario: dict[str, Any]) -> None:
        self._saved = {}
        self._namespace = scenario["namespace"] or ""
        if self._namespace:
            body = {"metadata": {"name": self._namespace}}
            await self._server.api.as_manager("unknown").create("namespaces", body)

    async def _exchange(self, line: dict[str, Any]) -> Outcome:
        request, expected = line["request"], line["response"]
        template = line.get("template") or {}
        path = self._fill(template.get("path", request["path"]))
        headers = dict(request["headers"])
        await self._authorize(request.get("auth"), headers)
        outcome = Outcome(f"{request['method']} {line['case']}")
        async with self._session.request(
            request["method"],
            URL(self._server.url + path, encoded=True),
            headers=headers,
            data=self._body(request, template),
            skip_auto_headers=_NOT_SENT,
            timeout=aiohttp.ClientTimeout(total=20),
        ) as answer:
            stream = "events" in expected
            text = await _begun(answer, _untimed(expected["events"])) if stream else await answer.text(errors="replace")
            outcome.problems += _compare_status(answer, expected)
        if "events" in expected:
            ours = [json.loads(event) for event in text.splitlines() if event.startswith('{"type"')]
            outcome.problems += _compare_events(ours, expected["events"])
        else:
            body = _parsed(text)
            self._learn(body, expected.get("body"))
            self._save(line.get("save"), body)
            outcome.problems += _compare_bodies(body, expected.get("body"))
        return outcome

    def _fill(self, text: str) -> str:
        text = string.Template(text).safe_substitute(self._saved, ns=self._namespace)
        for theirs, ours in self._names.items():
            text = text.replace(theirs, ours)
        return text

    def _learn(self, ours: Any, theirs: Any) -> None:
        """Remember what generated names and uids of the recording are called here, for later requests."""
        if isinstance(ours, dict) and isinstance(theirs, dict):
            for key in ours.keys() & theirs.keys():
                self._learn(ours[key], theirs[key])
        elif isinstance(ours, list) and isinstance(theirs, list):
            for pair in zip(ours, theirs, strict=False):
                self._learn(*pair)
        elif isinstance(ours, str) and isinstance(theirs, str) and ours != theirs and _GENERATED.fullmatch(theirs):
            self._names[theirs] = ours

    def _body(self, request: dict[str, Any], template: dict[str, Any]) -> bytes | None:
        body = template.get("body", request.get("body"))
        if "body" not in request and "body" not in template:
            return None
        text = body if isinstance(body, str) else json.dumps(body)
        return self._fill(text).encode()

    def _save(self, wanted: dict[str, str] | None, body: Any) -> None:
        for name, path in (wanted or {}).items():
            value = body
            for key in path.split("."):
                value = value.get(key) if isinstance(value, dict) else None
            self._saved[name] = "" if value is None else str(value)

    async def _authorize(self, auth: str | None, headers: dict[str, str]) -> None:
        if auth is None:
            headers["Authorization"] = "Bearer administrator"
        elif "service account" in auth:
            name = auth.rsplit(" ", 1)[-1]
            body = {"metadata": {"name": name}, "spec": {}}
            review = await self._server.api.create("serviceaccounts/token", body, self._namespace)
            headers["Authorization"] = f"Bearer {review['status']['token']}"
        elif "empty" in auth:
            headers["Authorization"] = "Bearer "
        elif "nonsense" in auth or "wrong" in auth:
            headers["Authorization"] = "Bearer nonsense"


async def _begun(answer: aiohttp.ClientResponse, expected: list[Any]) -> str:
    """What a watch says before it falls silent: sooner, when it has said as much as is expected."""
    text = b""
    try:
        while not answer.content.at_eof():
            is_enough = text.count(b"\n") >= len(expected)
            async with asyncio.timeout(0.1 if is_enough else 1):
                text += await answer.content.readany()
    except TimeoutError:
        answer.close()
    return text.decode()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    return yaml.safe_load(text) if text.startswith("apiVersion:") else text or None


def _compare_status(answer: aiohttp.ClientResponse, expected: dict[str, Any]) -> list[str]:
    problems = []
    if answer.status != expected["status"]:
        problems.append(f"status {answer.status}, expected {expected['status']}")
    for name in _COMPARED_HEADERS:
        ours: Any = answer.headers.getall(name, [])
        theirs = expected["headers"].get(name, [])
        theirs = [theirs] if isinstance(theirs, str) else theirs
        if ours != theirs and not (name == "Content-Type" and expected["status"] == 304):
            problems.append(f"{name}: {ours}, expected {theirs}")
    return problems


def _compare_bodies(ours: Any, theirs: Any) -> list[str]:
    if isinstance(theirs, dict) and ("$elided" in theirs or "$binary" in theirs):
        return []
    theirs = _parsed(theirs) if isinstance(theirs, str) else theirs
    return differences(mask(ours), mask(theirs))


def _compare_events(ours: list[Any], theirs: list[Any]) -> list[str]:
    """Events without bookmarks that come by the clock."""
    kept = [{"type": event["type"], "object": event["object"]} for event in _untimed(theirs)]
    found = _untimed(ours)
    if len(found) != len(kept):
        names = [event["type"] for event in found], [event["type"] for event in kept]
        return [f"events {names[0]}, expected {names[1]}"]
    return differences(mask(found), mask(kept))


def _untimed(events: list[Any]) -> list[Any]:
    return [event for event in events if not _timed(event)]


def _timed(event: dict[str, Any]) -> bool:
    metadata = event["object"].get("metadata", {})
    return event["type"] == "BOOKMARK" and "annotations" not in metadata


@asynccontextmanager
async def replay(directory: Path) -> AsyncIterator[Replay]:
    """A fresh server with the sandbox's controllers, and a stand-in for scheduler and kubelets."""
    authority = Authority.create(directory)
    config = ApiServerConfig("127.0.0.1", 0, directory, "10.96.0.0/16", "administrator")
    server = ApiServer(config, authority)
    await server.start()
    tls = ssl.create_default_context(cafile=str(authority.ca_file))
    connector = aiohttp.TCPConnector(ssl=tls)
    try:
        async with aiohttp.ClientSession(connector=connector) as session, StandIn(server.api) as stand_in:
            controllers = asyncio.create_task(ControllerManager(server.api).run())
            yield Replay(server, session, stand_in)
            controllers.cancel()
            await asyncio.gather(controllers, return_exceptions=True)
    finally:
        await server.stop()


async def _main(topics: list[str]) -> None:
    for topic in topics:
        with tempfile.TemporaryDirectory() as directory:
            async with replay(Path(directory)) as replaying:
                score = await replaying.run(topic)
        for outcome in score.outcomes:
            if outcome.problems and len(topics) == 1:
                print(f"- {outcome.case}")  # noqa: T201 -- a command's output
                for problem in outcome.problems[:8]:
                    print(f"    {problem[:300]}")  # noqa: T201 -- a command's output
        print(f"{topic}: {score.alike} of {score.total} ({score.percent:.1f} %)")  # noqa: T201 -- a command's output


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:] or sorted(path.stem for path in GOLDEN.glob("*.jsonl"))))
