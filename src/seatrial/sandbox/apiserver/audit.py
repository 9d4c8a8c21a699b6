"""The audit log: who asked the API server for what, one JSON line a request, as `audit.k8s.io/v1` has it.

A line is put together when the answer is complete, and written by a thread of its own: no request waits for the disk.
When the disk is full or slow, lines are dropped, and the log of the sandbox says so once. See "Auditing" in the
Kubernetes documentation.
"""

import asyncio
import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog
from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.request_info import RequestInfo, parse

Level = Literal["Metadata", "Request", "RequestResponse"]

_MOST_WAITING: Final = 20_000
_GATHER_SECONDS: Final = 0.1
# Their bodies are secrets: never more than that they were asked for.
_SECRET: Final = frozenset({("secrets", ""), ("tokenreviews", ""), ("serviceaccounts", "token")})
_log = structlog.get_logger(__name__)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class Trail:
    """What becomes known of one request on its way through the server."""

    __slots__ = ("allowed", "impersonated", "reason", "received", "user")

    def __init__(self) -> None:
        self.received = dt.datetime.now(dt.UTC)
        self.user: User | None = None
        self.impersonated: User | None = None
        self.allowed: bool | None = None
        self.reason = ""


_TRAIL: Final[ContextVar[Trail | None]] = ContextVar("audit trail", default=None)


def current_trail() -> Trail | None:
    """The trail of the request that this task serves; None when nothing is audited."""
    return _TRAIL.get()


class AuditLog:
    """Writes the lines.

    Args:
        path: the file; lines are added to what is in it.
        level: how much of a request is told: bodies of requests from `Request` on, of answers with `RequestResponse`.
    """

    def __init__(self, path: Path, level: Level = "Metadata") -> None:
        self._path = path
        self._level = level
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="audit log")
        self._writing: Future[None] | None = None
        self._is_losing = False

    async def close(self) -> None:
        """Write what is left, and end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._lines = self._lines, []
        await asyncio.get_running_loop().run_in_executor(self._writer, self._write, batch)
        self._writer.shutdown(wait=False)

    @contextlib.contextmanager
    def watching(self, request: web.BaseRequest) -> Iterator["Audited"]:
        """Follow a request; its line is written when the block is left, also by a client that went away."""
        trail, audited = Trail(), Audited()
        token = _TRAIL.set(trail)
        try:
            yield audited
        finally:
            _TRAIL.reset(token)
            self._put(_encode(self._event(request, trail, audited.response)) + b"\n")

    def _put(self, line: bytes) -> None:
        if len(self._lines) >= _MOST_WAITING:
            self._lose("too many lines are waiting")
            return
        self._lines.append(line)
        if self._timer is None:
            # Many lines at a time: a thread that is woken for each would hold up the requests.
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            # A disk that is slow: lines gather, up to their limit.
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._flush)
            return
        batch, self._lines = self._lines, []
        self._writing = self._writer.submit(self._write, batch)

    def _lose(self, why: str) -> None:
        if not self._is_losing:
            self._is_losing = True
            _log.warning("audit log incomplete: lines are dropped", path=str(self._path), why=why)

    def _write(self, batch: list[bytes]) -> None:
        """Runs in the thread."""
        try:
            with self._path.open("ab", buffering=0) as file:
                end = file.tell()
                try:
                    rest = memoryview(b"".join(batch))
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError:
                    # Half a line would spoil the next one.
                    with contextlib.suppress(OSError):
                        file.truncate(end)
                    raise
        except OSError as error:
            self._lose(error.strerror or str(error))
        else:
            self._is_losing = False

    # One line.

    def _event(self, request: web.BaseRequest, trail: Trail, response: web.StreamResponse | None) -> Object:
        info = parse(request.method, request.path, dict(request.query))
        level = "Metadata" if (info.resource, info.subresource) in _SECRET else self._level
        event: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": level,
            "auditID": str(uuid.uuid4()),
            "stage": "ResponseComplete",
            "requestURI": request.path_qs,
            "verb": info.verb,
            "user": _user(trail.user),
        }
        if trail.impersonated is not None:
            event["impersonatedUser"] = _user(trail.impersonated)
        event["sourceIPs"] = [request.remote or ""]
        if "User-Agent" in request.headers:
            event["userAgent"] = request.headers["User-Agent"]
        if info.resource:
            event["objectRef"] = _reference(info)
        event["responseStatus"] = _status(response)
        event |= _bodies(request, response, level)
        event["requestReceivedTimestamp"] = _micro(trail.received)
        event["stageTimestamp"] = _micro(dt.datetime.now(dt.UTC))
        if trail.allowed is not None:
            decision = "allow" if trail.allowed else "forbid"
            annotations = {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": trail.reason}
            event["annotations"] = annotations
        return event


class Audited:
    """A request that is followed; whoever answers it puts the response here."""

    response: web.StreamResponse | None = None


def _user(user: User | None) -> Object:
    if user is None:
        return {}
    known: Object = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": user.extra}
    return {key: value for key, value in known.items() if value}


def _reference(info: RequestInfo) -> Object:
    reference = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {key: value for key, value in reference.items() if value}


def _status(response: web.StreamResponse | None) -> Object:
    status: Object = {"metadata": {}}
    if response is None:
        return {**status, "code": 200}  # a stream that its client left
    body = response.body if isinstance(response, web.Response) else None
    if response.status >= 400 and isinstance(body, bytes):
        found = _json(body)
        if isinstance(found, dict) and found.get("kind") == "Status":
            status |= {key: found[key] for key in ("status", "message", "reason", "details") if found.get(key)}
    return {**status, "code": response.status}


def _bodies(request: web.BaseRequest, response: web.StreamResponse | None, level: str) -> Object:
    bodies: Object = {}
    if level == "Metadata":
        return bodies
    # What a handler read is kept by the request; what nobody read was not asked for.
    sent = getattr(request, "_read_bytes", None)
    if sent and (found := _json(sent)) is not None:
        bodies["requestObject"] = found
    if level == "RequestResponse" and isinstance(response, web.Response) and isinstance(response.body, bytes):
        answered = _json(response.body)
        if answered is not None:
            bodies["responseObject"] = answered
    return bodies


def _json(data: bytes) -> Any:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _micro(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
