"""Which pods a step is about: the matchers of `podAction`.

Each matcher names a set of pods; several matchers make one set without duplicates, in the order of namespace and
name, so that the same seed on the same cluster picks the same ones. Seatrial's own pods are never in it.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from seatrial.kube.objects import Pod
from seatrial.policy.base import OneKey, option
from seatrial.policy.late_models import LateModel
from seatrial.remote.node_shell_pod import is_shell_pod
from seatrial.runtime.context import Context, Identity
from seatrial.runtime.events import PodRef, TargetsMatched
from seatrial.runtime.failed_units import UNKNOWN, FailedUnits
from seatrial.targets.pod_matchers.reader import Matched, PodReader, in_words, is_all, is_glob

_MATCHERS = "seatrial.targets.pod_matchers"

# The annotation of what stands for a static pod in the API.
_MIRROR = "kubernetes.io/config.mirror"


class PodMatcher(OneKey):
    """Names a set of pods."""

    namespace: str = option()
    """Every pod of this namespace; `*` or an empty string: of all; a glob such as `team-*` matches whole names."""

    deployment: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_workload:DeploymentMatcher")] = option()
    """The pods that a Deployment owns through its ReplicaSets."""

    stateful_set: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_workload:StatefulSetMatcher")] = option()
    """The pods of a StatefulSet."""

    daemon_set: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_workload:DaemonSetMatcher")] = option()
    """The pods of a DaemonSet."""

    job: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_workload:JobMatcher")] = option()
    """The pods of a Job."""

    replica_set: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_workload:ReplicaSetMatcher")] = option()
    """The pods of a ReplicaSet."""

    owner: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_owner:OwnerMatcher")] = option()
    """The pods that an object of any kind owns, directly or through objects that it owns."""

    labels: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_selector:LabelsMatcher")] = option()
    """The pods that a label selector selects."""

    field: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_selector:FieldMatcher")] = option()
    """The pods that a field selector selects."""

    service: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_service:ServiceMatcher")] = option()
    """The pods behind a Service."""

    node: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_place:NodeMatcher")] = option()
    """The pods that run on a node."""

    zone: Annotated[Any, LateModel.at(f"{_MATCHERS}.by_place:ZoneMatcher")] = option()
    """The pods that run on the nodes of a zone."""

    failed: Literal[True] = option()
    """The pods that failed, in a scenario of the run strategy `failures`: those that are still there."""


async def match_pods(matchers: Sequence[PodMatcher], context: Context, *, metadata_only: bool = False) -> Matched:
    """Find the pods that any of the matchers names; with `metadata_only` nothing else of them may be read.

    Raises:
        ClusterError: the API server refused or did not answer.
    """
    found: dict[str, Pod] = {}
    notes: list[str] = []
    reader = PodReader(cluster=context.cluster, metadata_only=metadata_only)

    async def match(matcher: PodMatcher) -> Matched:
        spec = matcher.spec
        if spec is True:
            return await _failed_pods(reader, context)
        return await (reader.list_in(spec) if isinstance(spec, str) else spec.find(reader))

    # Hundreds of pods that somebody named are as many matchers: little time may pass between choosing and acting.
    answers = await asyncio.gather(*map(match, matchers), return_exceptions=True)
    for matcher, matched in zip(matchers, answers, strict=True):
        if isinstance(matched, BaseException):
            raise matched
        context.emit(TargetsMatched(matcher=describe(matcher), count=len(matched.pods)))
        found.update((pod.metadata.uid, pod) for pod in matched.pods)
        notes += matched.notes
    others = [pod for pod in found.values() if not is_own_pod(pod, context.identity)]
    if found and not others:
        notes.append("only Seatrial's own pods, which are left out")
    ordered = sorted(others, key=lambda pod: (pod.metadata.namespace, pod.metadata.name))
    return Matched(pods=tuple(ordered), notes=tuple(notes))


async def _failed_pods(reader: PodReader, context: Context) -> Matched:
    failed = context.failed
    if failed is None or not failed.pods:
        return Matched(pods=(), notes=("what failed is a node" if failed else UNKNOWN,))
    uids = {pod.uid for pod in failed.pods}
    found: list[Pod] = []
    for namespace in sorted({pod.namespace for pod in failed.pods}):
        found += [pod for pod in await reader.list(namespace) if pod.metadata.uid in uids]
    return Matched(pods=tuple(found), notes=() if found else (f"{failed}: gone",))


def describe(matcher: PodMatcher) -> str:
    """A matcher in a few words."""
    spec = matcher.spec
    if spec is True:
        return "failed"
    return in_words(spec) if isinstance(spec, str) else str(spec)


def named_namespaces(matchers: Sequence[PodMatcher], failed: FailedUnits | None = None) -> frozenset[str]:
    """The namespaces that matchers name exactly: no glob, not all; `failed` is what the matcher `failed` stands for."""
    specs = [matcher.spec for matcher in matchers]
    said = [spec if isinstance(spec, str) else spec.namespace for spec in specs if spec is not True]
    by_failure = failed.named if failed and failed.kind == "pod" and any(spec is True for spec in specs) else ()
    return frozenset((*by_failure, *(each for each in said if each and not is_all(each) and not is_glob(each))))


def is_own_pod(pod: Pod, identity: Identity) -> bool:
    """Whether Seatrial itself runs in this pod, or its commands go through it to the pod's node."""
    if is_shell_pod(pod.metadata.labels):
        return True
    if not identity.pod_name or pod.metadata.name != identity.pod_name:
        return False
    return identity.pod_namespace in {"", pod.metadata.namespace}


def why_beyond_api(pod: Pod) -> str:
    """Why the API server can't end a pod, in words; empty where it can.

    A static pod's kubelet runs it from a file of its machine. What the API server has is its image: taken away, it
    comes back, and the containers know nothing of it (Kubernetes documentation, "Create static Pods").
    """
    if _MIRROR not in (pod.metadata.annotations or {}):
        return ""
    return "it is a static pod, which its node's kubelet runs from a file: the API server can't end it"


def pod_ref(pod: Pod) -> PodRef:
    """The pod as events name it."""
    owner = pod.metadata.controller
    return PodRef(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        node=pod.spec.node_name,
        owner=f"{owner.kind}/{owner.name}" if owner else "",
    )
