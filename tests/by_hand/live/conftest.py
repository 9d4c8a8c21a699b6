"""The live view on an API server in this process, and on one whose watches break; who may see what."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from seatrial.by_hand.live.cluster import LiveCluster
from tests.kube.conftest import client, server, write_kubeconfig  # noqa: F401 -- fixtures
from tests.kube.fake_collection import Collection

WAIT_SECONDS = 30


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds; changes arrive by sockets, so other tasks and the sockets have their turn meanwhile."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 -- whatever may change: what a watch says, whether it is current
            await asyncio.sleep(0.005)


@pytest.fixture
async def live(control) -> AsyncIterator[LiveCluster]:
    """A view of that API server."""
    async with LiveCluster(control.cluster) as view:
        yield view


@pytest.fixture
def collection(server) -> Collection:  # noqa: F811 -- the fixture
    """Pods with a history, on a fake API server."""
    return Collection(server)


@pytest.fixture
async def breakable(client, collection) -> AsyncIterator[LiveCluster]:  # noqa: F811 -- the fixture
    """A view of that fake API server."""
    async with LiveCluster(client) as view:
        yield view


@pytest.fixture
def grant(control):
    """Lets a user list and watch resources (or what `verbs` say), everywhere or in a namespace."""

    async def granted(
        user: str, *resources: str, namespace: str | None = None, verbs: Sequence[str] = ("list", "watch")
    ) -> None:
        api, name = control.server.api, f"{user}-{'-'.join(resources)}"
        group = "rbac.authorization.k8s.io"
        rules = [{"apiGroups": ["", "apps"], "resources": [*resources], "verbs": [*verbs]}]
        await api.create(f"clusterroles.{group}", {"metadata": {"name": name}, "rules": rules})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
        if namespace is None:
            await api.create(f"clusterrolebindings.{group}", binding)
        else:
            await api.create(f"rolebindings.{group}", binding, namespace)

    return granted
