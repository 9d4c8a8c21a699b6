"""Brings a pod's status to the API server: one patch a change, nothing while nothing changes."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.kubelet.pod_status import PodFacts, pod_status

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 10.0
# What disappears from a status when the kubelet has nothing to say; a merge patch must say so.
_REMOVABLE: Final = ("podIP", "podIPs", "reason", "message")
_log = structlog.get_logger(__name__)


class StatusWriter:
    """Writes the status that follows from the facts whenever they were touched.

    Changes while a write is under way go into the next one. The resourceVersion guards what others wrote
    meanwhile (conditions of an eviction, of readiness gates): a conflict reads the pod again.

    Args:
        api: where the status goes.
        facts: what is known; its `pod` is replaced by what the API server answers.
        clock: seconds since the epoch.
    """

    def __init__(self, api: Api, facts: PodFacts, *, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._facts = facts
        self._clock = clock
        self._dirty = asyncio.Event()
        self._clean = asyncio.Event()
        self._clean.set()
        self.gone = False

    def touch(self) -> None:
        """The facts changed."""
        self._clean.clear()
        self._dirty.set()

    def forget(self) -> None:
        """The pod does not exist any more: there is nothing to write."""
        self.gone = True
        self._clean.set()

    def see(self, pod: Object) -> None:
        """Take over a version of the pod, unless a later one is known."""
        if _version(pod) > _version(self._facts.pod):
            self._facts.pod = pod

    async def flush(self) -> None:
        """Wait until everything known so far is written, or the pod is gone."""
        await self._clean.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._write()
            except ApiError as error:
                _log.warning("pod status not written", pod=self._facts.pod["metadata"]["name"], error=str(error))
            except Exception:  # noqa: BLE001 -- a pod whose status is never written again could never end
                _log.exception("pod status not written", pod=self._facts.pod["metadata"]["name"])
            else:
                pause = _FIRST_PAUSE_SECONDS
                if not self._dirty.is_set():
                    self._clean.set()
                continue
            self._dirty.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _write(self) -> None:
        if self.gone:
            return
        pod = self._facts.pod
        old = pod.get("status") or {}
        status = pod_status(self._facts, now=self._clock())
        patch = status | {key: None for key in _REMOVABLE if key in old and key not in status}
        if all(old.get(key) == value for key, value in patch.items()):
            return
        metadata = pod["metadata"]
        body = {
            "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
            "status": patch,
        }
        try:
            answer = await self._api.patch("pods", metadata["name"], metadata["namespace"], body, subresource="status")
        except ApiError as error:
            if error.reason == "NotFound":
                self.forget()
            elif error.reason == "Conflict":
                await self._read_again()
            else:
                raise
        else:
            self.see(answer)

    async def _read_again(self) -> None:
        metadata = self._facts.pod["metadata"]
        try:
            pod = await self._api.get("pods", metadata["name"], metadata["namespace"])
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            self.forget()
            return
        if pod["metadata"]["uid"] != metadata["uid"]:
            self.forget()
            return
        self.see(pod)
        self._dirty.set()


def _version(pod: Object) -> int:
    """Versions of one object can be compared as numbers (Kubernetes, "API Concepts", resource versions)."""
    version = pod["metadata"].get("resourceVersion", "0")
    return int(version) if version.isdecimal() else 0
