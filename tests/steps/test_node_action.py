"""The step nodeAction, on an API server with nodes and a cloud in memory."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.engine.unwind import unwind
from seatrial.errors import Halted, MachineError
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES, PODS
from seatrial.machines.driver import Capability, MachineState
from seatrial.remote.executor import CommandResult
from seatrial.runtime.context import Identity, Settings
from seatrial.runtime.events import (
    CommandExecuted,
    CommandOutput,
    EvictionBlocked,
    FaultProven,
    GuardrailHeld,
    MachineSkipped,
    MachineStopFailed,
    MachineStopped,
    NodeCordoned,
    NodesChosen,
    NodeTainted,
    ProofMissing,
    TargetsMatched,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.node_action import NodeAction, plan, run
from tests.machines.made import MemoryCloud, machine

EVERY_NODE = {"property": {"name": "name", "value": ".*"}}


@pytest.fixture(autouse=True)
async def _begun(on_cluster):
    """The run stands in the journal: undos belong to it."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))


def step(*actions, matches=(EVERY_NODE,), **given):
    return NodeAction.model_validate({"matches": list(matches), "actions": list(actions), **given})


def named(value, name="name", **given):
    return {"property": {"name": name, "value": value, **given}}


async def create_nodes(control, *names, zones=("west-1", "east-1"), ready="True"):
    """Nodes without a kubelet, in the zones in turn."""
    for index, name in enumerate(names):
        body = {
            "metadata": {
                "name": name,
                "labels": {"topology.kubernetes.io/zone": zones[index % len(zones)], "tier": f"t{index}"},
            },
            "spec": {"providerID": f"memory:///{name}"},
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "addresses": [{"type": "InternalIP", "address": f"10.0.0.{index + 1}"}],
            },
        }
        await control.cluster.create(NODES, body)
        # Admission taints a node whose kubelet has not reported yet.
        await control.cluster.patch(NODES, name, {"spec": {"taints": None}})
        await control.cluster.patch(NODES, name, {"status": body["status"]}, subresource="status")


async def create_pod(control, name, node, *, owner=None, volumes=(), annotations=None, **labels):
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": "o", "controller": True}] if owner else []
    await control.server.api.create(
        "pods",
        {
            "metadata": {"name": name, "labels": labels, "annotations": annotations or {}, "ownerReferences": owners},
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "c", "image": "busybox"}],
                "volumes": list(volumes),
            },
        },
        "default",
    )


def cloud_of(*names, **given):
    return MemoryCloud(*(machine(name, provider_id=f"memory:///{name}", zone="z") for name in names), **given)


def in_cloud(recorder, cloud, **given):
    """That context with machines, and without the wait for nodes that nobody watches here."""
    settings = Settings(recovery_timeout_seconds=0)
    return replace(recorder.context, machines=cloud, **{"settings": settings, **given})


async def node(control, name):
    return await control.cluster.get(NODES, name, type=Node)


async def undo_all(recorder, context=None):
    context = context or recorder.context
    await unwind(context.journal.newer_than(0), context, hurry=asyncio.Event())
    return context.journal.failures


async def told(recorder, kind):
    return [event for event in await recorder.events() if isinstance(event, kind)]


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (named("WEST.*", name="az"), ["a", "c"]),
        (named("west.*", name="az", negative=True), ["b"]),
        (named("b"), ["b"]),
        (named(r"10\.0\.0\.[13]$", name="ip"), ["a", "c"]),
        (named("UP", name="state"), ["a", "b"]),
        (named("DOWN", name="state"), ["c"]),
        (named("pool-.*", name="group"), ["b"]),
        ({"labels": {"selector": "tier in (t0, t1)"}}, ["a", "b"]),
    ],
    ids=["az", "not az", "name", "ip", "up", "down", "group", "labels"],
)
async def test_matchers_name_nodes(control, on_cluster, matcher, expected):
    """By name, address, group, zone and state, as regular expressions, and by labels; what is found is told."""
    await create_nodes(control, "a", "b", "c")
    cloud = cloud_of("a", "b", "c")
    cloud.machines["b"] = replace(cloud.machines["b"], groups=("pool-1",))
    cloud.machines["c"] = replace(cloud.machines["c"], state=MachineState.DOWN)
    outcome = await run(step({"wait": {"seconds": 1}}, matches=[matcher]), in_cloud(on_cluster, cloud))
    assert outcome.passed
    [chosen] = await told(on_cluster, NodesChosen)
    assert [each.name for each in chosen.nodes] == expected
    [matched] = [
        event for event in (record.event for record in on_cluster.records) if isinstance(event, TargetsMatched)
    ]
    assert (matched.kind, matched.count) == ("node", len(expected))


async def test_several_matchers_make_one_set_and_filters_choose_by_the_seed(control, on_cluster):
    """Each node once, then the sample that the seed picks, which the plan shows too."""
    await create_nodes(control, *"abcdef")
    wanted = step(
        {"cordon": {}},
        matches=[EVERY_NODE, named("a")],
        filters=[{"randomSample": {"size": 2}}, {"property": {"name": "name", "value": "."}}],
    )
    planned = await plan(wanted, on_cluster.context)
    assert (planned.matched, len(planned.nodes)) == (6, 2)
    assert (await run(wanted, on_cluster.context)).passed
    cordoned = [event.node.name for event in await told(on_cluster, NodeCordoned)]
    assert tuple(cordoned) == planned.nodes


async def test_nothing_matched_is_inconclusive_unless_that_is_fine(control, on_cluster):
    """An empty set is said with its matchers; `emptyOk` makes it a skip."""
    await create_nodes(control, "a")
    outcome = await run(step({"cordon": {}}, matches=[named("nobody")]), on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("no node matched (nodes whose name matches nobody)",)
    assert (await run(step({"cordon": {}}, matches=[named("nobody")], emptyOk=True), on_cluster.context)).passed


async def test_its_own_node_is_never_hit(control, on_cluster):
    """The node with HOST_IP is left out, as is the one that its pod is on."""
    await create_nodes(control, "a", "b")
    await create_pod(control, "seatrial", "b")
    for identity, expected in (
        (Identity(host_ip="10.0.0.1"), ("b",)),
        (Identity(pod_name="seatrial", pod_namespace="default"), ("a",)),
    ):
        planned = await plan(step({"cordon": {}}), replace(on_cluster.context, identity=identity))
        assert planned.nodes == expected
        assert "the node that Seatrial itself runs on is left out" in planned.notes


async def test_an_inventory_says_which_nodes_there_are_and_their_groups(control, on_cluster):
    """Hosts by name or address; nodes that it doesn't name are left out, and said."""
    await create_nodes(control, "a", "b", "c")
    settings = Settings(inventory={"rack-1": ["a", "10.0.0.2"], "rack-2": ["elsewhere"]})
    context = replace(on_cluster.context, settings=settings)
    planned = await plan(step({"cordon": {}}, matches=[named("rack-1", name="group")]), context)
    assert planned.nodes == ("a", "b")
    assert "1 node not in the inventory: left out" in planned.notes


def strays(*names, **given):
    """A cloud with the machine of the node `a`, and machines that no node runs on."""
    others = (machine(f"i-{name}", name=name, zone="west-2", **given) for name in names)
    return MemoryCloud(machine("a", provider_id="memory:///a"), *others)


async def test_a_machine_without_a_node_is_stopped_and_started_where_the_cloud_is_the_inventory(control, on_cluster):
    """By the cloud's zone; nobody waits for a node, and clean-up is done when the cloud says that it is up."""
    await create_nodes(control, "a")
    cloud, wanted = strays("db-1", "a"), step({"stop": {}}, matches=[named("west-2", name="az")])
    context = in_cloud(on_cluster, cloud, settings=Settings(inventory_cloud=True))
    planned = await plan(wanted, context)
    assert planned.changes == (
        "stop machine i-db-1 of no node (db-1), start it again at clean-up",
        "stop machine i-a of no node (a), start it again at clean-up",
    )
    assert (await run(wanted, context)).passed
    assert cloud.states() == {"a": "UP", "i-db-1": "DOWN", "i-a": "DOWN"}
    assert (await context.scope.settle(timeout_seconds=60)).passed
    assert await undo_all(on_cluster, context) == []
    assert set(cloud.states().values()) == {"UP"}
    await cloud.stop("i-db-1")
    start = step({"start": {}}, matches=[named("db-.*")])
    assert (await run(start, context)).passed
    assert cloud.states()["i-db-1"] == "UP"


async def test_what_needs_a_node_is_refused_for_a_machine_that_has_none(control, on_cluster):
    """Before anything is touched, and by the plan."""
    await create_nodes(control, "a")
    context = in_cloud(on_cluster, strays("db-1"), settings=Settings(inventory_cloud=True))
    words = "cordon needs nodes, and these machines have none: db-1"
    assert (await plan(step({"cordon": {}}), context)).refused == (words,)
    outcome = await run(step({"cordon": {}}), context)
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, (words,))
    assert not (await node(control, "a")).spec.unschedulable


async def test_two_steps_do_not_take_more_of_a_zone_than_the_limit(control, on_cluster):
    """What the first has switched off counts, though the cluster has not missed it yet."""
    await create_nodes(control, "a", "b", zones=("west-1",))
    cloud = cloud_of("a", "b")
    settings = Settings(recovery_timeout_seconds=0, guardrails=Guardrails(most_of_zone=0.5))
    context = in_cloud(on_cluster, cloud, settings=settings)
    planned = await plan(step({"stop": {}}), context)
    words = "maxShareOfZone: 2 of 2 nodes of zone west-1 would be out of service, at most 50% may be"
    assert planned.refused == (words,)
    assert (await run(step({"stop": {}}, matches=[named("a")]), context)).passed
    outcome = await run(step({"stop": {}}, matches=[named("b")]), context)
    assert outcome.reasons == (f"refused by a guardrail: {words}",)
    assert cloud.states() == {"a": "DOWN", "b": "UP"}


async def test_cordon_and_taint_are_undone_and_nothing_else_is(control, on_cluster):
    """A node's own taints stay, and so does a cordon that was there before."""
    await create_nodes(control, "a", "b")
    body = await control.cluster.get(NODES, "b")
    body["spec"] |= {"unschedulable": True, "taints": [{"key": "gpu", "effect": "NoSchedule"}]}
    await control.cluster.replace(NODES, body)
    taint = {"taint": {"key": "chaos", "value": "on", "effect": "NoSchedule"}}
    assert (await run(step({"cordon": {}}, taint), on_cluster.context)).passed
    for name in "ab":
        found = await node(control, name)
        assert found.spec.unschedulable
        assert ("chaos", "on", "NoSchedule") in [(each.key, each.value, each.effect) for each in found.spec.taints]
    # Meanwhile the node controller adds a taint of its own, as it does to a cordoned node.
    body = await control.cluster.get(NODES, "a")
    body["spec"]["taints"].append({"key": "example.com/added-since", "effect": "NoSchedule"})
    await control.cluster.replace(NODES, body)
    assert await undo_all(on_cluster) == []
    a, b = await node(control, "a"), await node(control, "b")
    assert (a.spec.unschedulable, b.spec.unschedulable) == (False, True)
    assert [each.key for each in a.spec.taints] == ["example.com/added-since"]
    assert [each.key for each in b.spec.taints] == ["gpu"]
    assert "seatrial.io/run" not in (a.metadata.labels or {}) | (b.metadata.labels or {})
    events = list(await on_cluster.events())
    assert [(event.node.name, event.already) for event in events if isinstance(event, NodeCordoned)] == [
        ("a", False),
        ("b", True),
    ]
    assert [event.taint for event in events if isinstance(event, NodeTainted)] == ["chaos=on:NoSchedule"] * 2
    assert sum(isinstance(event, FaultProven) for event in events) == 3


async def test_a_taint_that_had_another_value_gets_it_back(control, on_cluster):
    """A node has one taint of each key and effect: ours replaces it, clean-up restores it."""
    await create_nodes(control, "a")
    body = await control.cluster.get(NODES, "a")
    body["spec"]["taints"] = [{"key": "chaos", "value": "mine", "effect": "NoExecute"}]
    await control.cluster.replace(NODES, body)
    taint = {"taint": {"key": "chaos", "value": "ours", "effect": "NoExecute"}}
    assert (await run(step(taint), on_cluster.context)).passed
    assert [each.value for each in (await node(control, "a")).spec.taints] == ["ours"]
    assert await undo_all(on_cluster) == []
    assert [each.value for each in (await node(control, "a")).spec.taints] == ["mine"]


async def test_what_is_so_already_is_nothing_to_do(control, on_cluster):
    """Nodes that somebody has cordoned, or tainted, already: inconclusive, and nothing to be undone."""
    await create_nodes(control, "a", "b")
    for name in "ab":
        spec = {"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}]}
        await control.cluster.patch(NODES, name, {"spec": spec})
    for action in ({"cordon": {}}, {"taint": {"key": "k", "effect": "NoSchedule"}}):
        assert (await run(step(action), on_cluster.context)).verdict is Verdict.INCONCLUSIVE
    assert on_cluster.context.journal.newer_than(0) == []


async def test_what_an_earlier_try_did_is_done(control, on_cluster):
    """Cordon, taint and stop work, the command fails; the second try finds the three so, which is its own doing."""
    await create_nodes(control, "a", "b")
    cloud = cloud_of("a", "b")

    class FailsOnce(Shell):
        async def run(self, node, command, *, timeout_seconds=60, heard=None):
            failing = len(self.ran) < 2
            await super().run(node, command, timeout_seconds=timeout_seconds)
            return CommandResult(exit_code=int(failing), output="")

    actions = [
        {"cordon": {}}, {"taint": {"key": "k", "effect": "NoSchedule"}}, {"stop": {}}, {"execute": {"cmd": "true"}},
    ]  # fmt: skip
    again = {"retriesCount": {"count": 1, "sleep": 0}}
    outcome = await run(step(*actions, retries=again), in_cloud(on_cluster, cloud, executor=FailsOnce()))
    assert outcome.passed, outcome.reasons
    assert len(on_cluster.context.journal.newer_than(0)) == 2 * 3
    assert await undo_all(on_cluster, in_cloud(on_cluster, cloud)) == []
    assert cloud.states() == {"a": "UP", "b": "UP"}


async def test_a_machine_whose_node_was_not_ready_in_time_is_waited_for_again(control, on_cluster):
    """The first try started it; the second does not pass for that alone, but when the node is Ready."""
    await create_nodes(control, "a", ready="False")

    class ReadyLater(MemoryCloud):
        starts = 0

        async def start(self, machine_id):
            await super().start(machine_id)
            self.starts += 1
            if self.starts == 2:
                conditions = [{"type": "Ready", "status": "True"}]
                await control.cluster.patch(NODES, "a", {"status": {"conditions": conditions}}, subresource="status")

    cloud = ReadyLater(machine("a", provider_id="memory:///a", zone="z", state=MachineState.DOWN))
    again = {"retriesCount": {"count": 1, "sleep": 0}}
    outcome = await run(step({"start": {"timeout": 5}}, retries=again), in_cloud(on_cluster, cloud))
    assert (outcome.passed, cloud.starts) == (True, 2)


async def test_what_was_taken_back_since_is_not_done(control, on_cluster):
    """Stopped, started, and then down by itself: a stop that follows has nothing to do."""
    await create_nodes(control, "a")
    cloud = cloud_of("a")
    context = in_cloud(on_cluster, cloud)
    context.scope.did("stop of machine a")
    context.scope.did("start of machine a", instead_of="stop of machine a")
    await cloud.stop("a")
    assert (await run(step({"stop": {}}), context)).verdict is Verdict.INCONCLUSIVE


async def test_stop_restarts_exactly_what_it_stopped(control, on_cluster):
    """A machine that was down before stays down at the end; the undo names the machine by its id, before the stop."""
    await create_nodes(control, "a", "b", "c")
    cloud = cloud_of("a", "b", "c")
    cloud.machines["b"] = replace(cloud.machines["b"], state=MachineState.DOWN)
    context = in_cloud(on_cluster, cloud)
    assert (await run(step({"stop": {"force": True}}), context)).passed
    assert cloud.states() == {"a": "DOWN", "b": "DOWN", "c": "DOWN"}
    written = context.journal.newer_than(0)
    assert {each.undo.args["id"]: each.undo.manual for each in written} == {
        "a": "cloud start a",
        "c": "cloud start c",
    }
    assert await undo_all(on_cluster, context) == []
    assert cloud.states() == {"a": "UP", "b": "DOWN", "c": "UP"}
    events = list(await on_cluster.events())
    assert [(event.id, event.force) for event in events if isinstance(event, MachineStopped)] == [
        ("a", True),
        ("c", True),
    ]
    assert [(event.id, event.reason) for event in events if isinstance(event, MachineSkipped)] == [
        ("b", "is down already")
    ]
    assert any(isinstance(event, ProofMissing) and "recovery timeout of 0" in event.reason for event in events)


async def test_without_auto_restart_a_machine_stays_down(control, on_cluster):
    """Then the driver has to be able to stop, not to start, and clean-up has nothing to do."""
    await create_nodes(control, "a")
    cloud = cloud_of("a", can=frozenset({Capability.STOP}))
    context = in_cloud(on_cluster, cloud)
    assert (await run(step({"stop": {"autoRestart": False}}), context)).passed
    assert context.journal.newer_than(0) == []
    assert cloud.states() == {"a": "DOWN"}


async def test_machines_that_are_all_down_already_are_nothing_to_do(control, on_cluster):
    """Stopping what is down is inconclusive, and so is starting what is up."""
    await create_nodes(control, "a")
    cloud = cloud_of("a")
    context = in_cloud(on_cluster, cloud)
    assert (await run(step({"start": None}), context)).reasons == ("every machine was up already",)
    await cloud.stop("a")
    outcome = await run(step({"stop": {}}), context)
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, ("every machine was down already",))


async def test_a_machine_that_can_not_be_stopped_is_told_and_the_others_are_stopped(control, on_cluster):
    """Inconclusive with the cloud's words; the undo stays, since nobody knows how far the stop came."""
    await create_nodes(control, "a", "b")
    cloud = cloud_of("a", "b", broken=["a"])
    context = in_cloud(on_cluster, cloud)
    outcome = await run(step({"stop": {}}), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("the machine of node a could not be stopped: machine a is locked",)
    assert cloud.states() == {"a": "UP", "b": "DOWN"}
    [failure] = await told(on_cluster, MachineStopFailed)
    assert (failure.id, failure.name, failure.error) == ("a", "a", "machine a is locked")
    assert len(context.journal.newer_than(0)) == 2


async def test_a_node_whose_machine_is_in_doubt_is_left_alone(control, on_cluster):
    """No machine, or two that may be it, or one between two states: said, not guessed."""
    await create_nodes(control, "a", "b", "c")
    cloud = cloud_of("a", "c")
    cloud.machines["c"] = replace(cloud.machines["c"], state=MachineState.UNKNOWN)
    outcome = await run(step({"stop": {}}), in_cloud(on_cluster, cloud))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert cloud.states() == {"a": "DOWN", "c": "UNKNOWN"}
    reasons = {event.name: event.reason for event in await told(on_cluster, MachineSkipped)}
    assert reasons["b"] == "no machine of the cloud is known to be this node's"
    assert reasons["c"].startswith("is neither up nor down")


async def test_without_a_way_to_the_machines_nothing_is_touched(control, on_cluster):
    """No cloud, no commands: refused before the cordon that stands first, in the run and in the plan."""
    await create_nodes(control, "a")
    wanted = step({"cordon": {}}, {"stop": {}}, {"execute": {"cmd": "true"}})
    outcome = await run(wanted, on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.ends_scenario
    assert "no cloud is configured" in outcome.reasons[0]
    assert "name the cloud" in outcome.reasons[0]
    assert "no way to run commands" in outcome.reasons[0]
    assert not (await node(control, "a")).spec.unschedulable
    assert len((await plan(wanted, on_cluster.context)).refused) == 2


async def test_a_plan_says_what_would_be_stopped_and_changes_nothing(control, on_cluster):
    """Which machines, what runs on them, which are left and why."""
    await create_nodes(control, "a", "b")
    await create_pod(control, "p", "a")
    cloud = cloud_of("a", "b", "unclaimed")
    cloud.machines["b"] = replace(cloud.machines["b"], state=MachineState.DOWN)
    planned = await plan(step({"stop": {}}), in_cloud(on_cluster, cloud))
    assert planned.changes == ("stop machine a of node a, start it again at clean-up",)
    assert [pod.name for pod in planned.victims] == ["p"]
    assert [pod.name for pod in planned.unowned] == ["p"]
    assert "node b: its machine is DOWN" in planned.notes
    assert planned.notes[0].startswith("1 machine of the cloud without a node here: left alone")
    assert planned.refused == planned.missing_permissions == ()
    assert cloud.states()["a"] == "UP"


async def test_guardrails_hold_before_anything_is_stopped(control, on_cluster):
    """More nodes than allowed, over the whole step: refused, inconclusive, and the plan says so."""
    await create_nodes(control, "a", "b")
    cloud = cloud_of("a", "b")
    settings = Settings(recovery_timeout_seconds=0, guardrails=Guardrails(most_nodes=1))
    context = in_cloud(on_cluster, cloud, settings=settings)
    outcome = await run(step({"stop": {}}), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert cloud.states() == {"a": "UP", "b": "UP"}
    assert (await told(on_cluster, GuardrailHeld))[0].guardrail == "maxNodes"
    assert (await plan(step({"cordon": {}}), context)).refused != ()


@pytest.mark.parametrize(
    ("matcher", "guardrails", "may"),
    [
        (named("cp-1.example"), {}, True),
        (named(r"^CP-1\.example$"), {}, True),
        (named("10.0.0.1", name="ip"), {}, True),
        (named("cp-1.example"), {"most_of_control_plane": 0}, False),
        (named("cp-1"), {}, False),
        (named("cp-1.*"), {}, False),
        (named("other", negative=True), {}, False),
        ({"labels": {"selector": "tier=t0"}}, {}, False),
    ],
)
async def test_the_only_node_of_the_control_plane_goes_down_when_it_is_named_exactly(
    control, on_cluster, matcher, guardrails, may
):
    """By its whole name or address, as in PowerfulSeal's policies for clusters of one node; a guardrail still holds."""
    await create_nodes(control, "cp-1.example", "other")
    labels = {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}
    await control.cluster.patch(NODES, "cp-1.example", labels)
    cloud = cloud_of("cp-1.example", "other")
    settings = Settings(guardrails=Guardrails(**guardrails), recovery_timeout_seconds=0)
    context = in_cloud(on_cluster, cloud, settings=settings)
    stop = step({"stop": {}}, matches=[matcher])
    assert ((await plan(stop, context)).refused == ()) is may
    assert (await run(stop, context)).passed is may
    assert cloud.states() == {"cp-1.example": "DOWN" if may else "UP", "other": "UP"}


async def test_a_halt_is_asked_for_before_each_action(control, on_cluster):
    """Halted after the first action: the second isn't begun."""

    class HaltedLater:
        asked = 0

        async def check(self):
            self.asked += 1
            if self.asked > 1:
                raise Halted("halted by a test")

    await create_nodes(control, "a")
    cloud = cloud_of("a")
    with pytest.raises(Halted):
        await run(step({"cordon": {}}, {"stop": {}}), in_cloud(on_cluster, cloud, halt=HaltedLater()))
    assert cloud.states() == {"a": "UP"}
    assert (await node(control, "a")).spec.unschedulable


class Shell:
    """An executor that answers from a table; what it was told stands in `ran`."""

    name = "table"

    def __init__(self, **answers):
        self.answers = answers
        self.ran = []

    async def require(self):
        pass

    async def run(self, node, command, *, timeout_seconds=60, heard=None):
        self.ran.append((node, command))
        answer = self.answers.get(node, CommandResult(exit_code=0, output=f"done on {node}"))
        if isinstance(answer, MachineError):
            raise answer
        if heard:
            heard(answer.output)
        return answer

    async def by_hand(self, node, command):
        return f"ssh {node} {command}"

    async def close(self):
        pass


async def test_a_command_runs_on_each_machine_and_its_undo_at_clean_up(control, on_cluster):
    """Output and exit code are told; the undo is written before, with what a person would type."""
    await create_nodes(control, "a", "b")
    shell = Shell()
    context = replace(on_cluster.context, executor=shell)
    assert (await run(step({"execute": {"cmd": "tc add", "undo": "tc del"}}), context)).passed
    assert sorted(shell.ran) == [("a", "tc add"), ("b", "tc add")]
    assert sorted(each.undo.manual for each in context.journal.newer_than(0)) == ["ssh a tc del", "ssh b tc del"]
    assert await undo_all(on_cluster, context) == []
    assert sorted(shell.ran[2:]) == [("a", "tc del"), ("b", "tc del")]
    first = (await told(on_cluster, CommandExecuted))[0]
    assert (first.exit_code, first.output) == (0, f"done on {first.name}")
    assert (await told(on_cluster, CommandOutput))[0].line.startswith("done on ")


async def test_a_command_that_fails_fails_the_step_and_one_that_can_not_be_run_does_not(control, on_cluster):
    """Exit code 3 is a finding; a machine out of reach is none. Long output is shortened to its end."""
    await create_nodes(control, "a", "b")
    broken = Shell(a=CommandResult(exit_code=3, output="x" * 10_000 + "\nno such device\n"))
    outcome = await run(step({"execute": {"cmd": "tc"}}), replace(on_cluster.context, executor=broken))
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == ("the command ended with 3 on node a: no such device",)
    away = Shell(a=MachineError("no route to a"))
    outcome = await run(step({"execute": {"cmd": "tc"}}), replace(on_cluster.context, executor=away))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("the command could not be run on node a: no route to a",)
    events = [event for event in await told(on_cluster, CommandExecuted) if event.name == "a"]
    assert [event.exit_code for event in events] == [3, None]
    assert len(events[0].output) < 5000
    assert events[0].output.endswith("no such device\n")
    assert events[1].error == "no route to a"


async def test_an_undo_command_that_fails_is_a_failed_clean_up(control, on_cluster):
    """Its exit code and last line stand in the journal's failure."""
    await create_nodes(control, "a")
    shell = Shell()
    context = replace(on_cluster.context, executor=shell)
    await run(step({"execute": {"cmd": "add", "undo": "del"}}), context)
    shell.answers["a"] = CommandResult(exit_code=2, output="busy")
    assert await undo_all(on_cluster, context) == ["run on node a: del: it ended with 2 on node a: busy"]


async def test_drain_evicts_what_can_be_replaced_and_leaves_daemons(control, on_cluster):
    """Pods of DaemonSets and static pods stay; the node is cordoned, and the evicted pods are gone."""
    await create_nodes(control, "a", "b")
    await create_pod(control, "web", "a", owner="ReplicaSet")
    await create_pod(control, "agent", "a", owner="DaemonSet")
    await create_pod(control, "static", "a", annotations={"kubernetes.io/config.mirror": "x"})
    await create_pod(control, "other", "b", owner="ReplicaSet")
    wanted = step({"drain": {"timeout": 5}}, matches=[named("a")])
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))
    planned = await plan(wanted, context)
    assert planned.changes == ("cordon node a", "evict pod default/web from node a")
    assert [pod.name for pod in planned.victims] == ["web"]
    assert (await run(wanted, context)).passed
    assert await control.pod_names() == ["agent", "other", "static"]
    assert (await node(control, "a")).spec.unschedulable
    assert await undo_all(on_cluster) == []
    assert not (await node(control, "a")).spec.unschedulable


async def test_drain_refuses_what_would_be_lost_before_it_touches_anything(control, on_cluster):
    """Pods without a controller and data in emptyDir volumes need a word from the policy."""
    await create_nodes(control, "a")
    await create_pod(control, "lone", "a")
    await create_pod(control, "cache", "a", owner="ReplicaSet", volumes=[{"name": "v", "emptyDir": {}}])
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))
    outcome = await run(step({"drain": {}}), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "that no controller replaces (default/lone); force: true" in outcome.reasons[0]
    assert "with emptyDir volumes (default/cache); deleteEmptyDirData: true" in outcome.reasons[0]
    assert not (await node(control, "a")).spec.unschedulable
    assert len((await plan(step({"drain": {}}), context)).refused) == 2
    assert (await run(step({"drain": {"force": True, "deleteEmptyDirData": True, "timeout": 5}}), context)).passed
    assert await control.pod_names() == []


async def test_drain_waits_for_what_is_going_already(control, on_cluster):
    """A pod that is terminating needs no eviction and no word from the policy; the drain ends when it is gone."""
    await create_nodes(control, "a")
    await create_pod(control, "going", "a")
    await control.server.api.patch("pods", "going", "default", {"metadata": {"finalizers": ["example.com/wait"]}})
    await control.server.api.delete("pods", "going", "default")
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))
    wanted = step({"drain": {"timeout": 60}})
    planned = await plan(wanted, context)
    assert (planned.changes, planned.victims, planned.refused) == (("cordon node a",), (), ())
    async with control.cluster.watch(NODES, type=Node) as watch:
        draining = asyncio.create_task(run(wanted, context))
        while not (await anext(watch)).object.spec.unschedulable:
            pass
    await control.server.api.patch("pods", "going", "default", {"metadata": {"finalizers": None}})
    assert (await asyncio.wait_for(draining, 60)).passed


async def test_a_budget_that_blocks_a_drain_is_reported_as_that(control, on_cluster):
    """Evictions are tried until the time is over, and then it is the budget's doing, not a failure."""
    await create_nodes(control, "a")
    await create_pod(control, "web", "a", owner="ReplicaSet", app="web")
    # A pod that doesn't run yet may be evicted whatever a budget says.
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    await control.cluster.patch(PODS, "web", running, namespace="default", subresource="status")
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    await control.server.api.create("poddisruptionbudgets.policy", budget, "default")
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))
    outcome = await run(step({"drain": {"timeout": 12, "sleep": 5}}), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert on_cluster.clock.slept == [5, 5]
    assert await control.pod_names() == ["web"]
    assert [event.pod.name for event in await told(on_cluster, EvictionBlocked)] == ["web"]
