"""Sends recorded requests to a whole sandbox and compares its answers with those of a real cluster.

The recordings (`rest/*.jsonl`) are exchanges with a Kubernetes v1.36.2 API server, in scenarios of one namespace each.
Waits, watches with another client at work and upgraded connections have modules of their own beside this one.

    python -m tests.conformance rest/errors
"""

import asyncio
import contextlib
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.conformance.access import Access, recorded_cluster
from tests.conformance.comparison import Comparison, head_differences, parsed
from tests.conformance.deliberate import excuse
from tests.conformance.frames import Upgrade, handshake_headers
from tests.conformance.meanwhile import Meanwhile
from tests.conformance.scores import Outcome, Score, Suite
from tests.conformance.waits import Waits
from tests.conformance.watching import Watching, untimed

_GENERATED = re.compile(
    r"kube-api-access-[a-z0-9]{5}|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-F]{128}"
)
_SERVICE_ADDRESS = re.compile(r"\b10\.96\.\d+\.(\d+)\b(?!/)")
_SHORTEST_MS, _LONGEST_MS = 10, 40
_NOT_SENT = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_COLLECTION = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(/watch)?((?:/namespaces/[^/]+)?/[^/?]+)")


def lines_of(golden: Path, topic: str) -> list[dict[str, Any]]:
    """The recorded lines of a topic."""
    with (golden / "rest" / f"{topic}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


async def _text(answer: aiohttp.ClientResponse, *, until_ms: float | None) -> str:
    """A body; what came of it until then, where the client of the recording went in the middle."""
    if until_ms is None:
        return await answer.text(errors="replace")
    text = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(until_ms / 1000):
            async for chunk in answer.content.iter_any():
                text += chunk
    answer.close()
    return text.decode(errors="replace")


class Replay:
    """Replays topics against one cluster.

    Args:
        cluster: the cluster.
        golden: the folder of recordings.
    """

    def __init__(self, cluster: Access, golden: Path) -> None:
        self._cluster = cluster
        self._golden = golden
        self._waits = Waits(cluster)
        self._comparison = Comparison()
        self._saved: dict[str, str] = {}
        self._learned: dict[str, str] = {}
        self._namespace = ""
        self._touched: list[str] = []
        self._namespaces: set[str] = set()
        self._services = ""

    async def run(self, topic: str) -> Score:
        """Send every exchange in order."""
        outcomes: list[Outcome] = []
        slow: list[asyncio.Task[Outcome]] = []
        service = await self._cluster.call("GET", "/api/v1/namespaces/default/services/kubernetes")
        self._services = service["spec"]["clusterIP"].rpartition(".")[0]
        lines = lines_of(self._golden, topic)
        for index, line in enumerate(lines):
            if line["type"] == "scenario":
                await self._begin(line)
            elif line["type"] == "wait":
                await self._waits.until(line["wait"], self._namespace, touched=self._touched)
            elif _is_slow(line):
                # The server only waits for something that never comes: no reason to wait with it.
                slow.append(asyncio.create_task(self._exchange(line, [])))
            else:
                outcomes.append(await self._exchange(line, lines[index + 1 :]))
        outcomes += await asyncio.gather(*slow)
        for outcome in outcomes:
            excuse(topic, outcome)
        return Score.of(outcomes, self._waits.notes)

    async def _begin(self, scenario: dict[str, Any]) -> None:
        """A namespace as every scenario finds it, and what another topic's scenario had set up there."""
        self._saved, self._touched = {}, []
        self._namespace = scenario["namespace"] or ""
        self._namespaces.add(self._namespace)
        if not self._namespace:
            return
        await self._cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": self._namespace}})
        await self._waits.until("default service account", self._namespace)
        if "setup" in scenario:
            for line in self._setup():
                if line["type"] == "wait":
                    await self._waits.until(line["wait"], self._namespace)
                else:
                    await self._cluster.call("POST", line["request"]["path"], line["request"]["body"])

    def _setup(self) -> Iterator[dict[str, Any]]:
        """What the scenario that shares this namespace does before its first look at something."""
        for topic in SUITE.topics(self._golden):
            is_it = False
            for line in lines_of(self._golden, topic):
                if line["type"] == "scenario":
                    is_it = line["namespace"] == self._namespace and "setup" not in line
                elif is_it and line["type"] != "wait" and line["request"]["method"] != "POST":
                    return
                elif is_it:
                    yield line

    async def _exchange(self, line: dict[str, Any], later: list[dict[str, Any]]) -> Outcome:
        request, expected = line["request"], line["response"]
        template = line.get("template") or {}
        path = self._fill(template.get("path", request["path"]))
        self._touch(request, path)
        headers = {name: self._fill(value) for name, value in request["headers"].items()}
        await self._authorize(request.get("auth"), headers)
        outcome = Outcome(f"{request['method']} {line['case']}")
        if "events" not in expected:
            # Controllers work on between two requests: they get the time they had.
            await asyncio.sleep(min(max(expected.get("ms", 0), _SHORTEST_MS), _LONGEST_MS) / 1000)
        if "Upgrade" in headers:
            outcome.problems += await self._upgrade(line, path, headers["Authorization"])
            return outcome
        try:
            async with self._cluster.session.request(
                request["method"],
                self._cluster.at(path),
                headers=headers,
                data=self._body(request, template),
                allow_redirects=False,
                skip_auto_headers=_NOT_SENT,
                timeout=aiohttp.ClientTimeout(total=60),
            ) as answer:
                outcome.problems += head_differences(answer, expected)
                self._learn(answer.headers.get("Etag", "").strip('"'), expected["headers"].get("Etag", "").strip('"'))
                outcome.problems += await self._rest(answer, line, later, path)
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome.problems.append(f"no answer: {error!r}")
        return outcome

    async def _rest(
        self, answer: aiohttp.ClientResponse, line: dict[str, Any], later: list[dict[str, Any]], path: str
    ) -> list[str]:
        """Where what follows the head of an answer differs: a body or events."""
        expected = line["response"]
        if "events" in expected:
            found = _COLLECTION.match(path)
            collection = found[1] + found[3] if found else path
            other = Meanwhile(self._cluster, collection, later=later)
            watching = Watching(answer, expected, line.get("meanwhile") or [], other)
            return self._comparison.events(await watching.events(), untimed(expected["events"]))
        body = parsed(await _text(answer, until_ms=expected["ms"] if "ended" in expected else None))
        self._learn(body, expected.get("body"))
        self._save(line.get("save"), body)
        return self._comparison.differences(body, _without_others(expected.get("body"), self._namespaces))

    async def _upgrade(self, line: dict[str, Any], path: str, authorization: str) -> list[str]:
        """Where a handshake differs, and what is said on the connection afterwards."""
        url, expected = self._cluster.at(path), line["response"]
        protocol = expected["headers"].get("Sec-WebSocket-Protocol", "")
        has_channels = any("channel" in frame for frame in line.get("frames") or ())
        connection = await Upgrade.open(
            url, self._cluster.tls, has_channels=has_channels, in_digits="base64" in protocol
        )
        try:
            head = await connection.ask(url, {**handshake_headers(line), "Authorization": authorization})
            problems = head_differences(head, expected)
            if head.headers.get("Sec-WebSocket-Protocol", "") != protocol:
                problems.append(f"Sec-WebSocket-Protocol: {head.headers.getall('Sec-WebSocket-Protocol', [])}")
            if head.status == expected["status"] == 101:
                return problems + await connection.differences(line.get("frames") or [], self._comparison)
            if "body" in expected:
                problems += self._comparison.differences(parsed(head.body.decode(errors="replace")), expected["body"])
            return problems
        finally:
            connection.close()

    def _touch(self, request: dict[str, Any], path: str) -> None:
        if request["method"] != "GET":
            path = path.partition("?")[0]
            body = request.get("body")
            name = (body.get("metadata") or {}).get("name") if isinstance(body, dict) else None
            self._touched.append(f"{path}/{name}" if request["method"] == "POST" and name else path)
            if path.endswith("/namespaces") and name:
                self._namespaces.add(name)

    def _fill(self, text: str) -> str:
        text = string.Template(text).safe_substitute(self._saved, ns=self._namespace)
        for theirs, ours in self._learned.items():
            text = text.replace(theirs, ours)
        return _SERVICE_ADDRESS.sub(rf"{self._services}.\1", text)

    def _learn(self, ours: Any, theirs: Any) -> None:
        """Remember what generated names and uids of the recording are called here, for later requests."""
        if isinstance(ours, dict) and isinstance(theirs, dict):
            prefix = theirs.get("generateName")
            if prefix and ours.get("generateName") == prefix and "name" in theirs and "name" in ours:
                self._learned[theirs["name"]] = ours["name"]
            for key in ours.keys() & theirs.keys():
                self._learn(ours[key], theirs[key])
        elif isinstance(ours, list) and isinstance(theirs, list):
            for pair in zip(ours, theirs, strict=False):
                self._learn(*pair)
        elif isinstance(ours, str) and isinstance(theirs, str) and ours != theirs and _GENERATED.fullmatch(theirs):
            self._learned[theirs] = ours

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
            headers["Authorization"] = f"Bearer {self._cluster.token}"
        elif "service account" in auth:
            path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{auth.rsplit(' ', 1)[-1]}/token"
            review = await self._cluster.call("POST", path, {"spec": {}})
            headers["Authorization"] = f"Bearer {review['status']['token']}"
        elif "basic" in auth:
            headers["Authorization"] = aiohttp.encode_basic_auth(*auth.rsplit(" ", 1)[-1].split(":"))
        elif "empty" in auth:
            headers["Authorization"] = "Bearer "
        elif "nonsense" in auth or "wrong" in auth:
            headers["Authorization"] = "Bearer nonsense"


def _is_slow(line: dict[str, Any]) -> bool:
    response = line["response"]
    return line["request"]["method"] == "GET" and response["status"] == 504 and "save" not in line


def _without_others(body: Any, namespaces: set[str]) -> Any:
    """A recorded list of the whole cluster without what other scenarios had in it just then."""
    if not isinstance(body, dict):
        return body
    for key in ("items", "rows"):
        if isinstance(body.get(key), list):
            kept = [entry for entry in body[key] if _is_known(entry, namespaces)]
            is_bare = body.get("kind") == "PartialObjectMetadataList"
            return {**body, key: None if is_bare and not kept else kept}
    return body


def _is_known(entry: dict[str, Any], namespaces: set[str]) -> bool:
    metadata = entry.get("metadata") or (entry.get("object") or {}).get("metadata") or {}
    name = metadata.get("namespace") or metadata.get("name", "")
    if name in namespaces:
        return True
    managers = [entry["manager"] for entry in metadata.get("managedFields") or []]
    is_somebodys = "namespace" not in metadata and any(manager.startswith("kubectl") for manager in managers)
    return not name.startswith("gold-") and not is_somebodys


async def replay_topic(golden: Path, topic: str) -> Score:
    """Replay one topic against a sandbox of its own."""
    async with recorded_cluster() as cluster:
        return await Replay(cluster, golden).run(topic)


SUITE = Suite("rest", ".jsonl", replay_topic)
