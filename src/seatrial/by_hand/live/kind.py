"""The objects of one kind as they are at this moment: listed when first asked for, then kept up to date by a watch.

Where the whole cluster may not be listed, the namespaces that are asked for are, one by one.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Literal, NamedTuple, TypeVar

from seatrial.by_hand.live.following import AGAIN_SECONDS, STRETCH_SECONDS, Following
from seatrial.by_hand.live.index import Index
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.kube.reduction import Reduced
from seatrial.kube.resources import Resource
from seatrial.kube.watch import Watch, WatchEvent

T = TypeVar("T", bound=Reduced)

_ALL = ""
# Between a server's end of a stream, which is nothing unusual, and the next one.
_MOST_SECONDS_BETWEEN_STREAMS = 3.0

_log = logging.getLogger(__name__)


class Change(NamedTuple, Generic[T]):
    """What happened to an object; `earlier` is what was known of it, None of an added one."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: T
    earlier: T | None


class _Subscription(Generic[T]):
    """A listener, and whether it has failed already."""

    def __init__(self, listener: Callable[[Change[T]], None]) -> None:
        self._listener = listener
        self._has_failed = False

    def tell(self, change: Change[T]) -> None:
        """Hand over a change."""
        try:
            self._listener(change)
        except Exception:  # noqa: BLE001 -- a listener is anybody's code; it must not hurt those who look
            if not self._has_failed:
                _log.exception("a listener of the live view failed; the view goes on")
            self._has_failed = True


class LiveKind(Generic[T]):
    """One kind. What it hands out is as of the last change received; `seconds_behind` tells how old that is."""

    def __init__(
        self,
        cluster: Client,
        resource: Resource,
        object_type: type[T],
        *,
        tasks: asyncio.TaskGroup,
        namespace: Callable[[], str],
    ) -> None:
        """The kind on a cluster.

        Args:
            cluster: the client.
            resource: where the kind is listed.
            object_type: what is kept of its objects.
            tasks: what the watches run in.
            namespace: says which namespace to look into where the whole cluster may not be.
        """
        self.resource = resource
        self.object_type = object_type
        self._cluster = cluster
        self._tasks = tasks
        self._namespace = namespace
        self._index: Index[T] = Index()
        self._followings: dict[str, Following[T]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._refusal: Forbidden | None = None
        self._subscriptions: list[_Subscription[T]] = []

    # What it knows of itself

    @property
    def is_ready(self) -> bool:
        """Whether there is something to hand out (be it nothing)."""
        return any(each.is_listed for each in self._followings.values())

    @property
    def is_open(self) -> bool:
        """Whether somebody asked for it."""
        return bool(self._followings)

    @property
    def is_current(self) -> bool:
        """Whether what happens arrives at once; a moment between two streams does not count."""
        arrives = all(each.problem is None for each in self._listed)
        return self.is_ready and arrives and self.seconds_behind < _MOST_SECONDS_BETWEEN_STREAMS

    @property
    def seconds_behind(self) -> float:
        """How long ago the last stream broke, if none is open; 0 while all are."""
        now = asyncio.get_running_loop().time()
        return max(0.0, now - min((each.seen_until for each in self._listed), default=now))

    @property
    def problem(self) -> str:
        """Why there is nothing, or not all that there is, for people; empty if there is no problem."""
        # A namespace that was refused says nothing of those that weren't.
        followings = self._listed or list(self._followings.values())
        if error := next((each.problem for each in followings if each.problem is not None), None):
            return error.message
        if self._refusal is not None:
            spaces = sorted(space for space, each in self._followings.items() if each in followings)
            return f"only namespace {', '.join(spaces)} is looked at: {self._refusal.message}"
        return ""

    def problem_in(self, namespace: str) -> str:
        """The same of a namespace: that others may not be looked at is no problem there."""
        following = self._followings.get(namespace) if namespace else None
        if following is None or not following.is_listed:
            return self.problem
        return following.problem.message if following.problem is not None else ""

    @property
    def _listed(self) -> Sequence[Following[T]]:
        return [each for each in self._followings.values() if each.is_listed]

    # Asking for it

    async def ready(self, namespace: str = "") -> None:
        """Return when the objects are there; the first call opens the watch, and where none may be, each lists anew.

        Where all namespaces may not be listed, it is `namespace` that is waited for, or else the one that one is in.

        Raises:
            ClusterError: they may not be listed, or the API server is away.
        """
        while True:
            scope = self._scope(namespace)
            following = self._opened(scope, again_after_seconds=0)
            await following.look()
            if following.is_listed:
                return
            if following.error is not None and not self._falls_back(scope, following.error):
                raise following.error

    def open(self, namespace: str = "") -> None:
        """Begin in the background, if it has not begun; what becomes of it is told by `is_ready` and `problem`.

        Where all namespaces may not be listed, it is `namespace` that is begun with, or else the one that one is in.
        """
        self._opened(self._scope(namespace), again_after_seconds=AGAIN_SECONDS)

    async def reload(self) -> None:
        """List what was listed anew, and go on from there; what was refused is tried again in the background.

        Raises:
            ClusterError: what was listed may not be listed any more, or the API server is away.
        """
        was_open = self.is_open
        listed = [space for space, each in self._followings.items() if each.is_listed]
        await self.close()
        self._refusal = None
        if was_open:
            self.open()
        for space in listed:
            await self.ready(space)
        self._forget_unseen()

    async def close(self) -> None:
        """Stop following; what is known stays."""
        closed, tasks = list(self._followings.values()), list(self._running.values())
        self._followings.clear()
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in closed:
            each.settled.set()  # who waits for it asks anew

    # What there is

    def all(self) -> Sequence[T]:
        """All objects, by namespace and name."""
        return self._index.all()

    def in_namespace(self, namespace: str) -> Sequence[T]:
        """The objects of a namespace, by name."""
        return self._index.in_namespace(namespace)

    def get(self, namespace: str, name: str) -> T | None:
        """The object of that name; the namespace of a node or a namespace is empty."""
        return self._index.get(namespace, name)

    def names(self, namespace: str = "") -> Sequence[str]:
        """The names in a namespace, in order; without one all, as `NAMESPACE/NAME` where there are namespaces."""
        return self._index.names(namespace)

    def __len__(self) -> int:
        return len(self._index)

    def subscribe(self, listener: Callable[[Change[T]], None]) -> Callable[[], None]:
        """Tell of each change from here on; what is answered ends that. It does not open the watch.

        What the first list holds is told as added, unless the kind is ready already: then ask for `all` besides.
        """
        subscription = _Subscription(listener)
        self._subscriptions.append(subscription)
        return lambda: self._subscriptions.remove(subscription) if subscription in self._subscriptions else None

    # Following

    def _scope(self, namespace: str) -> str:
        return (namespace or self._namespace()) if self._refusal is not None else _ALL

    def _falls_back(self, scope: str, error: ClusterError) -> bool:
        """Whether namespaces are looked at one by one from here on, because all may not be."""
        if scope != _ALL or not isinstance(error, Forbidden) or not self.resource.namespaced:
            return False
        self._refusal = error
        self._followings.pop(_ALL, None)
        return True

    def _forget_unseen(self) -> None:
        """Drop what is in namespaces that may not be seen any more: nobody knows that it is there."""
        if self._refusal is not None:
            for item in [each for each in self.all() if each.namespace not in self._followings]:
                self._take("DELETED", item)

    def _opened(self, scope: str, *, again_after_seconds: float) -> Following[T]:
        """The following of a scope, begun anew if it was refused so long ago."""
        following = self._followings.get(scope)
        now = asyncio.get_running_loop().time()
        if following is None or (following.is_over and now - following.failed_at >= again_after_seconds):
            following = Following(
                partial(self._watch, scope), take_list=partial(self._take_list, scope), take=self._take_event
            )
            self._followings[scope] = following
            self._running[scope] = self._tasks.create_task(
                self._follow(scope, following), name=f"live {self.resource.plural} {scope}"
            )
        return following

    def _watch(self, scope: str) -> Watch[T]:
        return self._cluster.watch(self.resource, namespace=scope or None, type=self.object_type)

    async def _follow(self, scope: str, following: Following[T]) -> None:
        await following.follow()
        if following.error is not None and self._falls_back(scope, following.error):
            self.open()

    async def _take_list(self, scope: str, listed: Sequence[T]) -> None:
        """Bring what is known to what was listed: of a list after others, the differences are told."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # what was listed has been looked through by the watch
        since = loop.time()
        uids = {item.uid for item in listed}
        known = self.in_namespace(scope) if scope else self.all()
        for gone in [each for each in known if each.uid not in uids]:
            self._take("DELETED", gone)
        for item in listed:
            before = self._index.get(item.namespace, item.name)
            if before is None or before.version != item.version:
                self._take("MODIFIED", item)
            if loop.time() - since > STRETCH_SECONDS:
                await asyncio.sleep(0)
                since = loop.time()

    def _take_event(self, event: WatchEvent[T]) -> None:
        self._take(event.type, event.object)

    def _take(self, kind: Literal["ADDED", "MODIFIED", "DELETED"], item: T) -> None:
        if kind == "DELETED":
            earlier = self._index.remove(item)
            if earlier is None:
                return
        else:
            earlier = self._index.put(item)
            kind = "ADDED" if earlier is None else "MODIFIED"
        change = Change(kind, item, earlier)
        for subscription in tuple(self._subscriptions):
            subscription.tell(change)
