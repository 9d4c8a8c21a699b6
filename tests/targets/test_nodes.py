"""Which nodes and machines there are to choose from, and what they are called."""

import pytest
from msgspec.structs import replace

from seatrial.kube.resources import NODES
from seatrial.runtime.context import Identity, Settings
from seatrial.targets.nodes import list_targets, pods_on_nodes
from tests.machines.made import MemoryCloud, machine


@pytest.fixture
async def cloud(control):
    """A node with its machine, and a machine that no node runs on."""
    labels = {"node-role.kubernetes.io/worker": "", "eks.amazonaws.com/nodegroup": "pool-1", "tier": "gold"}
    await control.cluster.create(
        NODES, {"metadata": {"name": "a", "labels": labels}, "spec": {"providerID": "memory:///a"}}
    )
    return MemoryCloud(
        machine("a", provider_id="memory:///a", groups=("workers",)),
        machine("i-1", name="db-1", addresses=("10.1.0.9",), zone="west-2", groups=("databases",), labels={"x": "y"}),
    )


def asking(recorder, cloud, identity=None, **settings):
    return replace(recorder.context, machines=cloud, settings=Settings(**settings), identity=identity or Identity())


async def test_machines_without_a_node_are_left_alone_and_said(on_cluster, cloud):
    """Unless the inventory is asked for from the cloud; the note says how."""
    targets, notes = await list_targets(asking(on_cluster, cloud), needs_machines=True)
    assert [each.name for each in targets] == ["a"]
    assert notes == ["1 machine of the cloud without a node here: left alone (--inventory-cloud would match them)"]


async def test_the_clouds_inventory_brings_them_with_the_clouds_words(on_cluster, cloud):
    """By the cloud's name, addresses, zone and groups; also where no step asks for machines."""
    targets, notes = await list_targets(asking(on_cluster, cloud, inventory_cloud=True), needs_machines=False)
    assert notes == []
    a, stray = targets
    assert (a.has_node, str(a), a.machine.id) == (True, "node a", "a")
    assert (stray.has_node, str(stray), stray.name, stray.zone) == (False, "no node (db-1)", "db-1", "west-2")
    assert (stray.addresses, stray.groups) == (["10.1.0.9"], ["databases", "x=y", "y"])
    assert (stray.ref.name, stray.ref.uid, stray.ref.zone) == ("db-1", "i-1", "west-2")


async def test_a_cloud_that_is_not_configured_has_no_inventory(on_cluster, cloud):
    """That nothing more was found is said with its reason."""
    context = replace(asking(on_cluster, cloud, inventory_cloud=True), machines=on_cluster.context.machines)
    _, notes = await list_targets(context, needs_machines=False)
    assert notes == ["--inventory-cloud: no cloud is configured whose machines could be matched"]


async def test_its_own_machine_is_left_out_without_a_node_too(on_cluster, cloud):
    """The one with HOST_IP."""
    context = asking(on_cluster, cloud, Identity(host_ip="10.1.0.9"), inventory_cloud=True)
    targets, notes = await list_targets(context, needs_machines=True)
    assert [each.name for each in targets] == ["a"]
    assert notes == ["the node that Seatrial itself runs on is left out"]


async def test_an_inventory_file_names_machines_of_the_cloud_too(on_cluster, cloud):
    """By name or address; what it doesn't name is left out."""
    context = asking(on_cluster, cloud, inventory={"rack": ["10.1.0.9"]}, inventory_cloud=True)
    [found], notes = await list_targets(context, needs_machines=True)
    assert (found.name, found.groups) == ("db-1", ["databases", "rack"])
    assert notes == ["1 node not in the inventory: left out"]


async def test_labels_are_groups_unless_a_file_says_which_there_are(on_cluster, cloud):
    """Roles, the node pool and the cloud's groups are always; labels by key and value, and by value alone."""
    [target], _ = await list_targets(asking(on_cluster, cloud), needs_machines=True)
    assert target.groups[:3] == ["worker", "pool-1", "workers"]
    assert {"tier=gold", "gold", "eks.amazonaws.com/nodegroup=pool-1"} <= set(target.groups)
    assert "" not in target.groups
    context = asking(on_cluster, cloud, inventory={"rack": ["a"]})
    [target], _ = await list_targets(context, needs_machines=True)
    assert target.groups == ["worker", "pool-1", "workers", "rack"]


@pytest.mark.parametrize("more", [0, 10])
async def test_the_pods_of_nodes_are_found_one_by_one_and_all_at_once(control, on_cluster, more):
    """Few nodes are asked each for its own, many are looked up in one list; ended pods are none."""
    for name, node in (("x", "a"), ("y", "b"), ("z", "c"), ("ended", "a")):
        body = {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}}
        await control.server.api.create("pods", body, "default")
    await control.server.api.patch("pods", "ended", "default", {"status": {"phase": "Failed"}}, subresource="status")
    names = ["a", "b", *(f"other-{number}" for number in range(more))]
    assert sorted(pod.metadata.name for pod in await pods_on_nodes(names, on_cluster.context)) == ["x", "y"]
