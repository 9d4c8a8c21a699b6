"""Which pods label mode kills: those that ask for it, in their hours, with their luck, as far as guardrails let it.

Every pod that asked and is not chosen is told with the reason. A guardrail spares single pods here instead of refusing
the whole step: each pod is an experiment of its own owner, and one that can't be done must not stop those of others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from seatrial.kube.client import Client
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import ObjectMeta, PartialObject, Pod
from seatrial.kube.resources import NAMESPACES, Resource
from seatrial.runtime.context import Context
from seatrial.runtime.events import GuardrailHeld, TargetsMatched
from seatrial.targets.guardrails import guard_pods, needs_status
from seatrial.targets.pod_matchers.reader import PodReader, in_words, is_all, is_glob
from seatrial.targets.pods import is_own_pod
from seatrial.targets.seal_labels import ENABLED, Unreadable, read_settings, says_enabled, why_not_at

# A pod that has ended can't fail any more; a list without it needs no status.
_NOT_ENDED = "status.phase!=Succeeded,status.phase!=Failed"


@dataclass(frozen=True, slots=True)
class Spared:
    """A pod that asked to be killed and is not, and why."""

    pod: Pod
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The pods that are due, with those that are to be killed at once, and those that asked and are spared."""

    due: tuple[Pod, ...]
    at_once: frozenset[str]
    spared: tuple[Spared, ...]
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """How many pods asked to be killed."""
        return len(self.due) + len(self.spared)

    def is_at_once(self, pod: Pod) -> bool:
        """Whether a pod asked to be killed without its grace period."""
        return pod.metadata.uid in self.at_once


async def choose_labelled(patterns: Sequence[str], zone: ZoneInfo | None, context: Context) -> Choice:
    """Find the pods that asked to be killed and are due; None is the local timezone.

    Raises:
        ClusterError: the API server refused or did not answer.
    """
    candidates, notes = await _candidates(patterns, context)
    now = context.clock.now()
    due: list[Pod] = []
    spared: list[Spared] = []
    at_once: set[str] = set()
    wishes = _OthersWishes(context.cluster)
    for pod in candidates:
        settings = read_settings(pod.metadata)
        if isinstance(settings, Unreadable):
            spared.append(Spared(pod, str(settings)))
            continue
        # Drawn for every pod, so that one pod's luck depends on nothing but the seed, the place and its own UID.
        lucky = context.random("label", pod.metadata.uid).random() >= settings.probability
        reason = why_not_at(settings, now, zone)
        if not reason and pod.metadata.deletion_timestamp is not None and not settings.force:
            reason = "it is terminating already"
        if not reason and lucky:
            reason = f"spared by its probability {settings.probability:g}"
        reason = reason or await wishes.objection(pod)
        if reason:
            spared.append(Spared(pod, reason))
            continue
        due.append(pod)
        if settings.force:
            at_once.add(pod.metadata.uid)
    named = frozenset(each for each in patterns if not is_all(each) and not is_glob(each))
    allowed, held = await _within_guardrails(due, context, named)
    return Choice(
        due=tuple(allowed), at_once=frozenset(at_once), spared=(*spared, *held), notes=(*notes, *wishes.notes)
    )


async def _candidates(patterns: Sequence[str], context: Context) -> tuple[list[Pod], list[str]]:
    """The pods that say anything but no, by namespace and name; and why there are none where that isn't plain."""
    reader = PodReader(cluster=context.cluster, metadata_only=not needs_status(context.settings.guardrails))
    found: dict[str, Pod] = {}
    notes: list[str] = []
    for pattern in patterns:
        matched = await reader.list_in(pattern, field_selector=_NOT_ENDED)
        asking = [pod for pod in matched.pods if says_enabled(pod.metadata) not in {"", "false"}]
        context.emit(TargetsMatched(matcher=f"{ENABLED} in {in_words(pattern)}", count=len(asking)))
        found.update((pod.metadata.uid, pod) for pod in asking if not is_own_pod(pod, context.identity))
        notes += matched.notes
    return sorted(found.values(), key=lambda pod: (pod.metadata.namespace, pod.metadata.name)), notes


async def _within_guardrails(due: list[Pod], context: Context, named: frozenset[str]) -> tuple[list[Pod], list[Spared]]:
    """As many of the pods as guardrails let be killed together, and the others with what holds each back."""
    most = context.settings.guardrails.most_pods
    held: list[Spared] = []
    if most is not None and len(due) > most:
        kept = {pod.metadata.uid for pod in context.random("label", "most").sample(due, most)}
        reason = f"{len(due)} pods are due, at most {most} may be killed at once"
        context.emit(GuardrailHeld(guardrail="maxPods", reason=reason))
        held = [Spared(pod, reason) for pod in due if pod.metadata.uid not in kept]
        due = [pod for pod in due if pod.metadata.uid in kept]
    allowed: list[Pod] = []

    async def admit(pods: list[Pod]) -> None:
        reasons = await guard_pods([*allowed, *pods], context, named=named)
        if not reasons:
            allowed.extend(pods)
        elif len(pods) == 1:
            held.append(Spared(pods[0], f"held back by a guardrail: {'; '.join(reasons)}"))
            for guardrail, _, words in (reason.partition(": ") for reason in reasons):
                context.emit(GuardrailHeld(guardrail=guardrail, reason=words))
        else:
            # Halves: where nothing or little is held back, a few questions answer for all.
            middle = len(pods) // 2
            await admit(pods[:middle])
            await admit(pods[middle:])

    if due:
        await admit(due)
    return allowed, held


class _OthersWishes:
    """What the owners and the namespace of a pod say: `seal/enabled: "false"` on one of them keeps it alive.

    A pod's labels change with its next roll-out; an annotation on its Deployment or its namespace stops it at once.
    """

    def __init__(self, cluster: Client) -> None:
        self.notes: list[str] = []
        self._cluster = cluster
        self._known: dict[tuple[str, str, str, str], ObjectMeta | None] = {}

    async def objection(self, pod: Pod) -> str:
        """Who objects to the pod's death, in words; empty where nobody does."""
        namespace = pod.metadata.namespace
        meta = await self._meta(NAMESPACES, namespace, None)
        if meta and says_enabled(meta) == "false":
            return f"its namespace says {ENABLED}=false"
        owner, seen = pod.metadata.controller, set[str]()
        while owner is not None and owner.uid not in seen:
            seen.add(owner.uid)
            try:
                resource = await self._cluster.resource_for(owner.api_version, owner.kind)
            except (UnknownKindError, Forbidden):
                return ""
            meta = await self._meta(resource, owner.name, namespace if resource.namespaced else None)
            above = meta.controller if meta else None
            # A ReplicaSet has copies of its Deployment's annotations, which stay when those are removed.
            speaks_for_itself = owner.kind != "ReplicaSet" or above is None
            if meta and speaks_for_itself and says_enabled(meta) == "false":
                return f"its {owner.kind} {owner.name} says {ENABLED}=false"
            owner = above
        return ""

    async def _meta(self, resource: Resource, name: str, namespace: str | None) -> ObjectMeta | None:
        key = (resource.group, resource.plural, namespace or "", name)
        if key not in self._known:
            self._known[key] = await self._read(resource, name, namespace)
        return self._known[key]

    async def _read(self, resource: Resource, name: str, namespace: str | None) -> ObjectMeta | None:
        try:
            found: PartialObject = await self._cluster.get(resource, name, namespace=namespace, type=PartialObject)
        except NotFound:
            return None
        except Forbidden:
            note = f"whether a {resource.kind} objects ({ENABLED}=false) can't be seen for lack of permission"
            if note not in self.notes:
                self.notes.append(note)
            return None
        return found.metadata
