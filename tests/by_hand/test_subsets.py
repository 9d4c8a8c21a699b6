"""SUBSET: which nodes a person means by a word."""

import pytest
from msgspec.structs import replace

from seatrial.by_hand.subsets import find_subset
from seatrial.errors import ClusterError, MachineError, UsageError
from seatrial.kube.client import connect
from seatrial.kube.objects import ZONE_LABEL
from seatrial.kube.resources import NODES
from seatrial.machines.driver import MachineState
from seatrial.runtime.context import Settings
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.steps.node_action import NodeAction
from seatrial.steps.node_action import plan as plan_step
from seatrial.steps.node_action import run as run_step
from tests.machines.made import MemoryCloud, machine

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


class BrokenCloud(MemoryCloud):
    """One that nobody may ask."""

    async def list(self):
        raise MachineError("the memory cloud says no")


@pytest.fixture
async def context(control, on_cluster):
    """Nodes a-1 to a-4: two in each zone, one of the control plane, one with a disk; a-4 is off."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="by hand", seed="7", server="s"))
    machines = []
    for number in range(1, 5):
        name, zone = f"a-{number}", f"west-{(number + 1) // 2}"
        labels = {ZONE_LABEL: zone}
        if number == 1:
            labels[CONTROL_PLANE] = ""
        if number == 3:
            labels |= {"disk": "ssd", "team": "web"}
        await control.cluster.create(
            NODES, {"metadata": {"name": name, "labels": labels}, "spec": {"providerID": f"memory:///i-{name}"}}
        )
        conditions = [{"type": "Ready", "status": "True" if number < 4 else "Unknown"}]
        addresses = [{"type": "InternalIP", "address": f"10.0.0.{number}"}]
        status = {"conditions": conditions, "addresses": addresses}
        await control.cluster.patch(NODES, name, {"status": status}, subresource="status")
        state = MachineState.UP if number < 4 else MachineState.DOWN
        groups = ("web",) if number < 3 else ()
        machines.append(machine(f"i-{name}", provider_id=f"memory:///i-{name}", state=state, groups=groups))
    return replace(on_cluster.context, machines=MemoryCloud(*machines), settings=Settings(recovery_timeout_seconds=0))


def step_of(subset, action):
    return NodeAction.model_validate(subset.order("do", action).step["nodeAction"])


@pytest.mark.parametrize(
    ("words", "nodes"),
    [
        (["a-2"], "a-2"),
        (["A-2"], "a-2"),
        (["10.0.0.3"], "a-3"),
        (["i-a-4"], "a-4"),
        (["1"], "a-3"),
        (["west-1"], "a-1 a-2"),
        (["control-plane"], "a-1"),
        (["ssd"], "a-3"),
        (["disk=ssd"], "a-3"),
        (["up"], "a-1 a-2 a-3"),
        (["DOWN"], "a-4"),
        (["all"], "a-1 a-2 a-3 a-4"),
        (["label:disk=ssd"], "a-3"),
        (["label:topology.kubernetes.io/zone in (west-1,west-2),!disk"], "a-1 a-2 a-4"),
        (["state:down"], "a-4"),
        (["group:web"], "a-1 a-2 a-3"),
        (["name:a-1"], "a-1"),
        (["ip:10.0.0.1"], "a-1"),
        (["id:i-a-1"], "a-1"),
        (["west-2", "a-1"], "a-1 a-3 a-4"),
        (["west-2,1,a-1"], "a-1 a-3 a-4"),
        (["a-1", "a-1"], "a-1"),
    ],
)
async def test_words_mean_nodes(context, words, nodes):
    """By number, name, address, id, state, zone, group or label; several words mean all of their nodes."""
    assert " ".join((await find_subset(words, context, numbered=["a-3"])).nodes) == nodes


async def test_what_is_said_by_hand_selects_the_same_in_a_policy(context):
    """The step has the nodes that were shown as targets, and so has the recorded one, by what was said."""
    for word in ("west-1", "group:web", "up", "label:disk=ssd", "all", "a-2", "10.0.0.3", "i-a-4"):
        subset = await find_subset([word], context)
        order = subset.order("stop", {"stop": {}})
        for said in (order.step, *order.recorded):
            planned = await plan_step(NodeAction.model_validate(said["nodeAction"]), context)
            assert planned.nodes == subset.nodes, word


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["a-2", "a-1"], "stop a-1, a-2"),
        (["west-1"], "stop zone west-1 (a-1, a-2)"),
        (["i-a-4", "10.0.0.1"], "stop a-4, 10.0.0.1 (a-1, a-4)"),
        (["all"], "stop all nodes (a-1, a-2, a-3, a-4)"),
        (["down"], "stop state DOWN (a-4)"),
    ],
)
async def test_the_title_says_what_was_said_and_which_nodes_that_are(context, words, title):
    """Names alone where names were said."""
    assert (await find_subset(words, context)).order("stop", {"stop": {}}).title == title


async def test_many_nodes_are_counted_in_the_title(context, control):
    """The plan names each of them."""
    await control.cluster.create(NODES, {"metadata": {"name": "b-1"}})
    subset = await find_subset(["all"], context)
    assert subset.order("stop", {"stop": {}}, how="by force").title == "stop all nodes (5 nodes) by force"


async def test_nothing_said_is_nothing_hit(context):
    """No word means no node, and the answer says how to mean all."""
    for words in ([], [","]):
        with pytest.raises(UsageError, match="none were named") as caught:
            await find_subset(words, context)
        assert "'all'" in caught.value.hint


async def test_a_word_that_may_mean_several_things_is_refused_with_the_ways_to_say_which(context, control):
    """A zone and a group of one name are two things, unless the same nodes are in both."""
    await control.cluster.patch(NODES, "a-3", {"metadata": {"labels": {"rack": "west-1"}}})
    with pytest.raises(UsageError) as caught:
        await find_subset(["west-1"], context)
    assert caught.value.message == "'west-1' may mean zone west-1 (a-1, a-2) and group west-1 (a-1, a-2, a-3)"
    assert caught.value.hint == "say zone:west-1 or group:west-1"
    assert (await find_subset(["zone:west-1"], context)).nodes == ("a-1", "a-2")
    assert (await find_subset(["group:west-1"], context)).nodes == ("a-1", "a-2", "a-3")


@pytest.mark.parametrize(
    ("word", "hint"), [("west-11", "did you mean west-1"), ("a-22", "did you mean a-2"), ("?", "list them: nodes")]
)
async def test_a_word_that_means_nothing_is_refused_with_what_is_close(context, word, hint):
    """A word is compared as a whole and is no pattern."""
    with pytest.raises(UsageError, match="is called") as caught:
        await find_subset(["all", word], context)
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    "word",
    [
        "a-.",
        "west",
        "a-1|a-2",
        "zone:nowhere",
        "state:odd",
        "name:",
        "label:",
        "label:a b",
        "²",
        "\u0661",
        " ",
        "\u0430ll",
        "9" * 5000,
    ],
)
async def test_nothing_is_a_pattern_or_a_part_of_a_name(context, word):
    """Names match whole, and a selector that selects nothing is none."""
    with pytest.raises(UsageError):
        await find_subset([word], context)


@pytest.mark.parametrize("word", ["unknown", "label:disk=hdd"])
async def test_a_state_that_no_node_is_in_is_no_mistake(context, word):
    """There is nothing to do: exit code 3, as where a policy matches nothing."""
    with pytest.raises(MachineError, match="there is no such node") as caught:
        await find_subset([word], context)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("number", "listed", "problem"),
    [
        ("1", [], "there is no node number 1: none were listed yet"),
        ("3", ["a-1", "a-2"], "there is no node number 3: the last list has 2"),
        ("0", ["a-1"], "there is no node number 0: the last list has 1"),
        ("1", ["gone"], "gone, number 1 of the last list, is gone"),
    ],
)
async def test_numbers_are_those_of_the_last_list(context, number, listed, problem):
    """A number that was not listed, or whose node is gone, hits nothing else."""
    with pytest.raises(UsageError) as caught:
        await find_subset([number], context, numbered=listed)
    assert (caught.value.message, caught.value.hint[:9]) == (problem, "list them")


async def test_a_node_that_joins_the_zone_after_it_was_shown_is_not_hit(context, control):
    """What is done is done to nodes that were shown, and those that have left are not hit either."""
    subset = await find_subset(["west-1"], context)
    labels = {"labels": {ZONE_LABEL: "west-1"}}
    await control.cluster.create(NODES, {"metadata": {"name": "a-5", **labels}})
    await control.cluster.patch(NODES, "a-1", {"metadata": {"labels": {ZONE_LABEL: "east"}}})
    assert (await run_step(step_of(subset, {"cordon": {}}), context)).passed
    nodes = (await control.cluster.list(NODES)).items
    assert [each["metadata"]["name"] for each in nodes if each["spec"].get("unschedulable")] == ["a-2"]


async def test_who_says_a_zone_has_not_named_the_control_plane(context):
    """The guardrail for the last node of the control plane holds for its zone, and not for who says its name."""
    for word in ("west-1", "all", "up", "control-plane", "label:!disk"):
        subset = await find_subset([word], context)
        planned = await plan_step(step_of(subset, {"stop": {}}), context)
        assert any("maxControlPlane" in reason for reason in planned.refused), word
    for word in ("a-1", "1", "10.0.0.1", "i-a-1"):
        subset = await find_subset([word], context, numbered=["a-1"])
        assert (await plan_step(step_of(subset, {"stop": {}}), context)).refused == (), word


async def test_limits_hold_for_what_is_said_by_name_too(context):
    """Only the guards that ask for names are content with them."""
    limited = replace(context, settings=Settings(guardrails=Guardrails(most_nodes=1)))
    subset = await find_subset(["a-1", "a-2"], limited)
    planned = await plan_step(step_of(subset, {"cordon": {}}), limited)
    assert planned.refused == ("maxNodes: the step would hit 2 nodes, at most 1 may be",)


async def test_names_are_understood_without_the_cloud(context):
    """A cloud that refuses is no reason to let nobody cordon a node; what only it may know is not guessed."""
    blind = replace(context, machines=BrokenCloud())
    subset = await find_subset(["a-1", "10.0.0.2", "label:disk=ssd", "1"], blind, numbered=["a-4"])
    assert subset.nodes == ("a-1", "a-2", "a-3", "a-4")
    assert (await run_step(step_of(subset, {"cordon": {}}), blind)).passed
    for word in ("west-1", "up", "i-a-1", "zone:west-1"):
        with pytest.raises(MachineError, match="says no"):
            await find_subset([word], blind)


async def test_two_machines_of_one_name_are_not_taken_for_each_other(context):
    """The policy language knows no ids: what it can't tell apart is refused."""
    cloud = MemoryCloud(machine("i-1", name="db"), machine("i-2", name="db"))
    strays = replace(context, machines=cloud, settings=Settings(inventory_cloud=True))
    with pytest.raises(UsageError, match="2 machines are called db"):
        await find_subset(["i-1"], strays)


async def test_what_is_left_out_is_said_where_a_word_means_nothing(context):
    """A machine that no node runs on is not known, and the hint says why."""
    stray = replace(context, machines=MemoryCloud(*context.machines.machines.values(), machine("i-db", name="db")))
    with pytest.raises(UsageError) as caught:
        await find_subset(["db"], stray)
    assert "--inventory-cloud would match them" in caught.value.hint


async def test_a_cluster_that_does_not_answer_is_an_error(context, control):
    """It is not taken for one without nodes."""
    await control.server.stop()
    async with await connect(kubeconfig=control.directory / "kubeconfig", timeout_seconds=0.5) as cluster:
        with pytest.raises(ClusterError):
            await find_subset(["all"], replace(context, cluster=cluster))
