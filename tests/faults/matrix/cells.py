"""One cell: a case and a fault, on a namespace of its own, and whether everything is as it was when all is over."""

import asyncio
import json
import os
import signal
import ssl
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import aiohttp

from seatrial.actions.alerts.alertmanager import Address, Alertmanager
from seatrial.actions.manifests import Applied, until_ready
from seatrial.errors import ClusterError, MachineError
from seatrial.kube.access import find_access
from seatrial.kube.auth import credentials_for
from seatrial.kube.client import Client, connect
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import Node
from seatrial.kube.resources import DEPLOYMENTS, NAMESPACES, NODES, PODS
from seatrial.machines.driver import Machine, MachineState
from seatrial.machines.sandbox import SandboxMachines
from seatrial.remote.sandbox import SandboxExecutor
from seatrial.runtime.journal import Journal
from tests.faults.matrix import child
from tests.faults.matrix.api_proxy import ApiProxy, Upstream
from tests.faults.matrix.cases import COMMON_NODES, Case, placed
from tests.faults.matrix.faults import Fault, Kind
from tests.faults.matrix.objects import Picture, differences, picture, seen_inside
from tests.kubectls import newest
from tests.steps.alertmanager_server import AlertmanagerServer

NOT_STRUCK = "the fault did not strike"
_SETTLED_SECONDS = 25.0
_RUN_SECONDS = 90.0
_READY = {"Deployment": DEPLOYMENTS, "Pod": PODS}
_SIGNALS = {Kind.SIGINT: signal.SIGINT, Kind.SIGTERM: signal.SIGTERM, Kind.SIGKILL: signal.SIGKILL}


@dataclass(frozen=True)
class Result:
    """What a cell came to: empty `problems` where all is as it was; `note` tells why it could not be tried."""

    case: str
    fault: Fault
    exit_code: int | None = None
    problems: tuple[str, ...] = ()
    note: str = ""
    seconds: float = 0.0


@dataclass
class Ground:
    """A cluster that cells share."""

    cluster: Client
    upstream: Upstream
    directory: Path
    numbers: "count[int]" = field(default_factory=count)
    machines: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    """The nodes whose machines no cell has at the moment."""

    async def run(self, case: Case, fault: Fault) -> Result:
        """Run one cell; once more where the fault found nothing to strike at: the machine was too busy."""
        result = await self._run(case, fault)
        return result if result.note != NOT_STRUCK else await self._run(case, fault)

    async def _run(self, case: Case, fault: Fault) -> Result:
        machine = await self.machines.get() if case.machine else ""
        begun = time.monotonic()
        cell = _Cell(self, case, fault, f"cell-{next(self.numbers)}", machine)
        try:
            async with asyncio.timeout(180):
                exit_code, problems, note = await cell.run()
        except Exception as error:  # noqa: BLE001 -- the other cells shall run
            exit_code, problems, note = None, [f"{type(error).__name__}: {error}"], ""
        finally:
            if machine:
                self.machines.put_nowait(machine)
        seconds = time.monotonic() - begun
        return Result(case.name, fault, exit_code, tuple(problems), note, seconds)


@asynccontextmanager
async def ground(kubeconfig: Path, directory: Path):
    """The ground of cells on a cluster."""
    access = find_access(kubeconfig=kubeconfig)
    credentials = credentials_for(access)
    tls: ssl.SSLContext | bool = await credentials.tls() or True
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    async with (
        await connect(kubeconfig=kubeconfig) as cluster,
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
    ):
        headers = dict(await credentials.headers())
        made = Ground(cluster, Upstream(access.cluster.server.rstrip("/"), session, headers), directory)
        nodes = sorted(each.metadata.name for each in (await cluster.list(NODES, type=Node)).items)
        for name in nodes[COMMON_NODES:]:
            await cluster.patch(NODES, name, {"spec": {"unschedulable": True}}, field_manager="team")
            made.machines.put_nowait(name)
        yield made


class _Cell:
    def __init__(self, ground: Ground, case: Case, fault: Fault, name: str, machine: str) -> None:
        self._ground = ground
        self._fault = fault
        self._name = name
        self._machine = machine
        self._cluster = ground.cluster
        self._machines = SandboxMachines(ground.cluster)
        self._directory = ground.directory / name
        self._processes: list[ForkServerProcess] = []
        self._alerts = AlertmanagerServer()
        self._is_about_alerts = case.peer == "Alertmanager"
        self._case = case
        self._proxy = ApiProxy(ground.upstream, fault, self._strike)
        self._struck: ApiProxy = self._proxy
        self._meddled = False

    async def run(self) -> tuple[int | None, list[str], str]:
        self._directory.mkdir(parents=True)
        try:
            async with AsyncExitStack() as stack:
                if self._is_about_alerts:
                    await self._put_alertmanager_between(stack)
                await stack.enter_async_context(self._proxy.running())
                return await self._run()
        finally:
            for process in self._processes:
                if process.is_alive():
                    process.kill()
            await self._remove()

    async def _put_alertmanager_between(self, stack: AsyncExitStack) -> None:
        """The fault strikes at an Alertmanager, and the API server is as it should be."""
        await self._alerts.start()
        stack.push_async_callback(self._alerts.stop)
        server = self._alerts.url.partition("/prefix")[0].replace("localhost", "127.0.0.1")
        self._struck = ApiProxy(Upstream(server, self._ground.upstream.session), self._fault, self._strike)
        await stack.enter_async_context(self._struck.running())
        self._proxy = ApiProxy(self._ground.upstream, None, self._strike, others=[self._struck])

    @property
    def _names(self) -> dict[str, str]:
        alerts = f"{self._struck.url}/prefix/api/v2"
        return {
            "ns": self._name, "machine": self._machine, "dir": str(self._directory), "alerts": alerts,
            "kubectl": newest() or "kubectl",
        }  # fmt: skip

    async def _run(self) -> tuple[int | None, list[str], str]:
        await self._prepare()
        before = await self._settled_picture()
        if self._case.off:
            await self._machines.stop((await self._own_machine()).id)
        self._write_kubeconfig()
        first = self._start("first")
        await self._wait(first)
        await self._struck.settled()
        for other in self._processes[1:]:
            await self._wait(other)
        self._struck.heal()
        note = self._note(first)
        problems = self._said_badly() + ([note, self._report("first")] if note == NOT_STRUCK else [])
        if await self._is_open():
            await self._wait(self._start("recovery", recover_only=True))
            if await self._is_open():
                problems.append(f"not recovered: {self._report('recovery')}")
        if self._case.off and (problem := await self._switch_on(first)):
            problems.append(problem)
        wanted = await self._with_meddling(before) if self._meddled else before
        after = await self._settle(wanted)
        return first.exitcode, [*problems, *differences(wanted, after)], note

    @property
    def _has_struck(self) -> bool:
        """Whether the fault came to pass; what is done inside of the process always does."""
        return self._struck.struck or self._fault.kind in {Kind.DISK_FULL, Kind.EXCEPTION}

    def _note(self, process: ForkServerProcess) -> str:
        """Why the fault did not come to pass."""
        if not self._has_struck:
            return NOT_STRUCK
        if self._fault.kind is Kind.SIGKILL and process.exitcode != -signal.SIGKILL:
            return "it had ended before it was killed"
        return ""

    # The cluster

    async def _prepare(self) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._name}}
        await self._cluster.create(NAMESPACES, namespace)
        if self._case.target == ("Node", "{ns}"):
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self._name, "labels": {"team": "a"}}}
            await self._cluster.apply(NODES, node, field_manager="team")
        for body in placed(self._case.before, self._names):
            resource = await self._cluster.resource_for(body["apiVersion"], body["kind"])
            await self._cluster.apply(resource, body, field_manager="team", namespace=self._name)
        async with asyncio.timeout(60):
            for body in self._case.before:
                if resource := _READY.get(body["kind"]):
                    await until_ready(Applied(resource, self._name, body["metadata"]["name"]), self._cluster)

    async def _own_machine(self) -> Machine:
        return next(each for each in await self._machines.list() if each.name == self._machine)

    async def _switch_on(self, process: ForkServerProcess) -> str:
        """Somebody starts the machine where Seatrial could not, but never one that it says it has started."""
        machine = await self._own_machine()
        if machine.state is MachineState.UP:
            return ""
        await self._machines.start(machine.id)
        return f"it passed, and its machine was {machine.state}" if process.exitcode == 0 else ""

    async def _picture(self) -> Picture:
        found = await picture(self._cluster, self._name, with_uids=not self._case.comes_back)
        found["left behind"] = (self._directory / "broken").exists()
        found["silences"] = [each for each in self._alerts.states() if each != "expired"]
        if self._case.inside:
            found |= await self._seen_inside()
        if self._machine:
            node = await self._cluster.get(NODES, self._machine)
            conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
            shown = {"metadata": {"labels": node["metadata"]["labels"]}, "spec": node["spec"], "conditions": conditions}
            found[f"Node {self._machine}"] = shown
        if self._case.on_machine:
            found["on the machine"] = await self._seen_on_machine()
        return found

    async def _seen_on_machine(self) -> str:
        try:
            return (await SandboxExecutor(self._cluster).run(self._machine, self._case.on_machine)).output
        except MachineError as error:  # it is about to go, or to come
            return error.message

    async def _seen_inside(self) -> Picture:
        try:
            return await seen_inside(self._cluster, self._name, self._case.inside)
        except ClusterError as error:  # it is about to go, or to come
            return {"inside": error.message}

    async def _settled_picture(self) -> Picture:
        """The picture, when controllers have done what they do with new objects."""
        seen = await self._picture()
        while True:
            await asyncio.sleep(0.2)
            again = await self._picture()
            if again == seen:
                return seen
            seen = again

    async def _settle(self, wanted: Picture) -> Picture:
        until = time.monotonic() + _SETTLED_SECONDS
        while (found := await self._picture()) != wanted and time.monotonic() < until:  # noqa: ASYNC110 -- likewise
            await asyncio.sleep(0.2)
        return found

    async def _meddle(self) -> None:
        if self._is_about_alerts:
            await self._meddle_with_silences()
            return
        kind, name = placed(self._case.target, self._names)
        resource = await self._cluster.discover(kind)
        namespace = self._name if resource.namespaced else None
        try:
            if self._fault.kind is Kind.DELETED:
                await self._cluster.delete(resource, name, namespace=namespace)
            else:
                await self._cluster.patch(
                    resource, name, dict(self._case.meddling), namespace=namespace, field_manager="other"
                )
        except NotFound:
            return  # Seatrial was to make it, or has deleted it
        self._meddled = True

    async def _meddle_with_silences(self) -> None:
        """Somebody ends all silences, or makes one."""
        address = Address(url=self._alerts.url)
        async with Alertmanager(address) as alertmanager:
            if self._fault.kind is Kind.DELETED:
                for silence in self._alerts.silences.values():
                    await alertmanager.expire(silence["id"])
                return
            now = self._alerts.now()
            await alertmanager.silence_all(
                created_by="other", comment="works", starts_at=now, ends_at=now + timedelta(hours=1)
            )
        self._meddled = True

    async def _with_meddling(self, before: Picture) -> Picture:
        """What there should be in the end: what there was, and what somebody else did with it."""
        if self._is_about_alerts:
            return {**before, "silences": ["active"]}
        kind, name = placed(self._case.target, self._names)
        what = f"{kind} {name}"
        if what not in before:
            return before  # it was ours as a whole
        if self._fault.kind is Kind.DELETED:
            of_it = f" of {kind} {name}"
            pods = f" of ReplicaSet {name}-" if kind == "Deployment" else of_it
            gone = {each for each in before if each.endswith(of_it) or pods in each} | {what, "inside"}
            return {each: value for each, value in before.items() if each not in gone}
        changed = json.loads(json.dumps(before))
        _merge(changed[what], self._case.meddling)
        if "managers" in changed[what]["metadata"]:
            theirs = json.dumps(["other", "Update", _fields(self._case.meddling)], sort_keys=True)
            changed[what]["metadata"]["managers"] = sorted([*changed[what]["metadata"]["managers"], theirs])
        return changed

    async def _remove(self) -> None:
        await self._cluster.delete(NAMESPACES, self._name)
        if self._machine:
            await self._cluster.patch(NODES, self._machine, {"metadata": {"labels": {"theirs": None}}})
        elif self._case.target[0] == "Node":
            try:
                await self._cluster.delete(NODES, self._name)
            except NotFound:
                return

    # The processes

    async def _strike(self) -> None:
        kind = self._fault.kind
        if kind in _SIGNALS:
            process = self._processes[-1]
            assert process.pid
            if process.exitcode is None:
                os.kill(process.pid, _SIGNALS[kind])
        elif kind in {Kind.DELETED, Kind.CHANGED}:
            await self._meddle()
        elif kind is Kind.TWO_AT_ONCE:
            self._start("second")

    def _start(self, name: str, *, recover_only: bool = False) -> ForkServerProcess:
        scenario = {"name": "the only one", "steps": placed(list(self._case.steps), self._names)}
        if self._case.loaded:
            scenario["steps"] = [{"wait": {"seconds": 0}}]
        orders = child.Orders(
            policy={"config": {"runStrategy": {"runs": 1}}, "scenarios": [scenario]},
            manifests=placed(self._case.loaded, self._names),
            executor=placed(self._case.executor, self._names),
            kubeconfig=self._directory / "kubeconfig",
            state=self._directory / "state",
            report=self._directory / f"{name}.log",
            fault=self._fault if name == "first" else None,
            recover_only=recover_only,
        )
        process = child.start(orders)
        self._processes.append(process)
        return process

    async def _wait(self, process: ForkServerProcess) -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        # Not in a thread: there are few, and as many processes as cells.
        loop.add_reader(process.sentinel, ended.set)
        try:
            async with asyncio.timeout(_RUN_SECONDS):
                await ended.wait()
        except TimeoutError:
            process.kill()
            raise TimeoutError(f"still running after {_RUN_SECONDS:g} s: {self._report('first')}") from None
        finally:
            loop.remove_reader(process.sentinel)
        process.join()

    def _report(self, name: str) -> str:
        path = self._directory / f"{name}.log"
        return path.read_text()[-3000:] if path.exists() else ""

    def _said_badly(self) -> list[str]:
        """A traceback that isn't that of the exception made for the test."""
        said = self._report("first") + self._report("second")
        broken = "Traceback" in said and self._fault.kind is not Kind.EXCEPTION
        return [f"a traceback: {said}"] if broken else []

    async def _is_open(self) -> bool:
        if not (self._directory / "state" / "journal.sqlite3").exists():
            return False
        journal = await Journal.open(self._directory / "state")
        try:
            return any(run.open_undos for run in await journal.runs())
        finally:
            await journal.close()

    def _write_kubeconfig(self) -> None:
        named = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": self._proxy.url}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": self._name}}],
        }  # fmt: skip
        (self._directory / "kubeconfig").write_text(json.dumps(named))


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _fields(patch: Mapping[str, Any]) -> dict[str, Any]:
    return {f"f:{key}": _fields(value) if isinstance(value, Mapping) else {} for key, value in patch.items()}
