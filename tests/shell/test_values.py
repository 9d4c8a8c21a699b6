"""What completes as one types: what there is on the cluster, with what one wants to know of it."""

import random

import pytest
from msgspec.structs import replace
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.shell.command_table import COMMANDS
from seatrial.shell.completion import CommandCompleter
from tests.by_hand.live.conftest import until
from tests.shell.conftest import DrivenShell

ZONE, ROLE = "topology.kubernetes.io/zone", "node-role.kubernetes.io/worker"


def offered(driven: DrivenShell, line: str) -> dict[str, str]:
    """What is offered at the end of a line, and what is said of it."""
    found = CommandCompleter(driven.shell).get_completions(Document(line), CompleteEvent(text_inserted=True))
    return {each.text: each.display_meta_text for each in found}


@pytest.fixture
async def shop(shell, control):
    """A shell that has seen a cluster with pods in two namespaces, and two nodes."""
    api = control.server.api
    await api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("web-1", "web-2", app="web", tier="front")
    await control.create_pods("db-0", app="db")
    await control.create_pods("cart-1", "web-9", namespace="shop", app="cart")
    for name, zone in (("node1", "west"), ("node2", "east")):
        node = {"metadata": {"name": name, "labels": {ZONE: zone, ROLE: "", "disk": "ssd"}}}
        await api.create("nodes", node)
        addresses = [{"type": "InternalIP", "address": f"10.0.0.{name[-1]}"}]
        status = {"addresses": addresses, "conditions": [{"type": "Ready", "status": str(name == "node1")}]}
        await api.patch("nodes", name, None, {"status": status}, subresource="status")
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "busybox"}]},
        },
    }
    await api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": {**spec, "replicas": 3}}, "default")
    await api.create("deployments.apps", {"metadata": {"name": "cart"}, "spec": spec}, "shop")
    await api.create("statefulsets.apps", {"metadata": {"name": "db"}, "spec": spec}, "default")
    live = shell.shell.live
    for kind in (live.pods, live.namespaces, live.nodes, live.deployments, live.stateful_sets):
        await kind.ready()
    return shell


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("kill web", ["web-1", "web-2", "shop/web-9"]),
        ("kill b", ["db-0", "web-1", "web-2", "shop/web-9"]),
        ("kill ", ["db-0", "web-1", "web-2"]),
        ("kill shop/", ["shop/cart-1", "shop/web-9"]),
        ("kill shop/9", ["shop/web-9"]),
        ("kill web-1 web", ["web-2", "shop/web-9"]),
        ("kill nothing", []),
    ],
)
async def test_pods_are_offered_by_name(shop, line, texts):
    """What begins so before what has it somewhere, the shell's namespace before others, none twice."""
    assert list(offered(shop, line)) == texts


async def test_a_pod_is_offered_with_its_state_and_age(shop):
    """And with its node, once it has one."""
    [said] = {said.partition("  ")[0] for said in offered(shop, "kill web").values()}
    assert said == "Pending"
    assert offered(shop, "kill web-1")["web-1"].rpartition("  ")[2].endswith("s")


async def test_numbers_of_the_last_list_are_offered_with_what_they_mean(shop, control):
    """Before any name, and also what has gone since."""
    await shop.do("pods")
    assert list(offered(shop, "kill "))[:3] == ["1", "2", "3"]
    assert offered(shop, "kill 2")["2"].startswith("web-1  Pending")
    await control.server.api.delete("pods", "web-1", "default")
    await until(lambda: shop.shell.live.pods.get("default", "web-1") is None)
    assert offered(shop, "kill 2")["2"] == "web-1  gone"
    assert list(offered(shop, "kill 3 "))[:3] == ["1", "2", "db-0"]


async def test_a_pod_of_another_namespace_is_not_hit_by_its_bare_name(shop, control):
    """Where it is is said, for whoever meant that one."""
    assert await shop.do("kill web-9 --yes") == 2
    assert "there is no pod default/web-9" in shop.errors
    assert "hint: there is shop/web-9" in shop.errors
    assert await control.pod_names("shop") == ["cart-1", "web-9"]


async def test_namespaces_are_offered(shop):
    """With their states."""
    assert list(offered(shop, "pods sh")) == ["shop"]
    assert offered(shop, "pods sh")["shop"].startswith("Active  ")


async def test_labels_are_offered_key_and_value(shop):
    """Those that pods of the line's namespace have, with how many have them; after a comma the next."""
    assert offered(shop, "pods default ") == {"app=": "db, web", "tier=": "front"}
    assert offered(shop, "pods default app=") == {"app=db": "1 pod", "app=web": "2 pods"}
    assert offered(shop, "pods default app=web,ti") == {"app=web,tier=": "front"}
    assert offered(shop, "pods default app=web,tier!=f") == {"app=web,tier!=front": "2 pods"}
    assert offered(shop, "pods default '!t") == {"!tier": "front"}
    assert offered(shop, "pods shop app=") == {"app=cart": "2 pods"}
    assert offered(shop, "pods '*' app=") == {"app=cart": "2 pods", "app=db": "1 pod", "app=web": "2 pods"}


async def test_labels_are_offered_also_without_a_namespace(shop):
    """As the first word of `pods`, after the namespaces; with `--all` those of every namespace."""
    assert offered(shop, "pods ti") == {"tier=": "front"}
    assert list(offered(shop, "pods app=")) == ["app=db", "app=web"]
    assert list(offered(shop, "pods --all app=")) == ["app=cart", "app=db", "app=web"]


async def test_nodes_are_offered_by_all_that_may_be_said_of_them(shop):
    """Names, states, zones, groups, addresses; with how many nodes each means."""
    said = offered(shop, "stop ")
    assert said["node1"].startswith("Ready  west  ")
    assert (said["all"], said["up"], said["down"]) == ("2 nodes", "state, node1", "state, node2")
    assert (said["west"], said["worker"], said["10.0.0.2"]) == ("zone, node1", "group, 2 nodes", "ip, node2")
    assert offered(shop, "stop zone:") == {"zone:east": "node2", "zone:west": "node1"}
    assert offered(shop, "stop label:di") == {"label:disk=ssd": "2 nodes"}
    assert offered(shop, "stop node1,we") == {"node1,west": "zone, node1"}
    assert "node1" not in offered(shop, "stop node1 n")


async def test_numbers_of_nodes_are_offered_with_their_names(shop):
    """As those of pods are."""
    await shop.do("nodes")
    assert offered(shop, "stop 2") == {"2": "node2  NotReady"}


async def test_groups_of_an_inventory_file_are_offered(shop):
    """Where there is one, nodes are in its groups."""
    context = shop.session.context
    shop.session.context = replace(context, settings=replace(context.settings, inventory={"racks": ["node2"]}))
    assert offered(shop, "stop ra") == {"racks": "group, node2"}


async def test_what_makes_pods_is_offered_in_the_forms_that_commands_take(shop):
    """By name, or by kind and name; with how many pods are ready."""
    assert offered(shop, "clone ")["web"].startswith("0/3 ready  ")
    assert list(offered(shop, "clone c")) == ["shop/cart"]
    assert list(offered(shop, "scale d")) == ["deployment/web", "statefulset/db"]
    assert list(offered(shop, "scale deployment/w")) == ["deployment/web"]
    assert list(offered(shop, "scale db")) == ["statefulset/db"]
    assert list(offered(shop, "pods_for_deployment shop ")) == ["cart"]


async def test_services_are_offered_as_they_are_reached(shop, control):
    """By name and port, with the namespace where it is another; what is not TCP can't be probed."""
    ports = [
        {"port": 80, "name": "http"},
        {"port": 9090, "name": "metrics"},
        {"port": 53, "protocol": "UDP", "name": "d"},
    ]
    service = {"metadata": {"name": "web"}, "spec": {"ports": ports}}
    await control.server.api.create("services", service, "default")
    await control.server.api.create("services", {**service, "spec": {"ports": ports[1:]}}, "shop")
    await shop.shell.live.services.ready()
    assert offered(shop, "probe w") == {
        "web": "ClusterIP  http", "web.shop:9090": "ClusterIP  metrics", "web:9090": "ClusterIP  metrics",
    }  # fmt: skip


async def test_containers_are_offered_of_the_pods_that_are_named(shop):
    """With their images."""
    assert offered(shop, "kill web-1 --container ") == {"c": "busybox"}
    assert offered(shop, "logs shop/cart-1 -c ") == {"c": "busybox"}
    assert offered(shop, "logs nothing -c ") == {"c": "busybox"}


async def test_kinds_are_offered(shop):
    """Those that can be watched."""
    assert list(offered(shop, "watch s")) == ["statefulsets", "services"]


async def test_what_nobody_has_looked_at_is_opened_and_offered_later(shell, control):
    """Completion never waits: at first there is nothing, and a key later there is."""
    await control.create_pods("web-1")
    assert offered(shell, "kill w") == {}
    await until(lambda: shell.shell.live.pods.is_ready)
    assert list(offered(shell, "kill w")) == ["web-1"]


async def test_before_the_cluster_is_reached_nothing_is_offered():
    """And nothing is wrong with that."""
    assert offered(DrivenShell(), "kill w") == {}
    assert offered(DrivenShell(), "stop w") == {}


async def test_who_may_see_nothing_is_offered_nothing(shop, control):
    """What is refused is for commands to say; of the namespaces there is the one that one is in."""
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        shop.shell._connection = replace(shop.shell.connection, live=live)
        live.open_usual()
        await until(lambda: bool(live.pods.problem and live.nodes.problem and live.namespaces.problem))
        assert offered(shop, "kill w") == {}
        assert list(offered(shop, "pods de")) == ["default"]
        assert offered(shop, "stop n") == {"name:": "by name"}
        assert offered(shop, "stop a") == {"all": "every node"}


async def test_whatever_is_typed_completion_goes_on(shop):
    """Half a quote, a selector that is none, a number of no list: nothing breaks, whatever is offered."""
    await shop.do("pods; nodes")
    rng = random.Random(7)
    pieces = [
        *"12/=,!'\"()\\;#$é:. ",
        "web",
        "99",
        "default",
        "shop",
        "--",
        "-n",
        "zone:",
        "label:",
        "all",
        "app",
        "node1",
    ]
    for _ in range(500):
        offered(shop, f"{rng.choice([*COMMANDS])} {''.join(rng.choices(pieces, k=rng.randint(0, 6)))}")


async def test_no_more_are_offered_than_somebody_would_read(shell, control):
    """Two hundred; a letter more finds the others."""
    await control.create_pods(*(f"web-{number:03}" for number in range(250)))
    await shell.shell.live.pods.ready()
    assert len(offered(shell, "kill w")) == 200
    assert list(offered(shell, "kill web-249")) == ["web-249"]
