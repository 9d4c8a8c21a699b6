"""Where the pods of a machine that goes down end up: how long until each has a Ready replacement on another node.

Kubernetes leaves pods where they are until their node is missed, and then for as long as they tolerate an unreachable
node (300 s unless their manifest or the cluster says otherwise). Then they are evicted: marked for deletion, which
nobody there can carry out; a ReplicaSet replaces them at once, a StatefulSet only when they are gone. A kubelet that is
told of the shutdown in time ends its pods itself, and they are replaced sooner. Sources: Kubernetes documentation,
"Taints and Tolerations" (taint-based evictions), "Node Shutdowns".

Everything is read from a watch that is open before the first machine is touched, timed by arrival. A replacement is a
pod that the watch had not shown before, of the same controller; the first new one stands for the pod that was evicted
first. Pods of DaemonSets, static pods, such that nobody replaces and such that were not Ready are not expected anywhere
else.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from seatrial.actions.parallel import follow
from seatrial.actions.pods.controllers import is_replaced
from seatrial.errors import ClusterError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.kube.watch import WatchEvent
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.runtime.events import Event, MeasurementTaken, MoveMissed, PodMoved, PodRef, ProofMissing
from seatrial.runtime.verdict import PASSED, Outcome
from seatrial.targets.impact import owner_names
from seatrial.targets.nodes import pods_on_nodes
from seatrial.targets.pods import pod_ref

_UNREACHABLE = "node.kubernetes.io/unreachable"


def moves_promise(node: str) -> str:
    """The name under which a scenario waits until the pods of a stopped node are replaced."""
    return f"pods of node {node} replaced"


def is_expected_elsewhere(pod: Pod) -> bool:
    """Whether the pod serves, and something makes it anew on another node when its own is gone."""
    owner = pod.metadata.controller
    serves = pod.is_ready and not pod.is_terminating
    return serves and is_replaced(pod) and owner is not None and owner.kind != "DaemonSet"


class _Resident(msgspec.Struct):
    """A pod on a machine that goes down, and how far it has got; times are the loop's clock."""

    pod: Pod
    begun: float | None = None
    evicted: float | None = None
    replacement: PodRef | None = None
    created: float | None = None
    ready: float | None = None

    @property
    def node(self) -> str:
        return self.pod.spec.node_name

    @property
    def controller(self) -> str:
        owner = self.pod.metadata.controller
        return owner.uid if owner else ""


class MoveTracker:
    """Puts the events of pod watches together into moves; knows nothing of connections.

    Args:
        residents: what runs on the machines and is to be replaced elsewhere.
        owners: what to call each controller, by its UID.
        emit: where moves and measurements go.
    """

    def __init__(self, residents: Iterable[Pod], owners: Mapping[str, str], *, emit: Callable[[Event], None]) -> None:
        self._residents: dict[str, _Resident] = {}
        self._of: dict[str, list[_Resident]] = defaultdict(list)
        self._on: dict[str, list[_Resident]] = defaultdict(list)
        for pod in residents:
            each = _Resident(pod)
            self._residents[pod.metadata.uid] = each
            self._of[each.controller].append(each)
            self._on[each.node].append(each)
        self._done = {node: asyncio.Event() for node in self._on}
        self._owners = owners
        self._known: set[str] = set()
        self._emit = emit

    @property
    def nodes(self) -> Collection[str]:
        """The nodes with pods that are to be replaced."""
        return self._done

    @property
    def namespaces(self) -> Collection[str]:
        """Where these pods are."""
        return {each.pod.metadata.namespace for each in self._residents.values()}

    def already_there(self, pods: Iterable[Pod]) -> None:
        """All pods that existed when the watch began: none of them is a replacement, and no resident is any other."""
        self._known.update(pod.metadata.uid for pod in pods)
        for each in [each for uid, each in self._residents.items() if uid not in self._known]:
            self._drop(each)

    def goes_down(self, node: str, at: float) -> None:
        """The machine under that node is told to stop; what was on its way out before leaves for another reason."""
        for each in list(self._on[node]):
            if each.evicted is None:
                each.begun = at
            else:
                self._drop(each)

    def untouched(self) -> list[str]:
        """The nodes whose machines nobody has told to stop."""
        return [node for node in self._done if any(each.begun is None for each in self._on[node])]

    def stays(self, node: str) -> None:
        """The machine under that node is not down, or no longer: what is not replaced yet is not expected to be."""
        for each in list(self._on[node]):
            if each.ready is None:
                self._drop(each)

    async def wait_for(self, node: str) -> None:
        """Wait until every pod of that node has a Ready replacement, or none is expected any more."""
        await self._done[node].wait()

    async def wait(self) -> None:
        """The same for all nodes."""
        for done in self._done.values():
            await done.wait()

    def missing(self, node: str) -> list[str]:
        """What is not replaced of that node, and how far it came; a sentence for each owner and reason."""
        reasons = Counter((self._owner(each), _how_far(each)) for each in self._on[node] if each.ready is None)
        return [f"{counted(count, 'pod')} of {owner} {how_far}" for (owner, how_far), count in reasons.items()]

    def give_up(self, node: str, *, at: float) -> None:
        """Nobody looks any more: for each pod of that node that is not replaced by then it takes longer."""
        for each in self._on[node]:
            if each.ready is None and each.begun is not None:
                created = None if each.created is None else (each.created - each.begun) * 1000
                waited = (at - each.begun) * 1000
                self._emit(MoveMissed(pod=pod_ref(each.pod), waited_ms=waited, created_ms=created))

    def feed(self, event: WatchEvent[Pod]) -> None:
        """Take in one event of a watch."""
        pod, uid = event.object, event.object.metadata.uid
        is_leaving = event.type == "DELETED" or pod.is_terminating or pod.is_finished
        if resident := self._residents.get(uid):
            if is_leaving and resident.evicted is None:
                resident.evicted = event.received
        elif resident := self._replaced_by(pod):
            if is_leaving:
                resident.replacement = None
            else:
                self._progress(resident, pod, event.received)

    def _replaced_by(self, pod: Pod) -> _Resident | None:
        """Which resident this pod stands for."""
        uid, owner = pod.metadata.uid, pod.metadata.controller
        if owner is None:
            return None
        siblings = [each for each in self._of.get(owner.uid, ()) if each.ready is None]
        for each in siblings:
            if each.replacement and each.replacement.uid == uid:
                return each
        if uid in self._known:
            return None
        self._known.add(uid)
        waiting = (each for each in siblings if each.evicted is not None and each.replacement is None)
        return min(waiting, key=lambda each: each.evicted or 0, default=None)

    def _progress(self, resident: _Resident, pod: Pod, at: float) -> None:
        if resident.replacement is None:
            resident.created = at
        resident.replacement = pod_ref(pod)
        if not pod.is_ready or resident.begun is None:
            return
        resident.ready = at
        begun = resident.begun

        def since(moment: float | None) -> float | None:
            return None if moment is None else (moment - begun) * 1000

        self._emit(
            PodMoved(
                pod=pod_ref(resident.pod),
                replacement=resident.replacement,
                from_node=resident.node,
                to_node=resident.replacement.node,
                evicted_ms=since(resident.evicted),
                created_ms=since(resident.created),
                ready_ms=(at - begun) * 1000,
            )
        )
        self._measure(resident)
        self._look_whether_done(resident.node)

    def _measure(self, last: _Resident) -> None:
        """Once all pods of an owner are replaced: how long the slowest took."""
        siblings = self._of[last.controller]
        if any(each.ready is None for each in siblings):
            return
        seconds = max((each.ready or 0) - (each.begun or 0) for each in siblings)
        self._emit(MeasurementTaken(name="podsRescheduled", of=self._owner(last), seconds=seconds))

    def _drop(self, resident: _Resident) -> None:
        """Expect it nowhere."""
        del self._residents[resident.pod.metadata.uid]
        self._of[resident.controller].remove(resident)
        self._on[resident.node].remove(resident)
        self._look_whether_done(resident.node)

    def _look_whether_done(self, node: str) -> None:
        if all(each.ready is not None for each in self._on[node]):
            self._done[node].set()

    def _owner(self, resident: _Resident) -> str:
        return self._owners.get(resident.controller, resident.controller)


async def expect_moves(nodes: Collection[str], context: Context) -> MoveTracker:
    """Let the scenario wait until what runs on these nodes is replaced elsewhere; call before the first is touched.

    Where that can't be watched it is said, and nothing is expected.
    """
    tracker = MoveTracker((), {}, emit=context.emit)
    if not nodes or not context.settings.recovery_timeout_seconds:
        return tracker  # that nobody waits is said of the nodes
    try:
        residents = [pod for pod in await pods_on_nodes(nodes, context) if is_expected_elsewhere(pod)]
        if not residents:
            return tracker
        owners = await owner_names(residents, context.cluster)
        tracker = MoveTracker(residents, owners, emit=context.emit)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        context.scope.promise(_follow(tracker, context, opened), name="where pods end up", give_up=lambda: PASSED)
        await opened
    except ClusterError as error:
        for node in nodes:
            context.emit(ProofMissing(subject=moves_promise(node), reason=error.message))
        return MoveTracker((), {}, emit=context.emit)
    for node in tracker.nodes:
        give_up = partial(_give_up, tracker, node, context)
        context.scope.promise(_replaced(tracker, node), name=moves_promise(node), give_up=give_up)
    return tracker


def expect_no_moves(node: str, tracker: MoveTracker, context: Context) -> None:
    """Let nobody wait for the pods of a node whose machine was not stopped."""
    tracker.stays(node)
    context.scope.withdraw(moves_promise(node))


async def _follow(tracker: MoveTracker, context: Context, opened: "asyncio.Future[None]") -> Outcome:
    async with AsyncExitStack() as stack:
        try:
            watches = [
                await stack.enter_async_context(context.cluster.watch(PODS, namespace=namespace, type=Pod))
                for namespace in sorted(tracker.namespaces)
            ]
        except ClusterError as error:
            opened.set_exception(error)  # what waits for it says it
            return PASSED
        except BaseException:
            opened.cancel()
            raise
        tracker.already_there(pod for watch in watches for pod in watch.snapshot)
        opened.set_result(None)
        try:
            await follow(watches, tracker.feed, until=tracker.wait)
        except ClusterError as error:
            for node in tracker.nodes:
                if tracker.missing(node):
                    context.emit(ProofMissing(subject=moves_promise(node), reason=error.message))
                tracker.stays(node)
    return PASSED


async def _replaced(tracker: MoveTracker, node: str) -> Outcome:
    try:
        await tracker.wait_for(node)
    except asyncio.CancelledError:
        tracker.stays(node)  # its machine was started again, or the scenario is over
        raise
    return PASSED


def _give_up(tracker: MoveTracker, node: str, context: Context) -> Outcome:
    """The machine is down, as its cloud says; that its pods take longer to be replaced changes no verdict."""
    within = f"within {context.settings.recovery_timeout_seconds:g} s"
    reason = f"{within}: {'; '.join(tracker.missing(node))}"
    tracker.give_up(node, at=asyncio.get_running_loop().time())
    context.emit(ProofMissing(subject=moves_promise(node), reason=reason))
    return PASSED


def _how_far(resident: _Resident) -> str:
    owner = resident.pod.metadata.controller
    if resident.replacement is not None:
        return "replaced, but not by Ready ones"
    if resident.evicted is None:
        return f"not evicted{_patience(resident.pod)}"
    if owner and owner.kind == "StatefulSet":
        return "evicted, but not gone: a StatefulSet replaces them only then"
    return "evicted, but not replaced"


def _patience(pod: Pod) -> str:
    """How long the pod stays on a node that is unreachable, in brackets."""
    covering = [
        each
        for each in pod.spec.tolerations
        if each.effect in {"", "NoExecute"}
        and (each.key == _UNREACHABLE or (not each.key and each.operator == "Exists"))
    ]
    limits = [each.toleration_seconds for each in covering if each.toleration_seconds is not None]
    if not covering:
        return ""
    return f" (they tolerate an unreachable node {f'for {min(limits)} s' if limits else 'for ever'})"
