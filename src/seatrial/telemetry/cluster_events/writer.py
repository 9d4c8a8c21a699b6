"""Writes Kubernetes Events in the form of `events.k8s.io/v1`, as components of Kubernetes do.

What happens again to the same object becomes a series of the first Event (KEP-383, "new Event API"), of which nothing
else may change. There is a limit to how many are written, so that an experiment on a thousand pods floods no API
server; what is left out is counted.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import AlreadyExists, Forbidden, NotFound
from seatrial.kube.resources import Resource
from seatrial.runtime.clock import Clock
from seatrial.telemetry.cluster_events.notes import Note
from seatrial.telemetry.cluster_events.subjects import Reference

EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
CONTROLLER = "seatrial.io/experiment"

_log = logging.getLogger("seatrial.kubernetes_events")

_RUN_ANNOTATION = "seatrial.io/run"
_LONGEST_NOTE, _LONGEST_NAME, _LONGEST_INSTANCE = 1024, 200, 128
_SERIES_SECONDS = 360.0  # as client-go's recorder: what does not happen again within six minutes is over
_MOST_SERIES = 1000
_BURST, _PER_SECOND = 100.0, 5.0
_PATIENCE_SECONDS = 5.0


class EventWriter:
    """Writes Events of one run.

    Args:
        cluster: where to.
        run_id: stands in each Event.
        instance: what this Seatrial is called: its pod, or its host.
        clock: for limits and series.
    """

    def __init__(self, cluster: Client, *, run_id: str, instance: str, clock: Clock) -> None:
        self._cluster = cluster
        self._run_id = run_id
        self._instance = f"seatrial-{instance}"[:_LONGEST_INSTANCE]
        self._clock = clock
        self._series: OrderedDict[tuple[str, ...], _Series] = OrderedDict()
        self._allowance = _BURST
        self._counted_at = clock.monotonic()
        self._left_out = 0
        self._failed = 0

    async def write(self, note: Note, about: Reference, *, time: datetime, sequence: int) -> None:
        """Write an Event, or that it happened again; what goes wrong is logged once and hurts nobody."""
        if not self._may():
            self._left_out += 1
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._write(note, about, time=time, sequence=sequence)
        except ClusterError as error:
            self.fail(error)
        except TimeoutError:
            self.fail(ClusterError(f"the API server did not answer within {_PATIENCE_SECONDS:g} s"))

    def fail(self, error: ClusterError) -> None:
        """Count what could not be written, and say why the first time."""
        self._failed += 1
        if self._failed > 1:
            return
        may = "; allow 'create' and 'patch' on events.events.k8s.io" if isinstance(error, Forbidden) else ""
        _log.warning("Kubernetes Events can't be written: %s%s; the run goes on without", error.message, may)

    def lose(self, number: int) -> None:
        """Count what there was no time for."""
        self._left_out += number

    def close(self) -> None:
        """Say how many are missing."""
        if self._failed > 1:
            _log.warning("%d Kubernetes Events could not be written", self._failed)
        if self._left_out:
            _log.warning("%d Kubernetes Events were left out: there were too many at once", self._left_out)

    async def _write(self, note: Note, about: Reference, *, time: datetime, sequence: int) -> None:
        namespace = about.namespace or "default"
        now = self._clock.monotonic()
        key = (about.uid, note.reason, note.action, note.text)
        series = self._series.pop(key, None)
        if series is not None and now - series.seen <= _SERIES_SECONDS:
            series.count += 1
            series.seen = now
            again = {"series": {"count": series.count, "lastObservedTime": _micro(time)}}
            try:
                await self._cluster.patch(EVENTS, series.name, again, namespace=namespace)
            except NotFound:  # the API server keeps Events for an hour as a rule
                series = None
        if series is None or now - series.seen > _SERIES_SECONDS:
            series = _Series(self._name(about, sequence), now)
            body = self._body(note, about, name=series.name, namespace=namespace, time=time)
            try:
                await self._cluster.create(EVENTS, body, namespace=namespace, repeatable=True)
            except AlreadyExists as error:
                if not error.after_repeat:
                    raise
        self._series[key] = series
        while len(self._series) > _MOST_SERIES:
            self._series.popitem(last=False)

    def _body(self, note: Note, about: Reference, *, name: str, namespace: str, time: datetime) -> dict[str, Any]:
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": namespace, "annotations": {_RUN_ANNOTATION: self._run_id}},
            "eventTime": _micro(time),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": note.action,
            "reason": note.reason,
            "regarding": about.as_json(),
            "note": _cut(f"{note.text} (Seatrial, run {self._run_id})"),
            "type": note.kind,
        }

    def _name(self, about: Reference, sequence: int) -> str:
        """The object's name and 16 digits, as client-go has it: the same name, should the same be sent twice."""
        said = f"{self._run_id} {sequence} {about.uid}".encode()
        return f"{about.name[:_LONGEST_NAME]}.{hashlib.blake2s(said, digest_size=8).hexdigest()}"

    def _may(self) -> bool:
        """A bucket that fills again with time, and from which each Event takes one."""
        now = self._clock.monotonic()
        self._allowance = min(_BURST, self._allowance + (now - self._counted_at) * _PER_SECOND)
        self._counted_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


class _Series:
    """An Event that was written, how often it happened, and when last."""

    __slots__ = ("count", "name", "seen")

    def __init__(self, name: str, seen: float) -> None:
        self.name = name
        self.count = 1
        self.seen = seen


def _cut(text: str) -> str:
    """Kubernetes counts bytes."""
    return text.encode()[:_LONGEST_NOTE].decode(errors="ignore")


def _micro(time: datetime) -> str:
    """Kubernetes' MicroTime."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
