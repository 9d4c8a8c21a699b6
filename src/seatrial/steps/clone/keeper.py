"""The pods of a copy, watched as long as its scenario lasts; each new sidecar is told its proxies and toxics.

A sidecar knows nothing when it starts, and forgets all when it starts again: a pod that is replaced, or whose sidecar
is restarted, is configured once more, and isn't Ready before (`toxiproxy.containers.sidecar`). First come the proxies,
then, when the pod's own containers are ready, the toxics: a toxic that lets nothing through would keep them from ever
getting ready.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from seatrial.errors import ClusterError, SeatrialError
from seatrial.kube.errors import Forbidden
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.kube.retry import Backoff
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out
from seatrial.steps.clone.copied_deployment import Copy
from seatrial.steps.clone.toxiproxy.api import RefusedError, ToxiproxyApi, ToxiproxyError, sidecar_api
from seatrial.steps.clone.toxiproxy.containers import SIDECAR
from seatrial.steps.clone.toxiproxy.latency import AskedEndpoint, endpoint_to_ask, time_answer
from seatrial.steps.clone.toxiproxy.layout import MARKER, Layout
from seatrial.targets.pods import pod_ref

_MOST_BACKOFF_SECONDS = 2.0
# The marker is there to be connected to, by the kubelet; port 9 is that of the discard protocol, where nobody listens.
_NOWHERE = "127.0.0.1:9"


@dataclass
class _Known:
    """A pod, and which life of its sidecar is being configured, or has been."""

    pod: Pod
    life: str = ""
    work: asyncio.Task[None] | None = None
    in_place: bool = False
    problem: str = ""

    def stop(self) -> None:
        """End what is being done for it."""
        if self.work is not None:
            self.work.cancel()


@dataclass
class Keeper:
    """Watches the pods of one copy.

    `watch` runs through the scenario; `wait_until_in_place` returns when the copy is as the policy wants it.
    """

    copy: Copy
    context: Context
    _known: dict[str, _Known] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _failure: SeatrialError | None = None

    async def watch(self, observation: Observation) -> Outcome:
        """Follow the pods until the scenario ends; its outcome says whether each could be given the fault.

        Raises:
            SeatrialError: the pods can't be watched, or a sidecar refuses what it is told.
        """
        await observation.follow(self._follow(), name=f"pods of {self.copy.name}")
        return not_carried_out("; ".join(self.problems)) if self.problems else PASSED

    async def wait_until_in_place(self) -> None:
        """Wait until so many pods as the copy shall have are Ready, with the fault in place.

        Raises:
            SeatrialError: the pods can't be watched, or a sidecar refuses what it is told.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure or self.count >= self.copy.replicas)
        if self._failure:
            raise self._failure

    @property
    def count(self) -> int:
        """How many pods have the fault in place."""
        return sum(_is_in_place(known, self.copy.layout) for known in self._known.values())

    @property
    def pods(self) -> list[Pod]:
        """The pods as they were last seen."""
        return [known.pod for known in self._known.values()]

    @property
    def problems(self) -> list[str]:
        """Why sidecars could not be configured so far."""
        return [f"{known.pod.metadata.name}: {known.problem}" for known in self._known.values() if known.problem]

    async def _follow(self) -> None:
        watching = self.context.cluster.watch(
            PODS, namespace=self.copy.namespace, label_selector=self.copy.pod_selector, type=Pod
        )
        failure: SeatrialError | None = None
        try:
            async with watching as watch, asyncio.TaskGroup() as group:
                for pod in watch.snapshot:
                    await self._see(pod, group)
                async for event in watch:
                    if event.type == "DELETED":
                        await self._forget(event.object)
                    else:
                        await self._see(event.object, group)
        except* SeatrialError as errors:
            failure = _first(errors)
        if failure is not None:  # what is raised in an `except*` would be a group again
            await self._tell(failure=failure)
            raise failure

    async def _see(self, pod: Pod, group: asyncio.TaskGroup) -> None:
        known = self._known.setdefault(pod.metadata.uid, _Known(pod))
        known.pod = pod
        layout, life = self.copy.layout, _life_of_sidecar(pod)
        if layout is not None and life and life != known.life:
            known.stop()
            known.life, known.in_place = life, False
            known.work = group.create_task(self._configure(known, layout))
        await self._tell()

    async def _forget(self, pod: Pod) -> None:
        if known := self._known.pop(pod.metadata.uid, None):
            known.stop()
        await self._tell()

    async def _tell(self, *, failure: SeatrialError | None = None) -> None:
        async with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    async def _configure(self, known: _Known, layout: Layout) -> None:
        """Tell one life of a sidecar everything, as often as it takes."""
        backoff = Backoff(most_seconds=_MOST_BACKOFF_SECONDS)
        while True:
            try:
                proof = await self._put_in_place(known, layout)
            except (Forbidden, RefusedError):
                raise
            except ClusterError as error:
                known.problem = error.message
                await self.context.clock.sleep(backoff.next_delay())
            else:
                break
        known.in_place, known.problem = True, ""
        self.context.emit(FaultProven(subject=f"pod {pod_ref(known.pod)}", proof=proof))
        await self._tell()

    async def _put_in_place(self, known: _Known, layout: Layout) -> str:
        async with self._api(known.pod, layout) as api:
            await _make_proxies(api, layout, pod_ip=known.pod.status.pod_ip)
        async with self._changed:
            await self._changed.wait_for(lambda: _others_are_ready(known.pod))
        before = await self._time(known.pod, layout)
        async with self._api(known.pod, layout) as api:
            shown = await _add_toxics(api, layout)
            after = await self._time(known.pod, layout)
            if MARKER not in await api.proxies():
                await api.create_proxy(MARKER, listen=f"{layout.listen_host}:{layout.marker_port}", upstream=_NOWHERE)
        timed = f"; {self._endpoint(layout)}: {after}, {before} before" if before and after else ""
        return f"Toxiproxy has {shown}{timed}"

    def _api(self, pod: Pod, layout: Layout) -> AbstractAsyncContextManager[ToxiproxyApi]:
        meta = pod.metadata
        return sidecar_api(self.context.cluster, namespace=meta.namespace, pod=meta.name, port=layout.api_port)

    def _endpoint(self, layout: Layout) -> AskedEndpoint | None:
        poisoned = {toxic.proxy for toxic in layout.toxics}
        ports = {proxy.port for proxy in layout.proxies if proxy.port and proxy.name in poisoned}
        return endpoint_to_ask(self.copy.body["spec"]["template"]["spec"], ports)

    async def _time(self, pod: Pod, layout: Layout) -> str:
        endpoint, meta = self._endpoint(layout), pod.metadata
        if endpoint is None:
            return ""
        return await time_answer(self.context.cluster, endpoint, namespace=meta.namespace, pod=meta.name)


def _first(errors: BaseExceptionGroup[SeatrialError]) -> SeatrialError:
    """One of several errors: they tell the same as a rule, one for each pod."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _make_proxies(api: ToxiproxyApi, layout: Layout, *, pod_ip: str) -> None:
    there = await api.proxies()
    for proxy in layout.proxies:
        if proxy.name not in there:
            await api.create_proxy(proxy.name, listen=proxy.listen, upstream=proxy.upstream_in(pod_ip))


async def _add_toxics(api: ToxiproxyApi, layout: Layout) -> str:
    """Add the toxics that aren't there, and read all of them back; tells what was read."""
    there = {(name, toxic.name) for name, proxy in (await api.proxies()).items() for toxic in proxy.toxics or ()}
    for planned in layout.toxics:
        if (planned.proxy, planned.name) not in there:
            await api.add_toxic(planned)
    proxies = await api.proxies()
    for planned in layout.toxics:
        proxy = proxies.get(planned.proxy)
        if proxy is None or not any(toxic.is_as(planned) for toxic in proxy.toxics or ()):
            raise RefusedError(f"Toxiproxy took {planned}, but does something else", hint=_NEWER)
    if missing := [proxy.name for proxy in layout.proxies if proxy.name not in proxies]:
        raise ToxiproxyError(f"Toxiproxy has forgotten the proxies {', '.join(missing)}")
    return "; ".join(str(planned) for planned in layout.toxics) or f"{len(layout.proxies)} proxies without toxics"


_NEWER = "its version may not know this attribute: give a newer imageToxiproxy"


def _is_in_place(known: _Known, layout: Layout | None) -> bool:
    """Whether a pod is as it should be: Ready, or made unready by the very fault that is in it."""
    if known.pod.is_terminating:
        return False
    if layout is None:
        return known.pod.is_ready
    is_felled = not _others_are_ready(known.pod)
    return known.in_place and known.life == _life_of_sidecar(known.pod) and (known.pod.is_ready or is_felled)


def _life_of_sidecar(pod: Pod) -> str:
    """The id of the sidecar's container while it runs; it changes when it is restarted."""
    statuses = (each for each in pod.status.container_statuses if each.name == SIDECAR)
    status = next(statuses, None)
    return status.container_id if status is not None and status.state.running is not None else ""


def _others_are_ready(pod: Pod) -> bool:
    others = [each for each in pod.status.container_statuses if each.name != SIDECAR]
    return bool(others) and all(each.ready for each in others)
