"""Lists of pods, as matchers need them: of one namespace, of all, or of those whose names match a glob.

Where nothing but names, labels and owners is needed, a list asks for the metadata alone: a third of the bytes.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import PartialObject, Pod
from seatrial.kube.resources import NAMESPACES, PODS


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """The pods that matchers found, and what to say where there are none."""

    pods: tuple[Pod, ...]
    notes: tuple[str, ...] = ()


class PodReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads pods of a cluster; with `metadata_only` their specification and status stay empty."""

    cluster: Client
    metadata_only: bool = False

    @property
    def with_status(self) -> "PodReader":
        """The same, reading whole pods."""
        return msgspec.structs.replace(self, metadata_only=False)

    async def list(
        self, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> tuple[Pod, ...]:
        """The pods of a namespace, or (None) of all."""
        listed = await self.cluster.list(
            PODS,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            type=Pod,
            metadata_only=self.metadata_only,
        )
        return tuple(listed.items)

    async def list_in(self, pattern: str, *, label_selector: str = "", field_selector: str = "") -> Matched:
        """The pods of the namespaces that a policy's text means; an empty list of one namespace says why."""
        if is_all(pattern):
            return Matched(pods=await self.list(label_selector=label_selector, field_selector=field_selector))
        if not is_glob(pattern):
            pods = await self.list(pattern, label_selector=label_selector, field_selector=field_selector)
            return Matched(pods=pods, notes=() if pods else await why_no_namespace(pattern, self.cluster))
        namespaces = await self.cluster.list(NAMESPACES, type=PartialObject, metadata_only=True)
        named = {each.metadata.name for each in namespaces.items if fnmatchcase(each.metadata.name, pattern)}
        if not named:
            return Matched(pods=(), notes=(f"no namespace is called '{pattern}'",))
        pods = await self.list(label_selector=label_selector, field_selector=field_selector)
        return Matched(pods=tuple(pod for pod in pods if pod.metadata.namespace in named))


async def why_no_namespace(namespace: str, cluster: Client) -> tuple[str, ...]:
    """A note where there is no such namespace, as far as we may know."""
    try:
        await cluster.get(NAMESPACES, namespace, type=PartialObject)
    except NotFound:
        return (f"there is no namespace '{namespace}'",)
    except Forbidden:
        return ()
    return ()


def controlled_by(things: Iterable[Pod], uids: Iterable[str]) -> tuple[Pod, ...]:
    """Those whose controller is one of these."""
    wanted = set(uids)
    return tuple(each for each in things if (owner := each.metadata.controller) and owner.uid in wanted)


def is_all(pattern: str) -> bool:
    """Whether a policy's text means every namespace."""
    return pattern in {"", "*"}


def is_glob(pattern: str) -> bool:
    """Whether a policy's text may mean several namespaces."""
    return any(character in pattern for character in "*?[")


def in_words(pattern: str) -> str:
    """The namespaces that a policy's text means."""
    return "all namespaces" if is_all(pattern) else f"namespace {pattern}"
