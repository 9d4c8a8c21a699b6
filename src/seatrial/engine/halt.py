"""Obeying a halt: a run watches the mark, ends at once when it appears, and asks before each action.

The watch makes asking free; while it isn't connected, each question is a request of its own. Reading one named
ConfigMap is all that is needed (get, list and watch with that `resourceNames`): the watch selects it by name.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from seatrial.engine.halt_mark import NAME, mark_of, read_mark
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import CONFIGMAPS
from seatrial.kube.retry import Backoff
from seatrial.kube.watch import Watch
from seatrial.runtime.events import Event, HaltUnreadable, RunHalted
from seatrial.runtime.halt import HaltMark, halted

_FORBIDDEN_SECONDS = 60.0

Stop = Callable[[str], None]
"""Ends a run at once; it is told the words of the halt."""


@asynccontextmanager
async def obeying_halts(
    cluster: Client, stop: Stop, emit: Callable[[Event], None], *, namespace: str
) -> AsyncIterator["HaltWatch"]:
    """While the block runs, `stop` is told of each halt; gives the switch to ask before each action."""
    watch = HaltWatch(cluster, stop, emit, namespace=namespace)
    task = asyncio.create_task(watch.follow(), name="halt")
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait({task})


class HaltWatch:
    """The `HaltSwitch` of a run on a cluster."""

    def __init__(self, cluster: Client, stop: Stop, emit: Callable[[Event], None], *, namespace: str) -> None:
        self._cluster = cluster
        self._stop = stop
        self._emit = emit
        self._namespace = namespace
        self._first_look = asyncio.Event()
        self._watch: Watch[dict[str, object]] | None = None
        self._mark: HaltMark | None = None
        self._ask_again_at = 0.0
        self._is_told = False
        self._changed = asyncio.Event()

    @property
    def mark(self) -> HaltMark | None:
        """The mark as it was last seen; None where experiments may run."""
        return self._mark

    async def check(self) -> None:
        """Return when experiments may run.

        Raises:
            Halted: they may not.
            ClusterError: the API server can't be asked at the moment.
        """
        await self._first_look.wait()
        if self._watch is None or not self._watch.is_streaming:
            await self._ask()
        if self._mark is not None:
            raise halted(self._mark)

    async def until_seen(self, *, halted: bool) -> None:
        """Return when it is seen that experiments are halted, or are not; at once while nobody watches."""
        while self._watch is not None and self._watch.is_streaming and (self._mark is not None) is not halted:
            self._changed.clear()
            await self._changed.wait()

    async def follow(self) -> None:
        """Watch the mark until cancelled; while that isn't allowed, asking is left.

        A refusal need not last: roles change, and an API server that has just begun may not know them yet.
        """
        backoff = Backoff(most_seconds=10.0)
        selector = f"metadata.name={NAME}"
        while True:
            try:
                async with self._cluster.watch(CONFIGMAPS, namespace=self._namespace, field_selector=selector) as watch:
                    self._watch = watch
                    backoff.reset()
                    self._see(next(map(mark_of, watch.snapshot), None))
                    self._first_look.set()
                    async for event in watch:
                        self._see(None if event.type == "DELETED" else mark_of(event.object))
            except Forbidden:
                delay = _FORBIDDEN_SECONDS  # each question is a request until then
            except ClusterError:
                delay = backoff.next_delay()
            else:
                delay = 0.0
            finally:
                self._watch = None
                self._first_look.set()
                self._changed.set()
            await asyncio.sleep(delay)

    async def _ask(self) -> None:
        now = asyncio.get_running_loop().time
        if now() < self._ask_again_at:
            return
        try:
            self._see(await read_mark(self._cluster, namespace=self._namespace))
        except Forbidden as error:
            self._ask_again_at = now() + _FORBIDDEN_SECONDS
            if not self._is_told:
                self._emit(HaltUnreadable(namespace=self._namespace, error=error.message))
            self._is_told = True

    def _see(self, mark: HaltMark | None) -> None:
        if mark is not None and self._mark is None:
            self._emit(RunHalted(by=mark.by, reason=mark.reason, since=mark.since))
            self._stop(str(mark))
        self._mark = mark
        self._changed.set()
