"""A run from the command line, put together: the cluster or sandbox, the journal, the listeners, and the engine.

It stands in `cli` because nothing below may know both the engine and the sandbox.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from seatrial.actions.manifests import Manifest, apply_manifests, wait_until_ready
from seatrial.engine.interrupts import Interrupts
from seatrial.engine.recover import recover
from seatrial.engine.runner import run_policy
from seatrial.errors import ClusterError, Interrupted
from seatrial.kube.client import Client, connect
from seatrial.policy.models import Policy
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.context import Context, Identity, Settings
from seatrial.runtime.events import EventStream, Listener, Preparing, RunStarted, StopRequested
from seatrial.runtime.journal import Journal, RunEntry, RunJournal
from seatrial.runtime.randomness import Randomness, new_seed
from seatrial.runtime.verdict import RunResult
from seatrial.state_directory import state_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What the command line says about a run."""

    policy: Policy
    policy_name: str
    kubeconfig: Path | None = None
    kube_context: str | None = None
    sandbox: bool = False
    manifests: tuple[Manifest, ...] = ()
    load_timeout_seconds: float = 120
    seed: int | str | None = None
    recovery_timeout_seconds: float = 60
    max_parallel: int = 50
    state_directory: Path | None = None


async def run_session(options: SessionOptions, listeners: Sequence[Listener]) -> RunResult:
    """Run a policy and clean up, also after an earlier run that died.

    Raises:
        SeatrialError: it could not begin; nothing was changed that is not undone.
        Interrupted: somebody asked to stop before the run began.
    """
    interrupts = Interrupts()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- a coroutine runs in a task
    finished: list[RunResult] = []
    with interrupts.installed(), interrupts.guarding(task):
        try:
            await _run(options, listeners, interrupts, finished)
        except asyncio.CancelledError:
            if not interrupts.requested:
                raise
            task.uncancel()
            if not finished:
                raise Interrupted("stopped before the run began") from None
    return finished[0]


async def _run(
    options: SessionOptions, listeners: Sequence[Listener], interrupts: Interrupts, finished: list[RunResult]
) -> None:
    """Run; the result is in `finished` before anything is taken down, so that no signal can lose it."""
    directory = state_directory(options.state_directory)
    async with AsyncExitStack() as stack:
        journal = await Journal.open(directory)
        stack.push_async_callback(journal.close)
        events = await stack.enter_async_context(_stream(listeners))
        interrupts.announce = lambda reason, hurry: events.publish(StopRequested(reason=reason, hurry=hurry))
        cluster, kubeconfig = await _cluster(options, stack, directory, events)
        entry = _entry(options, cluster, kubeconfig)
        context = _context(options, entry, cluster, events, RunJournal(journal, entry.id))
        left = await recover(journal, context, _reconnect, hurry=interrupts.hurry)
        await journal.begin(entry)
        context.emit(_started(entry, options.policy))

        async def prepare(context: Context) -> None:
            await _load(options, context)

        finished.append(await run_policy(options.policy, context, interrupts, prepare=prepare, earlier_failures=left))


async def _cluster(
    options: SessionOptions, stack: AsyncExitStack, directory: Path, events: EventStream
) -> tuple[Client, Path | None]:
    kubeconfig = options.kubeconfig
    if options.sandbox:
        from seatrial.sandbox.ephemeral import ephemeral_sandbox

        events.publish(Preparing(what="starting a sandbox"))
        sandbox = await stack.enter_async_context(ephemeral_sandbox(state=directory))
        stack.callback(lambda: events.publish(Preparing(what="taking the sandbox down")))
        kubeconfig = sandbox.kubeconfig
    cluster = await connect(
        kubeconfig=kubeconfig, context=options.kube_context, max_in_flight=max(100, options.max_parallel)
    )
    return await stack.enter_async_context(cluster), kubeconfig


@asynccontextmanager
async def _stream(listeners: Sequence[Listener]) -> AsyncIterator[EventStream]:
    events = EventStream(SystemClock())
    for listener in listeners:
        events.subscribe(listener)
    try:
        yield events
    finally:
        await events.close()


def _entry(options: SessionOptions, cluster: Client, kubeconfig: Path | None) -> RunEntry:
    seed = options.seed if options.seed is not None else options.policy.config.seed
    return RunEntry(
        id=uuid.uuid4().hex[:12],
        policy=options.policy_name,
        seed=str(new_seed() if seed is None else seed),
        server=cluster.server,
        kubeconfig=_absolute(str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", "")),
        context=cluster.context_name,
    )


def _context(
    options: SessionOptions, entry: RunEntry, cluster: Client, events: EventStream, journal: RunJournal
) -> Context:
    return Context(
        run_id=entry.id,
        cluster=cluster,
        journal=journal,
        events=events,
        randomness=Randomness(entry.seed),
        clock=SystemClock(),
        identity=own_identity(),
        settings=Settings(max_parallel=options.max_parallel, recovery_timeout_seconds=options.recovery_timeout_seconds),
    )


def own_identity() -> Identity:
    """Where Seatrial runs, as its Deployment tells it through the downward API."""
    environ = os.environ
    return Identity(
        pod_name=environ.get("POD_NAME", ""),
        pod_namespace=environ.get("POD_NAMESPACE", ""),
        host_ip=environ.get("HOST_IP", ""),
    )


def _started(entry: RunEntry, policy: Policy) -> RunStarted:
    return RunStarted(
        run_id=entry.id,
        policy=entry.policy,
        seed=entry.seed,
        server=entry.server,
        rounds=policy.config.run_strategy.runs,
    )


async def _load(options: SessionOptions, context: Context) -> None:
    if not options.manifests:
        return
    applied = await apply_manifests(options.manifests, context, journaled=not options.sandbox)
    context.emit(Preparing(what="waiting until what was loaded is ready"))
    late = await wait_until_ready(applied, context, timeout_seconds=options.load_timeout_seconds)
    if late:
        names = ", ".join(f"{each.resource.kind} {each.name}" for each in late)
        raise ClusterError(
            f"not ready within {options.load_timeout_seconds:g} s: {names}",
            hint="look at its pods and events, or raise --load-timeout",
        )


async def _reconnect(run: RunEntry) -> Client:
    environ = {**os.environ, "KUBECONFIG": run.kubeconfig} if run.kubeconfig else os.environ
    cluster = await connect(context=run.context or None, environ=environ)
    if cluster.server != run.server:
        await cluster.close()
        raise ClusterError(f"the kubeconfig leads to {cluster.server} instead")
    return cluster


def _absolute(kubeconfig: str) -> str:
    """A list of files, as KUBECONFIG has it, that means the same from another directory."""
    return os.pathsep.join(str(Path(each).expanduser().absolute()) for each in kubeconfig.split(os.pathsep) if each)
