"""A collection of pods with a history, whose watch can break in every way that one can break."""

import asyncio
import enum
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from tests.kube.fake_apiserver import FakeApiServer, answer, pod, pod_list, status

PATH = "/api/v1/pods"
_EXPIRED = status(410, "Expired", "too old resource version")


class Fault(enum.Enum):
    """What can happen to a watch."""

    CLOSE = "the server ends the stream"
    RESET = "the connection is cut"
    HALF_LINE = "the connection is cut in the middle of an event"
    GONE_EVENT = "an ERROR event of code 410"
    ERROR_EVENT = "an ERROR event of code 500"
    COMPACTION = "the history is forgotten, and the stream ends"
    GONE_ONCE = "the next watch is answered 410"
    GONE_TWICE = "the next two watches are answered 410"
    UNAVAILABLE = "the next request is answered 503"
    BUSY = "the next request is answered 429 with Retry-After"
    REPEAT = "the next stream begins with events that were sent before"
    SILENCE = "the stream stays open, and nothing comes any more"
    GARBAGE = "a line that is no JSON"


class Collection:
    """Pods on a fake API server; `change()` and `delete()` make history, `fault()` breaks what is open."""

    def __init__(self, server: FakeApiServer) -> None:
        self.version = 1
        self.pods: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[int, str, dict[str, Any]]] = []
        self.lists = 0
        self.requests = 0
        self._asked = asyncio.Condition()
        self.watches: list[dict[str, str]] = []
        self.broken: list[Fault] = []
        """What really happened to streams."""
        self._oldest = 0
        self._refusals: list[web.Response | dict[str, Any]] = []
        self._watch_refusals: list[dict[str, Any]] = []
        self._faults: list[tuple[int, Fault]] = []
        self._repeat = 0
        self._garbage = 0
        self._changed = asyncio.Event()
        server.on("GET", PATH, self._serve)

    def change(self, name: str, **labels: str) -> dict[str, Any]:
        """Create a pod of this name, or change the one that is there."""
        self.version += 1
        known = self.pods.get(name)
        uid = known["metadata"]["uid"] if known else f"{name}-{self.version}"
        self.pods[name] = pod(name, self.version, uid=uid, **labels)
        self._record("MODIFIED" if known else "ADDED", self.pods[name])
        return self.pods[name]

    def delete(self, name: str) -> None:
        """Delete a pod, if it is there."""
        found = self.pods.pop(name, None)
        if found is not None:
            self.version += 1
            gone = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
            self._record("DELETED", gone)

    def fault(self, kind: Fault) -> None:
        """Let it happen at this place of the history: to the stream that is open, or to the next request."""
        match kind:
            case Fault.GONE_ONCE | Fault.GONE_TWICE:
                self._watch_refusals += [_EXPIRED] * (1 if kind is Fault.GONE_ONCE else 2)
                kind = Fault.CLOSE
            case Fault.UNAVAILABLE | Fault.BUSY:
                code = 503 if kind is Fault.UNAVAILABLE else 429
                self._refusals.append(answer(status(code), headers={"Retry-After": "0"}))
                kind = Fault.RESET
            case Fault.REPEAT:
                self._repeat = 3
                kind = Fault.CLOSE
            case Fault.COMPACTION:
                self._oldest = self.version
                self.version += 1  # somebody else's change: no watch here has seen this version
                kind = Fault.CLOSE
        if kind is Fault.GARBAGE:
            self._garbage += 1
            kind = kind if self._garbage < 5 else Fault.CLOSE  # five in a row end a watch, and should
        self._faults.append((len(self.history), kind))
        self._wake()

    def bookmark(self) -> None:
        """Tell the watches how far they are, though nothing happened to them."""
        self.version += 1
        meta = {"resourceVersion": str(self.version), "creationTimestamp": None}
        self._record("BOOKMARK", {"kind": "Pod", "metadata": meta})

    def _record(self, kind: str, item: dict[str, Any]) -> None:
        self.history.append((self.version, kind, item))
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def seen(self, condition: Callable[[], bool]) -> None:
        """Wait until what was asked of the server fulfils a condition."""
        async with self._asked:
            await asyncio.wait_for(self._asked.wait_for(condition), 30)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        async with self._asked:
            self.requests += 1
            if request.query.get("watch") == "true":
                self.watches.append(dict(request.query))
            self._asked.notify_all()
        if self._refusals:
            refusal = self._refusals.pop(0)
            return refusal if isinstance(refusal, web.Response) else answer(refusal)
        if request.query.get("watch") != "true":
            self.lists += 1
            return answer(pod_list(*self.pods.values(), version=self.version))
        if self._watch_refusals:
            return answer(self._watch_refusals.pop(0))
        return await self._stream(request, int(request.query["resourceVersion"]))

    async def _stream(self, request: web.Request, since: int) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if since < self._oldest:
            await _write(response, "ERROR", _EXPIRED)
            return response
        places = [index for index, (version, _, _) in enumerate(self.history) if version > since]
        position = max(0, (places[0] if places else len(self.history)) - self._repeat)
        self._repeat = 0
        while True:
            changed = self._changed
            until = self._faults[0][0] if self._faults else len(self.history)
            while position < until:
                _, kind, item = self.history[position]
                position += 1
                await _write(response, kind, item)
            if self._faults:
                return await self._break(request, response, self._faults.pop(0)[1])
            if position == len(self.history):
                await changed.wait()

    async def _break(self, request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
        self.broken.append(fault)
        match fault:
            case Fault.GONE_EVENT:
                await _write(response, "ERROR", _EXPIRED)
            case Fault.ERROR_EVENT:
                await _write(response, "ERROR", status(500, "InternalError", "etcd"))
            case Fault.GARBAGE:
                await response.write(b"<html>\n")
            case Fault.SILENCE:
                await asyncio.Event().wait()
            case Fault.RESET | Fault.HALF_LINE:
                if fault is Fault.HALF_LINE:
                    await response.write(b'{"type":"DELETED","object":{"metadata":{"name":')
                assert request.transport is not None
                request.transport.abort()
        return response


async def _write(response: web.StreamResponse, kind: str, item: dict[str, Any]) -> None:
    await response.write(msgspec.json.encode({"type": kind, "object": item}) + b"\n")
