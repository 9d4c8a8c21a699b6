"""Replays recorded timelines against a sandbox of three nodes.

The actions of a recording are carried out one after the other, each when the sandbox has come to the state in which the
recording was: the same objects, as ready, as terminating, as often restarted (moments are not compared). What its
controllers and kubelets made of it is then compared with what those of a real cluster made of it: what counts as alike
is written in `timeline_comparison.py`; the score counts objects, and for each object that events were told about one
more. Long recordings are replayed with all of the cluster's own intervals shortened (`Timing.scaled`).
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from seatrial.sandbox.timing import REALISTIC, Timing
from seatrial.testing import sandbox_cluster
from tests.conformance.access import Access, access
from tests.conformance.scores import Score, Suite
from tests.conformance.timeline_comparison import compare
from tests.conformance.timeline_objects import Life, Lives, Words, called, changed, flatten
from tests.conformance.timeline_progress import gap

_LONG_MS = 45_000
_SCALE = 0.1
_PATIENCE_SECONDS = 12.0
_QUIET_SECONDS = 0.4
# Shorter ones are the time that the request before took.
_PAUSE_MS = 500
_LONGEST_PAUSE_SECONDS = 4.2
_LOOK_SECONDS = 0.02
_CRASHING_NODE = "node3"
_MACHINE_ACTIONS = {"the node loses its power": "stop", "the node is started again": "start"}
_PATHS = {
    "namespaces": "/api/v1/namespaces?fieldSelector=metadata.name%3D{}",
    "ns": "/api/v1/namespaces?fieldSelector=metadata.name%3D{}",
    "nodes": "/api/v1/nodes",
    "leases": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "replicasets": "/apis/apps/v1/namespaces/{}/replicasets",
    "statefulsets": "/apis/apps/v1/namespaces/{}/statefulsets",
    "daemonsets": "/apis/apps/v1/namespaces/{}/daemonsets",
    "controllerrevisions": "/apis/apps/v1/namespaces/{}/controllerrevisions",
    "jobs": "/apis/batch/v1/namespaces/{}/jobs",
    "cronjobs": "/apis/batch/v1/namespaces/{}/cronjobs",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "poddisruptionbudgets": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
}
_CORE_PATH = "/api/v1/namespaces/{}/{}"
_DEFAULT_CONTENT = {"PATCH": "application/merge-patch+json"}


@dataclass
class Recording:
    """A timeline: what was done, and what was in the recorded cluster when it was."""

    namespace: str
    watched: list[str]
    events: list[dict[str, Any]]
    lives: Lives = field(default_factory=Lives)

    @classmethod
    def read(cls, file: Path) -> "Recording":
        """Read a file."""
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(content["namespace"], content["watched"], content["events"])

    def __post_init__(self) -> None:
        self.lives.words = Words(self.scale)

    @property
    def scale(self) -> float:
        """What the cluster's own intervals are multiplied by."""
        return _SCALE if self.events[-1]["ms"] > _LONG_MS else 1.0

    @property
    def timing(self) -> Timing:
        """How fast it is replayed."""
        return REALISTIC.scaled(self.scale)

    def played(self) -> "Recording":
        """Another one of the same, at its end."""
        other = Recording(self.namespace, self.watched, self.events)
        for event in self.events:
            if "action" not in event:
                other.apply(event)
        return other

    def apply(self, event: dict[str, Any]) -> None:
        """Go on to what an event tells."""
        kind, name = event["kind"], event.get("name", "")
        if kind == "Event":
            _tell(self.lives, event["event"])
        elif event["type"] == "DELETED":
            if self.lives.named(kind, name) is None:
                self.lives.see(event["ms"], kind, name, {}, is_partial=True)
            self.lives.end(event["ms"], kind, name)
        else:
            known = self.lives.named(kind, name)
            flat = dict(flatten(event["object"])) if "object" in event else known.last if known else {}
            flat = changed(flat, event.get("changed") or {}, event.get("removed") or [])
            self.lives.see(event["ms"], kind, name, flat, is_partial="object" not in event)


def _tell(lives: Lives, event: dict[str, Any]) -> None:
    lives.tell(event["object"], event.get("source", ""), event["type"], event["reason"], event["message"])


class Watcher:
    """Follows the objects of a sandbox as a recording's watches did.

    Args:
        cluster: where.
        recording: which objects.
    """

    def __init__(self, cluster: Access, recording: Recording) -> None:
        namespace = recording.namespace
        self.lives = Lives()
        self._left_alone: set[tuple[str, str]] = set()
        # Not every recording has what was there before it began.
        self._told = {(event.get("kind"), event.get("name")) for event in recording.events}
        self.changed_at = time.monotonic()
        self._cluster = cluster
        self._namespace = namespace
        self._began = time.monotonic()

    async def begin(self, resource: str, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Read what there is and follow it from there."""
        template = _PATHS.get(resource, _CORE_PATH.format("{}", resource))
        path = template.format(self._namespace)
        listed = await self._cluster.call("GET", path)
        kind = listed["kind"].removesuffix("List")
        for item in listed["items"]:
            if (kind, item["metadata"]["name"]) in self._told:
                self._take("ADDED", {"kind": kind, **item})
            else:
                self._left_alone.add((kind, item["metadata"]["name"]))
        return group.create_task(self._follow(path, listed["metadata"]["resourceVersion"]))

    async def _follow(self, path: str, version: str) -> None:
        mark = "&" if "?" in path else "?"
        address = self._cluster.at(f"{path}{mark}watch=true&resourceVersion={version}")
        headers = {"Authorization": f"Bearer {self._cluster.token}"}
        patience = aiohttp.ClientTimeout(total=None)
        async with self._cluster.session.get(address, headers=headers, timeout=patience) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                self._take(event["type"], event["object"])

    def _take(self, change: str, item: dict[str, Any]) -> None:
        kind, metadata = item["kind"], item["metadata"]
        if (kind, metadata["name"]) in self._left_alone:
            return
        self.changed_at = time.monotonic()
        ms = (time.monotonic() - self._began) * 1000
        if kind == "Event":
            involved = item["involvedObject"]
            source = (item.get("source") or {}).get("component") or item.get("reportingComponent", "")
            about = f"{involved['kind']}/{involved['name']}"
            _tell(self.lives, {**item, "object": about, "source": source})
        elif change == "DELETED":
            self.lives.end(ms, kind, metadata["name"])
        else:
            self.lives.see(ms, kind, metadata["name"], dict(flatten(item)))


class Replay:
    """One recording against one sandbox."""

    def __init__(self, cluster: Access, recording: Recording, watcher: Watcher) -> None:
        self._cluster = cluster
        self._recording = recording
        self._future = recording.played()
        self._at_ms = 0.0
        self._watcher = watcher
        self.notes: list[str] = []

    async def run(self) -> None:
        """Do everything that was done, each when its time has come."""
        reached = 0.0
        for event in self._recording.events:
            if "action" not in event:
                self._recording.apply(event)
                continue
            pause_ms, reached = event["ms"] - reached, event["ms"]
            self._at_ms = reached
            if event["action"] == "start":
                continue
            if pause_ms > _PAUSE_MS or event["action"].startswith("reached") or event["action"] == "end":
                await self._catch_up(event["action"], pause_ms / 1000)
            if "request" in event:
                await self._do(event["request"])
            elif event["action"] in _MACHINE_ACTIONS:
                path = f"/sandbox/v1/machines/{_CRASHING_NODE}/{_MACHINE_ACTIONS[event['action']]}"
                await self._cluster.call("POST", path)

    async def _catch_up(self, action: str, pause_seconds: float) -> None:
        """Wait until the sandbox is where the recording is, and has been for a moment."""
        scale = self._recording.scale
        began = time.monotonic()
        end = began + max(_PATIENCE_SECONDS, 1.5 * pause_seconds * scale)
        while time.monotonic() < end:
            quiet = time.monotonic() - self._watcher.changed_at
            if quiet > _QUIET_SECONDS and self._gap() is None:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            self.notes.append(f"the sandbox is elsewhere at '{action}': {self._gap()}")
        if not action.startswith("reached"):
            pause = min(pause_seconds * scale, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(max(pause / 2, pause - (time.monotonic() - began)))

    def _gap(self) -> str | None:
        """Which object isn't yet where the recording's is, or has been since; None if all are."""
        return gap(self._watcher.lives, self._recording.lives, self._future.lives, at_ms=self._at_ms)

    async def _do(self, request: dict[str, Any]) -> None:
        path = request["path"]
        # A pod's name contains that of its ReplicaSet.
        for life in sorted(self._recording.lives.lives, key=lambda life: len(life.name), reverse=True):
            if called(life.kind, life.name) != life.name and life.name in path:
                path = path.replace(life.name, self._counterpart(life))
        content = request.get("contentType") or _DEFAULT_CONTENT.get(request["method"], "application/json")
        answer = await self._cluster.call(request["method"], path, request.get("body"), content=content)
        self._watcher.changed_at = time.monotonic()
        if answer is None or (answer.get("kind") == "Status" and answer.get("status") == "Failure"):
            self.notes.append(f"{request['method']} {path}: {(answer or {}).get('message', 'not found')}")

    def _counterpart(self, life: Life) -> str:
        """The sandbox's object for a recorded one of generated name: the one of the same age among its like."""
        group = called(life.kind, life.name)

        def like(lives: Lives) -> list[str]:
            return [
                each.name for each in lives.alive() if each.kind == life.kind and called(each.kind, each.name) == group
            ]

        ours, theirs = like(self._watcher.lives), like(self._recording.lives)
        rank = theirs.index(life.name) if life.name in theirs else 0
        return ours[min(rank, len(ours) - 1)] if ours else life.name


async def replay(golden: Path, topic: str) -> Score:
    """Replay one timeline."""
    recording = Recording.read(golden / "timelines" / f"{topic}.json")
    async with (
        sandbox_cluster(nodes=3, timing=recording.timing) as sandbox,
        access(sandbox.kubeconfig) as cluster,
    ):
        notes, lives = await _replay(cluster, recording)
    return Score.of(compare(lives, recording.lives), notes)


async def _replay(cluster: Access, recording: Recording) -> tuple[list[str], Lives]:
    namespace = {"metadata": {"name": recording.namespace}}
    await cluster.call("POST", "/api/v1/namespaces", namespace)
    account = f"/api/v1/namespaces/{recording.namespace}/serviceaccounts/default"
    await _until(lambda: cluster.call("GET", account))
    watcher = Watcher(cluster, recording)
    run = Replay(cluster, recording, watcher)
    async with asyncio.TaskGroup() as group:
        watches = [await watcher.begin(resource, group) for resource in recording.watched]
        await run.run()
        for watch in watches:
            watch.cancel()
    return run.notes, watcher.lives


async def _until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await look() is None:  # noqa: ASYNC110 -- another process's objects: there is no event to wait for
            await asyncio.sleep(_LOOK_SECONDS)


SUITE = Suite("timelines", ".json", replay)
