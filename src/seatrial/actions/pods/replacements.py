"""Which new pod stands for which killed one, over all kills of a scenario.

A replacement is a pod that was not there when the watch for the killed one began, of the same controller; the first new
one stands for the pod of that controller that was killed first, whichever step killed it. Where a replacement is killed
in its turn before it was Ready, what replaces it stands for both.
"""

from collections.abc import Iterator

import msgspec

from seatrial.kube.objects import Pod
from seatrial.runtime.events import PodRef


class Replacement(msgspec.Struct):
    """A new pod, and when each moment of its beginning was seen first, on the loop's clock."""

    pod: Pod
    created: float
    victim: "Victim"
    scheduled: float | None = None
    running: float | None = None
    ready: float | None = None

    def progress(self, pod: Pod, at: float) -> None:
        """Take in how far it is."""
        self.pod = pod
        if self.scheduled is None and pod.spec.node_name:
            self.scheduled = at
        if self.running is None and pod.status.phase == "Running":
            self.running = at
        if self.ready is None and pod.is_ready:
            self.ready = at


class Victim(msgspec.Struct):
    """A killed pod that its controller replaces; `before` are the pods that were there when its watch began."""

    ref: PodRef
    owner_uid: str
    before: set[str]
    sent: float | None = None
    gone: float | None = None
    own: Replacement | None = None
    heir: "Victim | None" = None
    followers: list["Victim"] = []
    reported: bool = False

    @property
    def replacement(self) -> Replacement | None:
        """What stands for it: its own, or that of the pod that was killed in its place."""
        return self.heir.replacement if self.heir else self.own

    @property
    def concerned(self) -> Iterator["Victim"]:
        """It, and those for which the same pod stands."""
        yield self
        for each in self.followers:
            yield from each.concerned

    @property
    def is_waiting(self) -> bool:
        """Whether a new pod may stand for it."""
        return self.sent is not None and self.own is None and self.heir is None


class Replacements:
    """Remembers the killed pods of a scenario, and gives each new pod to one of them."""

    def __init__(self) -> None:
        self._victims: dict[str, Victim] = {}
        self._given: dict[str, Replacement] = {}
        self._nobodys: set[str] = set()

    def add(self, victim: Victim) -> bool:
        """A pod is about to be killed; False where another kill waits for its replacement already."""
        return self._victims.setdefault(victim.ref.uid, victim) is victim

    def forget(self, victim: Victim) -> None:
        """It was not killed: what was taken for its replacement is another's."""
        self._victims.pop(victim.ref.uid, None)
        self.release(victim)

    def release(self, victim: Victim) -> None:
        """It is there yet, though it may go later: likewise."""
        found, victim.own = victim.own, None
        if found is None:
            return
        if other := self._first_waiting(found.pod, but=victim):
            other.own, found.victim = found, other
        else:
            del self._given[found.pod.metadata.uid]

    def concerned(self, uid: str) -> Iterator[Victim]:
        """The killed pod of that UID, and those for which the same pod stands."""
        if victim := self._victims.get(uid):
            yield from victim.concerned

    def take(self, pod: Pod, at: float) -> Replacement | None:
        """Take in a pod as a watch shows it; None where it stands for no killed one."""
        uid = pod.metadata.uid
        found = self._given.get(uid)
        if found is None:
            if uid in self._victims or uid in self._nobodys:
                return None
            first = self._first_waiting(pod)
            if first is None:
                if self._could_be_new(pod):
                    self._nobodys.add(uid)
                return None
            found = first.own = self._given[uid] = Replacement(pod, created=at, victim=first)
        found.progress(pod, at)
        return found

    def gone(self, uid: str) -> None:
        """A pod is gone: where it stood for one that has not recovered, the next stands for that."""
        found = self._given.pop(uid, None)
        if found is None or found.victim.reported:
            return
        victim = found.victim
        victim.own, victim.heir = None, self._victims.get(uid)
        if victim.heir:
            victim.heir.followers.append(victim)

    def _could_be_new(self, pod: Pod) -> bool:
        """Whether the controller of some killed pod made it after that one's watch began."""
        owner, uid = pod.metadata.controller, pod.metadata.uid
        return owner is not None and any(
            each.owner_uid == owner.uid and uid not in each.before for each in self._victims.values()
        )

    def _first_waiting(self, pod: Pod, *, but: Victim | None = None) -> Victim | None:
        owner, uid = pod.metadata.controller, pod.metadata.uid
        if owner is None:
            return None
        waiting = (
            each
            for each in self._victims.values()
            if each is not but and each.owner_uid == owner.uid and each.is_waiting and uid not in each.before
        )
        return min(waiting, key=lambda each: each.sent or 0, default=None)
