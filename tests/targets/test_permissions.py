from seatrial.kube.objects import Pod
from seatrial.kube.resources import DEPLOYMENTS, NODES, PODS
from seatrial.targets.permissions import Permission, missing_in, missing_permissions

DELETE = [Permission("delete")]


async def test_permissions_that_lack_are_told_for_each_namespace(control):
    """An administrator lacks none; who may nothing lacks the deletion in each namespace of the victims, once."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("a", "b")
    await control.create_pods("c", namespace="shop")
    victims = (await control.cluster.list(PODS, type=Pod)).items
    assert await missing_permissions(victims, control.cluster, needed=DELETE) == ()
    async with await control.connect_as("jane") as cluster:
        assert await missing_permissions(victims, cluster, needed=DELETE) == (
            "delete pods in default",
            "delete pods in shop",
        )


async def test_losing_nothing_needs_no_permission(control):
    """Without victims nobody is asked anything."""
    assert await missing_permissions([], control.cluster, needed=DELETE) == ()


async def test_subresources_and_the_whole_cluster_are_told_apart(control):
    """A subresource is named with its resource; what has no namespace is asked for the whole cluster."""
    wanted = [Permission("create", PODS, "eviction"), Permission("patch", DEPLOYMENTS, "scale")]
    async with await control.connect_as("jane") as cluster:
        lacking = await missing_in("shop", wanted, cluster)
        assert lacking == ("create pods/eviction in shop", "patch deployments/scale in shop")
        assert await missing_in(None, [Permission("patch", NODES)], cluster) == ("patch nodes",)
