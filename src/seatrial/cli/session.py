"""A run from the command line, put together: the cluster or sandbox, the journal, the listeners, and the engine.

It stands in `cli` because nothing below may know both the engine and the sandbox.
"""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from seatrial.actions.node_shell_pods import keep_books
from seatrial.cli.machine_options import MachineChoice
from seatrial.engine.halt import HaltWatch, Stop, obeying_halts
from seatrial.engine.halt_mark import DEFAULT_NAMESPACE
from seatrial.engine.interrupts import Interrupts
from seatrial.engine.policy_file import ChangedPolicy, PolicyFile
from seatrial.engine.recover import Recovery
from seatrial.engine.runner import run_policy
from seatrial.errors import ClusterError, Halted, Interrupted
from seatrial.kube.client import Client, connect
from seatrial.kube.cluster_identity import ClusterIdentity, identity_of
from seatrial.machines.lazy import LazyMachines
from seatrial.policy.models import Policy
from seatrial.remote.registry import LazyExecutor
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.context import Context, Identity, Settings
from seatrial.runtime.events import EventStream, Listener, Preparing, RunStarted, StopRequested
from seatrial.runtime.guardrails import Guardrails, merge_guardrails
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.judging import NoJudge
from seatrial.runtime.liveness import heartbeat
from seatrial.runtime.randomness import Randomness, new_seed
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.verdict import RunResult
from seatrial.runtime.world import World
from seatrial.state_directory import state_directory

if TYPE_CHECKING:
    from seatrial.actions.manifest_text import Manifest
    from seatrial.cli.adoption import Notify
    from seatrial.cli.health_options import HealthChoice
    from seatrial.engine.saved_plan import SavedPlan
    from seatrial.policy.notifications import Notification
    from seatrial.runtime.judging import Judge
    from seatrial.storage.store import Store
    from seatrial.telemetry.health import Health
    from seatrial.telemetry.notifications.notifier import Notifier

_log = logging.getLogger(__name__)


class FollowedFile(msgspec.Struct, frozen=True):
    """The policy's file, whose changes a run takes over, and what stood in it."""

    path: Path
    content: bytes


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about a run.

    `policy_directory` is where the files are that the policy names.
    """

    policy: Policy
    policy_name: str
    kubeconfig: Path | None = None
    kube_context: str | None = None
    sandbox: bool = False
    manifests: "tuple[Manifest, ...]" = ()
    load_timeout_seconds: float = 120
    seed: int | str | None = None
    recovery_timeout_seconds: float = 60
    max_parallel: int = 50
    state_directory: Path | None = None
    halt_namespace: str = DEFAULT_NAMESPACE
    guardrails: Guardrails = msgspec.field(default_factory=Guardrails)
    machines: MachineChoice = msgspec.field(default_factory=MachineChoice)
    plan: "SavedPlan | None" = None
    policy_text: str = ""
    policy_directory: Path = Path()
    followed: "FollowedFile | None" = None
    store: "Store | None" = None
    kubernetes_events: bool = False


async def run_session(
    options: SessionOptions, listeners: Sequence[Listener], *, health: "HealthChoice | None" = None
) -> RunResult:
    """Run a policy and clean up, also after an earlier run that died; `health` says where probes are answered.

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
            async with _healthy(health, listeners, interrupts) as checks:
                await _run(options, listeners, interrupts, finished, checks)
        except asyncio.CancelledError:
            if not (interrupts.requested or interrupts.halted):
                raise
            task.uncancel()
            if not finished and interrupts.halted:
                raise Halted(interrupts.halted, hint="when the reason is gone: seatrial resume") from None
            if not finished:
                raise Interrupted("stopped before the run began") from None
    return finished[0]


@asynccontextmanager
async def _healthy(
    choice: "HealthChoice | None", listeners: Sequence[Listener], interrupts: Interrupts
) -> AsyncIterator["Health | None"]:
    """Answer probes while the block runs, where somebody wants them; gives what they ask about."""
    if choice is None or choice.health_port is None:
        yield None
        return
    from seatrial.storage.recorder import Recorder
    from seatrial.telemetry.health import Health, health_served

    health = Health()
    health.expect("end", lambda: "stopping and cleaning up" if interrupts.requested or interrupts.halted else "")
    if recorder := next((each for each in listeners if isinstance(each, Recorder)), None):
        health.expect("store", lambda: recorder.problem)
    async with health_served(health, host=choice.health_host, port=choice.health_port) as port:
        _log.info("probes are answered at http://%s:%d/healthz and /readyz", choice.health_host, port)
        yield health


async def _run(
    options: SessionOptions,
    listeners: Sequence[Listener],
    interrupts: Interrupts,
    finished: list[RunResult],
    health: "Health | None",
) -> None:
    """Run; the result is in `finished` before anything is taken down, so that no signal can lose it."""
    async with opened(options, listeners, interrupts, stop=interrupts.halt, health=health) as ground:

        async def prepare(context: Context) -> None:
            await load(options, context)

        result = await run_policy(
            options.policy,
            ground.context,
            interrupts,
            prepare=prepare,
            earlier_failures=ground.earlier_failures,
            directory=options.policy_directory,
            file=_policy_file(options, ground.notify),
        )
        finished.append(result)


def _policy_file(options: SessionOptions, notify: "Notify") -> PolicyFile | None:
    if options.followed is None:
        return None

    async def adopt(found: ChangedPolicy, context: Context) -> Context:
        from seatrial.cli.adoption import adopted

        return await adopted(found, context, guardrails=options.guardrails, notify=notify)

    return PolicyFile(options.followed.path, options.followed.content, adopt=adopt)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a run stands on: its context, and what could not be undone of earlier runs on the cluster.

    `notify` changes who is told what happens.
    """

    context: Context
    halts: HaltWatch
    notify: "Notify"
    earlier_failures: Sequence[str]


@asynccontextmanager
async def opened(
    options: SessionOptions,
    listeners: Sequence[Listener],
    interrupts: Interrupts,
    *,
    stop: Stop,
    health: "Health | None" = None,
) -> AsyncIterator[Ground]:
    """Reach the cluster, clean up after runs that died, and begin a run in the journal; `stop` is told of halts.

    `health` is told what there is to look after.

    Raises:
        SeatrialError: it could not begin.
    """
    directory = state_directory(options.state_directory)
    async with AsyncExitStack() as stack:
        journal = await Journal.open(directory)
        stack.push_async_callback(journal.close)
        events = await stack.enter_async_context(event_stream(listeners))
        begun: list[RunStarted] = []
        notify = _notify(stack, events, interrupts, begun)
        if options.policy.config.notify:
            await notify(options.policy.config.notify)
        interrupts.announce = lambda reason, hurry: events.publish(StopRequested(reason=reason, hurry=hurry))
        cluster, kubeconfig = await _cluster(options, stack, directory, events)
        entry = _entry(options, cluster, kubeconfig)
        context = context_of(
            options,
            run_id=entry.id,
            seed=entry.seed,
            cluster=cluster,
            events=events,
            journal=RunJournal(journal, entry.id),
        )
        keep_books(context)
        stack.push_async_callback(context.executor.close)
        stack.push_async_callback(context.machines.close)
        if health is not None:
            await stack.enter_async_context(health.watching(cluster, context.clock))
        await stack.enter_async_context(heartbeat(health.beating(journal.beat) if health else journal.beat))
        recovery = Recovery(
            journal=journal, events=events, clock=context.clock, connect=reconnect, hurry=interrupts.hurry
        )
        left = await recovery.at_start(server=cluster.server)
        if options.plan is not None:
            await _hold_to(options.plan, options, context)
        await journal.begin(entry)
        identity = await identity_of(cluster, disposable=options.sandbox)
        # From here to the run itself nothing is waited for: a halt that is found ends the run, and it can tell.
        halts = obeying_halts(cluster, stop, context.emit, namespace=options.halt_namespace)
        watch = await stack.enter_async_context(halts)
        context = msgspec.structs.replace(context, halt=watch, judge=_judge(options, context, cluster=identity.id))
        if options.kubernetes_events:
            from seatrial.telemetry.cluster_events.follower import writing_events

            instance = context.identity.pod_name or socket.gethostname()
            await stack.enter_async_context(writing_events(context, instance=instance))
        begun.append(_started(entry, options.policy, identity))
        context.emit(begun[0])
        if health is not None:
            health.expect("run", lambda: "")
        yield Ground(context=context, halts=watch, notify=notify, earlier_failures=left)


def _notify(
    stack: AsyncExitStack, events: EventStream, interrupts: Interrupts, begun: Sequence[RunStarted]
) -> "Notify":
    """What begins to tell others when there is first somebody to tell, and ends with the stack.

    `begun` has the run, once it has begun.
    """
    notifiers: list[Notifier] = []

    async def notify(notifications: "Sequence[Notification]") -> None:
        from seatrial.telemetry.notifications.notifier import notifying

        if notifiers:
            await notifiers[0].use(notifications)
            return
        telling = notifying(notifications, events=events, clock=SystemClock(), hurry=interrupts.hurry, begun=begun)
        notifiers.append(await stack.enter_async_context(telling))

    return notify


async def _hold_to(plan: "SavedPlan", options: SessionOptions, context: Context) -> None:
    """Refuse to run where the cluster is no longer as the plan found it; how that is worked out is told to nobody."""
    from seatrial.engine.plan import make_plan
    from seatrial.engine.saved_plan import hold_to

    unheard = msgspec.structs.replace(context, events=EventStream(context.clock))
    hold_to(plan, await make_plan(options.policy, unheard, name=options.policy_name))


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
async def event_stream(listeners: Sequence[Listener]) -> AsyncIterator[EventStream]:
    """A stream that those listeners hear."""
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
        machines=options.machines.driver or "",
        executor=options.machines.executor or "",
        disposable=options.sandbox,
    )


def context_of(
    options: SessionOptions, *, run_id: str, seed: str, cluster: Client, events: EventStream, journal: RunJournal
) -> Context:
    """What the steps of a run, or of its plan, are handed."""
    return Context(
        run_id=run_id,
        cluster=cluster,
        journal=journal,
        events=events,
        randomness=Randomness(seed),
        clock=SystemClock(),
        identity=own_identity(),
        settings=Settings(
            max_parallel=options.max_parallel,
            recovery_timeout_seconds=options.recovery_timeout_seconds,
            guardrails=merge_guardrails(options.policy.config.guardrails, options.guardrails),
            inventory=options.machines.inventory,
            inventory_cloud=options.machines.inventory_cloud,
            kill_command=options.machines.kill_command,
            trace_by_round=options.policy.config.run_strategy.runs is None,
        ),
        machines=LazyMachines.of(cluster, name=options.machines.driver),
        executor=LazyExecutor(cluster, name=options.machines.executor, secrets=options.machines.secrets),
    )


def own_identity() -> Identity:
    """Where Seatrial runs, as its Deployment tells it through the downward API."""
    environ = os.environ
    return Identity(
        pod_name=environ.get("POD_NAME", ""),
        pod_namespace=environ.get("POD_NAMESPACE", ""),
        host_ip=environ.get("HOST_IP", ""),
    )


def _judge(options: SessionOptions, context: Context, *, cluster: str) -> "Judge":
    if options.store is None:
        return NoJudge()
    from seatrial.slo.judge import ObjectivesJudge

    began = context.clock.now().timestamp()
    return ObjectivesJudge(options.store, policy=options.policy_name, cluster=cluster, began=began)


def _started(entry: RunEntry, policy: Policy, identity: ClusterIdentity) -> RunStarted:
    return RunStarted(
        cluster=identity.id,
        kubernetes=identity.version,
        context=entry.context,
        run_id=entry.id,
        policy=entry.policy,
        seed=entry.seed,
        server=entry.server,
        rounds=policy.config.run_strategy.runs,
        duration=policy.config.run_strategy.duration or "",
    )


async def load(options: SessionOptions, context: Context) -> None:
    """Apply the manifests of the command line, and wait until they are ready.

    Raises:
        ClusterError: the API server refused them, or they are not ready in time.
    """
    if not options.manifests:
        return
    from seatrial.actions.manifests import apply_manifests, wait_until_ready

    applied = await apply_manifests(options.manifests, context, journaled=not options.sandbox)
    context.emit(Preparing(what="waiting until what was loaded is ready"))
    late = await wait_until_ready(applied, context, timeout_seconds=options.load_timeout_seconds)
    if late:
        names = ", ".join(f"{each.resource.kind} {each.name}" for each in late)
        raise ClusterError(
            f"not ready within {options.load_timeout_seconds:g} s: {names}",
            hint="look at its pods and events, or raise --load-timeout",
        )


async def reconnect(run: RunEntry) -> World:
    """Reach again what an earlier run worked on.

    Raises:
        ClusterError: its kubeconfig leads to another cluster by now.
        ConfigurationError: its kubeconfig leads nowhere.
    """
    environ = {**os.environ, "KUBECONFIG": run.kubeconfig} if run.kubeconfig else os.environ
    cluster = await connect(context=run.context or None, environ=environ)
    if cluster.server != run.server:
        await cluster.close()
        raise ClusterError(f"the kubeconfig leads to {cluster.server} instead")
    return World(
        cluster=cluster,
        machines=LazyMachines.of(cluster, name=run.machines or None),
        executor=LazyExecutor(cluster, name=run.executor or None),
    )


def _absolute(kubeconfig: str) -> str:
    """A list of files, as KUBECONFIG has it, that means the same from another directory."""
    return os.pathsep.join(str(Path(each).expanduser().absolute()) for each in kubeconfig.split(os.pathsep) if each)
