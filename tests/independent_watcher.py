"""A watcher that shares nothing with Seatrial's own: plain sockets, the standard library, a process of its own.

Its moments are of the machine's monotonic clock, which is the event loop's too, so they can be compared across
processes. As a program: `python -m tests.independent_watcher KUBECONFIG NAMESPACE`; it prints one JSON line a change.
"""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

PATHS = {
    "pods": "/api/v1/namespaces/{}/pods",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
}


def main(kubeconfig: str, namespace: str) -> None:
    """Watch for ever."""
    lock = threading.Lock()
    threads = [
        threading.Thread(target=watch, args=(kubeconfig, path.format(namespace), resource, lock), daemon=True)
        for resource, path in PATHS.items()
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def watch(kubeconfig: str, path: str, resource: str, lock: threading.Lock) -> None:
    """Send one request and stamp each line of its answer as it comes."""
    server, tls, token = credentials(kubeconfig)
    with (
        socket.create_connection((server.hostname, server.port)) as plain,
        tls.wrap_socket(plain, server_hostname=server.hostname) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"GET {path}?watch=1 HTTP/1.1\r\nHost: {server.netloc}\r\nAccept: application/json\r\n"
        connection.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        for line, at in lines(connection):
            said = summary(json.loads(line), resource, at) if line else {"resource": resource, "type": "OPEN", "at": at}
            with lock:
                sys.stdout.write(json.dumps(said) + "\n")
                sys.stdout.flush()


def credentials(kubeconfig: str) -> tuple[Any, ssl.SSLContext, str]:
    """The server and a user's token, as a kubeconfig has them inline."""
    with open(kubeconfig) as file:  # noqa: PTH123 -- as plain as it gets
        config = yaml.safe_load(file)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    return urlsplit(cluster["server"]), tls, user["token"]


def lines(connection: ssl.SSLSocket) -> Iterator[tuple[bytes, float]]:
    """The lines of a chunked answer, each with when its last byte came; an empty one says that it has begun."""
    waiting, is_body = b"", False
    while data := connection.recv(65536):
        at = time.monotonic()
        waiting += data
        if not is_body:
            head, found, rest = waiting.partition(b"\r\n\r\n")
            if not found:
                continue
            assert b" 200 " in head.splitlines()[0], head
            waiting, is_body = rest, True
            yield b"", at
        # The sizes of chunks stand on lines of their own, and are no JSON; a line of ours may span several chunks only
        # where it is larger than what a server sends at once.
        *whole, waiting = waiting.split(b"\n")
        for line in whole:
            if line.startswith(b"{"):
                yield line, at


def summary(event: dict[str, Any], resource: str, at: float) -> dict[str, Any]:
    """What is compared of a change."""
    thing = event["object"]
    meta, spec, status = thing["metadata"], thing.get("spec") or {}, thing.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
    return {
        "at": at,
        "resource": resource,
        "type": event["type"],
        "name": meta["name"],
        "uid": meta["uid"],
        "node": spec.get("nodeName", ""),
        "phase": status.get("phase", ""),
        "isReady": conditions.get("Ready") == "True",
        "replicas": spec.get("replicas"),
        "readyReplicas": status.get("readyReplicas", 0),
        "availableReplicas": status.get("availableReplicas", 0),
        "allReplicas": status.get("replicas", 0),
        "updatedReplicas": status.get("updatedReplicas", 0),
        "isSeen": status.get("observedGeneration", 0) >= meta.get("generation", 0),
        "service": (meta.get("labels") or {}).get("kubernetes.io/service-name", ""),
        "endpoints": [
            (each.get("targetRef") or {}).get("uid")
            for each in thing.get("endpoints") or []
            if (each.get("conditions") or {}).get("ready") is not False
        ],
    }


@dataclass
class Watcher:
    """The program at work, and what it has seen so far."""

    process: asyncio.subprocess.Process
    seen: list[dict[str, Any]] = field(default_factory=list)
    _has_ended: bool = False
    _reading: "asyncio.Task[None] | None" = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    async def start(cls, kubeconfig: str, namespace: str) -> "Watcher":
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.independent_watcher", kubeconfig, namespace, stdout=asyncio.subprocess.PIPE
        )
        made = cls(process)
        made._reading = asyncio.create_task(made._read())
        for resource in PATHS:
            await made.first(resource=resource, type="OPEN")
        return made

    async def first(self, **wanted: Any) -> float:
        """When a change was seen first of which all that holds; waits for it."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: self._has_ended or self.moment(**wanted) is not None)
        found = self.moment(**wanted)
        assert found is not None
        return found

    def moment(self, *, endpoint: str = "", since: float = 0.0, **wanted: Any) -> float | None:
        """The same, of what was seen so far; `endpoint` is a pod's UID among those of a slice."""
        for each in self.seen:
            fits = all(each.get(key) == value for key, value in wanted.items())
            if fits and each["at"] >= since and (not endpoint or endpoint in each.get("endpoints", ())):
                return float(each["at"])
        return None

    async def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself, and said why
            self.process.kill()
        await self.process.wait()
        if self._reading:
            await self._reading

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            async with self._changed:
                self.seen.append(json.loads(line))
                self._changed.notify_all()
        async with self._changed:
            self._has_ended = True
            self._changed.notify_all()


if __name__ == "__main__":
    main(*sys.argv[1:3])
