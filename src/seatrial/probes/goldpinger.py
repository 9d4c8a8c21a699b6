"""Watching a service's peers through goldpinger, whose instances call each other all the time.

`/check_all` makes each instance call every other one and tells what each saw: a graph of who reaches whom. It is
sampled from the first step of a scenario to the last.
"""

import asyncio
import contextlib
from typing import Annotated

import aiohttp
from pydantic import Field

from seatrial.errors import ClusterError
from seatrial.policy.base import Model
from seatrial.policy.scalars import Number, Port, Seconds
from seatrial.probes.goldpinger_graph import Graph, ask_route
from seatrial.probes.http_route import NoAnswer, Route
from seatrial.probes.observer_type import ObserverType
from seatrial.probes.peer_detection import Detection
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.probes.service_route import route_to_service
from seatrial.runtime.context import Context
from seatrial.runtime.events import MeshSampled
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome, failed, nothing_to_do

_MOST_IN_MATRIX = 24  # the square of it is what each look adds to a run's record


class GoldpingerService(Model):
    """The Service in front of goldpinger's instances."""

    name: Annotated[str, Field(min_length=1)]
    """The Service's name."""

    namespace: Annotated[str, Field(min_length=1)] = "default"
    """The Service's namespace."""

    port: Port = 8080
    """The Service's port."""


class Goldpinger(Model):
    """Ask goldpinger again and again who reaches whom, and how fast."""

    service: GoldpingerService
    """The Service in front of goldpinger's instances."""

    interval_seconds: Annotated[Number, Field(gt=0)] = Field(default=0.5, alias="interval")
    """The pause between two samples, in seconds."""

    whole_within_seconds: Seconds | None = Field(default=None, alias="wholeWithin")
    """How many seconds after the last step every instance must reach every other one again, or the scenario fails.
    Without it, goldpinger is only watched."""


def sample_of(graph: Graph) -> MeshSampled:
    """A look at the graph; an instance that could not be asked counts as one failed pair."""
    failed = (*(f"goldpinger -> {name}" for name in graph.silent), *(f"{c.caller} -> {c.peer}" for c in graph.failed))
    slowest = max((call.ms or 0.0 for call in graph.calls), default=0.0)
    pairs = len(graph.calls) + len(graph.silent)
    names = graph.instances if len(graph.instances) <= _MOST_IN_MATRIX else ()
    return MeshSampled(
        instances=len(graph.instances),
        pairs=pairs,
        failed=failed,
        slowest_ms=slowest,
        names=names,
        calls_ms=_calls_ms(graph, names),
    )


def _calls_ms(graph: Graph, names: tuple[str, ...]) -> tuple[tuple[float | None, ...], ...]:
    times = {(call.caller, call.peer): call.ms for call in graph.calls if call.ok}
    return tuple(tuple(times.get((caller, peer)) for peer in names) for caller in names)


async def run(spec: Goldpinger, context: Context, observation: Observation) -> Outcome:
    """Sample the graph until the scenario ends, once more after that, and until it is whole where that is expected."""
    service = spec.service
    async with aiohttp.ClientSession(trust_env=False) as session:
        address = ServiceAddress(namespace=service.namespace, name=service.name, port=service.port)
        route = await route_to_service(context.cluster, session, address, is_inside=bool(context.identity.pod_name))
        watch = _Watch(spec, route, context)
        while not observation.ending.is_set():
            await watch.look()
            observation.begun.set()
            await watch.pause(observation.ending)
        return await watch.last_looks()


class _Watch:
    """Looks at the graph, and remembers what it takes to tell the outcome."""

    def __init__(self, spec: Goldpinger, route: Route, context: Context) -> None:
        self._spec = spec
        self._route = route
        self._context = context
        self._answered = False
        self._obstacle = ""
        self._detection = Detection(context.scope.sightings)

    async def look(self) -> MeshSampled:
        """Take a sample; what keeps us from looking is told as its error, and remembered until the next one."""
        self._obstacle, graph, began = "", None, asyncio.get_running_loop().time()
        try:
            graph = await ask_route(self._route)
            sample = sample_of(graph)
        except NoAnswer as problem:
            sample = _nothing_seen(str(problem))
        except ClusterError as error:
            self._obstacle = error.message
            sample = _nothing_seen(f"can't look: {error.message}")
        self._answered = self._answered or not sample.error
        self._context.emit(sample)
        if graph is not None:
            for found in self._detection.look(graph, began=began, at=asyncio.get_running_loop().time()):
                self._context.emit(found)
        return sample

    async def pause(self, ending: asyncio.Event) -> None:
        """Wait until it is time for the next look, or the scenario ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._spec.interval_seconds):
                await ending.wait()

    async def last_looks(self) -> Outcome:
        """Look until all is whole, where that is expected; then what no peer has noticed takes longer."""
        try:
            return await self._last_looks()
        finally:
            for found in self._detection.give_up(at=asyncio.get_running_loop().time()):
                self._context.emit(found)

    async def _last_looks(self) -> Outcome:
        clock, within = self._context.clock, self._spec.whole_within_seconds
        begun = clock.monotonic()
        sample = await self.look()
        while within is not None and (sample.failed or sample.error) and clock.monotonic() - begun < within:
            await clock.sleep(self._spec.interval_seconds)
            sample = await self.look()
        name = f"goldpinger at {self._spec.service.namespace}/{self._spec.service.name}"
        if not self._answered:
            return nothing_to_do(f"{name} never answered: {sample.error}")
        if within is None or not (sample.failed or sample.error):
            return PASSED
        if self._obstacle:
            return nothing_to_do(f"whether {name} was whole again could not be seen: {self._obstacle}")
        seen = sample.error or f"{len(sample.failed)} of {sample.pairs} calls fail, such as {sample.failed[0]}"
        return failed(f"{name} was not whole again within {within:g} s: {seen}")


def _nothing_seen(error: str) -> MeshSampled:
    return MeshSampled(instances=0, pairs=0, failed=(), slowest_ms=None, error=error)


def _summary(spec: Goldpinger) -> str:
    service = f"Service {spec.service.namespace}/{spec.service.name}"
    within = spec.whole_within_seconds
    whole = f"; all calls succeed within {within:g} s of the end" if within is not None else ""
    return f"the graph of {service}, every {spec.interval_seconds:g} s{whole}"


OBSERVER = ObserverType(key="goldpinger", model=Goldpinger, run=run, summary=_summary)
