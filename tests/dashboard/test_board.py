"""What stands on the board: nodes by zone, their pods as cells."""

from seatrial.kube.resources import NODES
from tests.dashboard.conftest import create_pod, let_see, set_ready


async def test_nodes_stand_under_their_zones_with_their_pods(screen, control):
    """Each zone says how many of its nodes are Ready, each node how many pods it has, each pod its state by a mark."""
    await create_pod(control, "web-1", node="node-2")
    await create_pod(control, "web-2", node="node-2", ready=False)
    await create_pod(control, "web-3", node="node-3")
    await screen.until("3 of 3 Ready, 3 pods, 1 not ready")
    east, node_1, node_2, west, node_3 = [row.strip("│ ") for row in screen.rows[2:7]]
    assert (east, west) == ("east  2 nodes, 2 Ready", "west  1 node, 1 Ready")
    assert node_1.split() == ["▸", "node-1", "✓", "Ready", "0"]
    assert node_2.split() == ["node-2", "✓", "Ready", "2", "●", "○"]
    assert node_3.split() == ["node-3", "✓", "Ready", "1", "●"]


async def test_a_pod_without_a_node_stands_below_all_zones(screen, control):
    """What waits for a node is seen, too."""
    await create_pod(control, "waits")
    await screen.until("◌ waiting")
    assert screen.row("no node").split()[:6] == ["│", "no", "node", "◌", "waiting", "1"]


async def test_a_node_that_is_down_or_cordoned_is_marked(screen, control):
    """By a mark and a word, and its zone counts it as not Ready."""
    await set_ready(control, "node-1", is_ready=False)
    await control.cluster.patch(NODES, "node-3", {"spec": {"unschedulable": True}})
    await screen.until("✗ NotReady")
    await screen.until("⊘ cordoned")
    assert "node-1" in screen.row("✗ NotReady")
    assert "node-3" in screen.row("⊘ cordoned")
    assert "2 nodes, 1 Ready" in screen.row("east")


async def test_a_node_with_more_pods_than_fit_says_how_many_more(control, nodes, opened):
    """A node never takes more than a line, which tells if one out of sight is unwell; the choice moves them into it."""
    for number in range(60):
        await create_pod(control, f"web-{number:02}", node="node-1", ready=number != 59)
    async with opened(control.directory / "kubeconfig") as screen:
        await screen.until("60 pods, 1 not ready")
        row = screen.row("node-1")
        shown = row.count("●")
        assert shown < 60
        assert f"+{60 - shown} ○" in row
        assert len(row) <= 80
        await screen.press(*["right"] * 60)
        assert "default/web-59" in screen.shown
        assert "○ +" in screen.row("node-1 ")


async def test_one_pod_more_is_drawn_at_once(screen, control):
    """The watch tells, nobody has to ask."""
    await screen.until("0 pods")
    await create_pod(control, "web-1", node="node-1")
    await screen.until("1 pod")
    await control.server.api.delete("pods", "web-1", "default", grace_period_seconds=0)
    await screen.until("0 pods")


async def test_the_choice_does_not_pass_to_a_neighbour(screen, control):
    """Where the chosen pod goes, its node is chosen: a key that was meant for it must not hit another pod."""
    await create_pod(control, "web-1", node="node-1")
    await create_pod(control, "web-2", node="node-1")
    await screen.until("2 pods")
    await screen.press("right")
    assert "default/web-1" in screen.shown
    await control.server.api.delete("pods", "web-1", "default", grace_period_seconds=0)
    await screen.until("1 pod")
    await screen.until("node-1  Ready")
    await screen.press("k")
    assert "choose a pod first" in screen.said


async def test_the_choice_stays_while_others_come_and_go(screen, control):
    """What is chosen is a pod, not a place in the row."""
    await create_pod(control, "web-2", node="node-1")
    await screen.until("1 pod")
    await screen.press("right")
    await create_pod(control, "web-1", node="node-1")
    await screen.until("2 pods")
    assert "default/web-2" in screen.shown


async def test_one_namespace_is_looked_at(screen, control):
    """With `n` and a name the pods of that namespace are shown alone; an empty answer shows all again."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}}, None)
    await create_pod(control, "cart", node="node-1", namespace="shop")
    await create_pod(control, "web", node="node-1")
    await screen.until("2 pods")
    await screen.press("n")
    await screen.until("Look at which namespace?")
    await screen.type("shop")
    await screen.press("enter")
    await screen.until("namespace shop")
    await screen.until("3 Ready, 1 pod")
    await screen.press("n")
    await screen.until("Look at which namespace?")
    await screen.press(*["backspace"] * 4, "enter")
    await screen.until("2 pods")


async def test_a_namespace_that_is_not_there_is_said(screen):
    """Instead of an empty board that looks like a cluster without pods."""
    await screen.press("n")
    await screen.until("Look at which namespace?")
    await screen.type("shpo")
    await screen.press("enter")
    assert "there is no namespace 'shpo'" in screen.said
    assert "namespace shpo" not in screen.rows[0]


async def test_a_search_leaves_what_has_the_text_in_its_name(screen, control):
    """Pods and nodes; a node stays for the sake of its pods, all pods for the sake of their node."""
    await create_pod(control, "cart-1", node="node-1")
    await create_pod(control, "web-1", node="node-3")
    await screen.until("2 pods")
    await screen.press("slash")
    await screen.until("Show pods and nodes")
    await screen.type("cart")
    await screen.press("enter")
    await screen.until("1 of 1 Ready, 1 pod")
    assert "/cart" in screen.rows[0]
    assert not screen.row("node-3")


async def test_a_click_chooses(screen, control):
    """A node by its name, a pod by its cell."""
    await create_pod(control, "web-1", node="node-3")
    await screen.until("1 pod")
    row = next(number for number, line in enumerate(screen.rows) if "node-3" in line)
    await screen.click("#board", (3, row - 2))
    assert "node-3  Ready" in screen.shown
    await screen.click("#board", (screen.rows[row].index("●") - 1, row - 2))
    assert "default/web-1" in screen.shown


async def test_who_may_see_nothing_is_told_so(control, opened):
    """What the API server refuses is said in one line; the dashboard stands."""
    nobody = await control.connect_as("nobody")
    await nobody.close()
    async with opened(control.directory / "nobody.kubeconfig") as screen:
        await screen.until("forbidden")
        await screen.press("question_mark")
        await screen.until("choose a node")


async def test_who_may_not_see_nodes_sees_pods(control, nodes, opened):
    """Pods stand under the names of their nodes, and that something is missing is said."""
    await create_pod(control, "web-1", node="node-1")
    await let_see(control, "viewer", "pods", "events")
    async with opened(control.directory / "viewer.kubeconfig") as screen:
        await screen.until("1 pod")
        assert "? not seen" in screen.row("node-1")
        assert "! not all is seen" in screen.rows[0]
