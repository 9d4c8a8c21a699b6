"""What this user may not do, though a step needs it: asked of the API server before anything is touched."""

from collections.abc import Iterable

import msgspec

from seatrial.kube.client import Client
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS, Resource


class Permission(msgspec.Struct, frozen=True):
    """A verb on a resource, or on a subresource of it."""

    verb: str
    resource: Resource = PODS
    subresource: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {'/'.join(filter(None, (self.resource.plural, self.subresource)))}"


async def missing_in(namespace: str | None, needed: Iterable[Permission], cluster: Client) -> tuple[str, ...]:
    """Those of the permissions that this user lacks in a namespace (None: in the whole cluster), one sentence each."""
    where = f" in {namespace}" if namespace else ""
    return tuple(
        [
            f"{each}{where}"
            for each in needed
            if not await cluster.can_i(
                each.verb, each.resource, namespace=namespace, subresource=each.subresource or None
            )
        ]
    )


async def missing_permissions(
    victims: Iterable[Pod], cluster: Client, *, needed: Iterable[Permission]
) -> tuple[str, ...]:
    """Those of the permissions that this user lacks in each namespace of the victims."""
    wanted = list(needed)
    namespaces = sorted({pod.metadata.namespace for pod in victims})
    return tuple([each for namespace in namespaces for each in await missing_in(namespace, wanted, cluster)])
