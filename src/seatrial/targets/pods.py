"""Which pods a step is about: the matchers of `podAction`.

Each matcher names a set of pods; several matchers make one set without duplicates, in the order of namespace and
name, so that the same seed on the same cluster picks the same ones. Seatrial's own pod is never in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, Field

from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import Deployment, PartialObject, Pod
from seatrial.kube.resources import DEPLOYMENTS, NAMESPACES, PODS, REPLICASETS
from seatrial.kube.selectors import LabelSelector, SelectorError, parse_label_selector
from seatrial.policy.base import Model, OneKey, complain, option
from seatrial.runtime.context import Context, Identity
from seatrial.runtime.events import PodRef, TargetsMatched


def _as_selector(selector: str) -> str:
    if not selector.strip():
        raise complain("is empty, which selects nothing; to take all pods of a namespace use the 'namespace' matcher")
    try:
        parse_label_selector(selector)
    except SelectorError as error:
        raise complain(f"is no valid label selector: {error.message}") from None
    return selector


class DeploymentMatcher(Model):
    """The pods that a Deployment owns through its ReplicaSets."""

    name: Annotated[str, Field(min_length=1)]
    """The Deployment's name."""

    namespace: Annotated[str, Field(min_length=1)]
    """The Deployment's namespace."""


class LabelsMatcher(Model):
    """The pods that a label selector selects."""

    selector: Annotated[str, AfterValidator(_as_selector), Field(json_schema_extra={"minLength": 1})]
    """A Kubernetes label selector: `app=web,tier!=cache`, `env in (staging, test)`, `!legacy`."""

    namespace: str
    """The namespace to look in; `*` or an empty string: all; a glob such as `team-*` matches whole names."""


class PodMatcher(OneKey):
    """Names a set of pods."""

    namespace: str = option()
    """Every pod of this namespace; `*` or an empty string: of all; a glob such as `team-*` matches whole names."""

    deployment: DeploymentMatcher = option()
    """The pods that a Deployment owns through its ReplicaSets."""

    labels: LabelsMatcher = option()
    """The pods that a label selector selects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The pods that matchers found, and what to say where there are none."""

    pods: tuple[Pod, ...]
    notes: tuple[str, ...] = ()


async def match_pods(matchers: Sequence[PodMatcher], context: Context) -> Matched:
    """Find the pods that any of the matchers names.

    Raises:
        ClusterError: the API server refused or did not answer.
    """
    found: dict[str, Pod] = {}
    notes: list[str] = []
    for matcher in matchers:
        matched = await _match(matcher, context.cluster)
        context.emit(TargetsMatched(matcher=describe(matcher), count=len(matched.pods)))
        found.update((pod.metadata.uid, pod) for pod in matched.pods)
        notes += matched.notes
    others = [pod for pod in found.values() if not is_own_pod(pod, context.identity)]
    if found and not others:
        notes.append("only the pod that Seatrial runs in, which is left out")
    ordered = sorted(others, key=lambda pod: (pod.metadata.namespace, pod.metadata.name))
    return Matched(pods=tuple(ordered), notes=tuple(notes))


def describe(matcher: PodMatcher) -> str:
    """A matcher in a few words."""
    spec = matcher.spec
    if isinstance(spec, DeploymentMatcher):
        return f"deployment {spec.namespace}/{spec.name}"
    if isinstance(spec, LabelsMatcher):
        return f"labels {spec.selector} in {_namespace_words(spec.namespace)}"
    return _namespace_words(str(spec))


def is_own_pod(pod: Pod, identity: Identity) -> bool:
    """Whether Seatrial itself runs in this pod."""
    if not identity.pod_name or pod.metadata.name != identity.pod_name:
        return False
    return identity.pod_namespace in {"", pod.metadata.namespace}


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


async def _match(matcher: PodMatcher, cluster: Client) -> Matched:
    spec = matcher.spec
    if isinstance(spec, DeploymentMatcher):
        return await _pods_of_deployment(spec, cluster)
    if isinstance(spec, LabelsMatcher):
        return await _pods_in(spec.namespace, cluster, label_selector=spec.selector)
    return await _pods_in(str(spec), cluster)


async def _pods_of_deployment(spec: DeploymentMatcher, cluster: Client) -> Matched:
    try:
        deployment = await cluster.get(DEPLOYMENTS, spec.name, namespace=spec.namespace, type=Deployment)
    except NotFound:
        return Matched(pods=(), notes=(f"there is no Deployment {spec.namespace}/{spec.name}",))
    selector = str(LabelSelector.from_dict(deployment.spec.selector))
    sets = await cluster.list(
        REPLICASETS, namespace=spec.namespace, label_selector=selector, type=PartialObject, metadata_only=True
    )
    owned = {each.metadata.uid for each in sets.items if _controlled_by(each, {deployment.metadata.uid})}
    pods = await cluster.list(PODS, namespace=spec.namespace, label_selector=selector, type=Pod)
    return Matched(pods=tuple(pod for pod in pods.items if _controlled_by(pod, owned)))


def _controlled_by(thing: Pod | PartialObject, uids: set[str]) -> bool:
    owner = thing.metadata.controller
    return owner is not None and owner.uid in uids


async def _pods_in(pattern: str, cluster: Client, *, label_selector: str = "") -> Matched:
    if pattern in {"", "*"}:
        pods = await cluster.list(PODS, label_selector=label_selector, type=Pod)
        return Matched(pods=tuple(pods.items))
    if not _is_glob(pattern):
        pods = await cluster.list(PODS, namespace=pattern, label_selector=label_selector, type=Pod)
        return Matched(pods=tuple(pods.items), notes=() if pods.items else await _why_empty(pattern, cluster))
    namespaces = await cluster.list(NAMESPACES, type=PartialObject, metadata_only=True)
    named = {each.metadata.name for each in namespaces.items if fnmatchcase(each.metadata.name, pattern)}
    if not named:
        return Matched(pods=(), notes=(f"no namespace is called '{pattern}'",))
    pods = await cluster.list(PODS, label_selector=label_selector, type=Pod)
    return Matched(pods=tuple(pod for pod in pods.items if pod.metadata.namespace in named))


async def _why_empty(namespace: str, cluster: Client) -> tuple[str, ...]:
    try:
        await cluster.get(NAMESPACES, namespace, type=PartialObject)
    except NotFound:
        return (f"there is no namespace '{namespace}'",)
    except Forbidden:
        return ()
    return ()


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _namespace_words(pattern: str) -> str:
    return "all namespaces" if pattern in {"", "*"} else f"namespace {pattern}"
