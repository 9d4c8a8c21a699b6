"""The node action partition: rules in a machine's firewall, always with a timer, taken away whatever happens."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.actions.machine_firewall import Firewall
from seatrial.actions.machine_partitions import MEND_PARTITION
from seatrial.actions.nodes.partition import NodePartition, guard, plan, run
from seatrial.errors import MachineError
from seatrial.kube.resources import ENDPOINTSLICES, LEASES, NODES
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultCleared, FaultProven, MeasurementTaken, ProofMissing, TimerArmed
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.targets.nodes import list_targets
from tests.actions.nodes.local_machine import LocalMachine

# Tables are files; where `broken` is, none can be changed.
NFT = """#!/bin/sh
cd {directory}
case "$*" in
  "list tables") ls tables;;
  "list table inet "*) test -e tables/$4;;
  "delete table inet "*) [ ! -e broken ] && rm tables/$4;;
  "-f -") [ ! -e broken ] || { echo "Operation not permitted" >&2; exit 1; }; read -r _ _ name _; cat > tables/$name;;
esac
"""
API_SERVER = {"from": {"apiServer": {}}, "expiresAfter": 300}
OTHERS = {"from": {"nodes": {"matches": [{"property": {"name": "name", "value": ".*"}}]}}, "expiresAfter": 300}


@pytest.fixture
def machine(tmp_path):
    """A machine with a firewall."""
    made = LocalMachine(tmp_path, "ls", "rm", "sed", "sort", "getent")
    (tmp_path / "tables").mkdir()
    made.write("nft", NFT.replace("{directory}", str(tmp_path)))
    return made


@pytest.fixture
async def cluster(control, on_cluster):
    """Two Ready nodes, and an API server whose address the cluster knows."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    for number, name in enumerate(("a", "b"), start=1):
        await control.cluster.create(NODES, {"metadata": {"name": name}, "spec": {"podCIDRs": [f"10.1.{number}.0/24"]}})
        status = {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.{number}"}],
        }
        await control.cluster.patch(NODES, name, {"status": status}, subresource="status")
    lease = {"metadata": {"name": "a"}, "spec": {"renewTime": "2030-01-01T12:00:00.000000Z"}}
    await control.cluster.create(LEASES, lease, namespace="kube-node-lease")
    for each in (await control.cluster.list(ENDPOINTSLICES, namespace="default")).items:
        await control.cluster.delete(ENDPOINTSLICES, each["metadata"]["name"], namespace="default")
    slice_ = {
        "metadata": {"name": "apis", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.9.9.9"]}], "ports": [{"name": "https", "port": 6443}],
    }  # fmt: skip
    await control.cluster.create(ENDPOINTSLICES, slice_, namespace="default")
    return control.cluster


@pytest.fixture
async def context(cluster, on_cluster, machine):
    """A run on them that reaches that machine, and waits for nobody to miss a node."""
    settings = Settings(recovery_timeout_seconds=0)
    return replace(on_cluster.context, executor=machine, settings=settings)


async def test_only_addresses_get_into_the_script(cluster, context, machine):
    """A node may say of itself what it likes, and a shell would read it."""
    status = {"addresses": [{"type": "InternalIP", "address": each} for each in ("10.0.0.2", "x'; touch hit; '", "b")]}
    await cluster.patch(NODES, "b", {"status": status}, subresource="status")
    assert (await run(NodePartition.model_validate(OTHERS), await targets(context, "a"), context)).passed
    [rules] = tables(machine)
    assert "ip daddr 10.0.0.2 drop" in rules
    assert "daddr b" not in rules
    assert not (machine.directory / "hit").exists()
    await undo(context)


async def targets(context, *names):
    return tuple(each for each in (await list_targets(context, needs_machines=False))[0] if each.name in names)


def tables(machine):
    """The rules of each of the machine's tables."""
    return [each.read_text() for each in (machine.directory / "tables").iterdir()]


async def cut_off(context, spec=OTHERS):
    return await run(NodePartition.model_validate(spec), await targets(context, "a"), context)


async def undo(context):
    [written] = context.journal.newer_than(0)
    return await asyncio.wait_for(MEND_PARTITION.run(written.undo.args, context.world), 60)


def of(events, kind):
    return [each for each in events if isinstance(each, kind)]


async def test_other_nodes_are_cut_off_with_their_pods(context, machine, on_cluster):
    """By their addresses and their ranges of pods, in both directions, and never the machine itself."""
    assert (await cut_off(context)).passed
    [rules] = tables(machine)
    dropped = [line for line in rules.splitlines() if line.endswith("drop")]
    assert dropped == [
        "ip daddr 10.0.0.2 drop",
        "ip saddr 10.0.0.2 drop",
        "ip daddr 10.1.2.0/24 drop",
        "ip saddr 10.1.2.0/24 drop",
    ]
    assert await undo(context) == ""
    assert tables(machine) == []
    events = list(await on_cluster.events())
    assert [each.seconds for each in of(events, TimerArmed)] == [300]
    assert [each.subject for each in of(events, FaultProven)] == [
        "partition of node a from nodes whose name matches .*"
    ]
    assert [each.proof for each in of(events, FaultCleared)] == ["its firewall has none of our rules"]
    assert of(events, ProofMissing) == []


async def test_the_api_server_is_cut_off_where_the_cluster_says_it_is(cluster, context, machine, on_cluster):
    """At its port alone; the node is back when its kubelet has renewed its Lease since."""
    assert (await cut_off(context, API_SERVER)).passed
    [rules] = tables(machine)
    assert "ip daddr 10.9.9.9 tcp dport 6443 drop" in rules
    assert "ip saddr 10.9.9.9 tcp sport 6443 drop" in rules
    ending = asyncio.create_task(undo(context))
    renewals = (f"2030-01-01T12:{second // 60:02}:{second % 60:02}.000000Z" for second in range(1, 3600))
    while not ending.done():
        spec = {"spec": {"renewTime": next(renewals)}} if not tables(machine) else {}
        await cluster.patch(LEASES, "a", spec, namespace="kube-node-lease")
    assert await ending == ""
    assert [each.name for each in of(await on_cluster.events(), MeasurementTaken)] == ["nodeReady"]


@pytest.mark.parametrize(
    ("server", "dropped"),
    [
        ("https://10.7.7.7:8443", ["ip daddr 10.7.7.7 tcp dport 8443 drop", "ip saddr 10.7.7.7 tcp sport 8443 drop"]),
        ('"https://10.7.7.7/path"', ["ip daddr 10.7.7.7 tcp dport 443 drop", "ip saddr 10.7.7.7 tcp sport 443 drop"]),
        (
            "https://[fd00::7]:6443",
            ["ip6 daddr fd00::7 tcp dport 6443 drop", "ip6 saddr fd00::7 tcp sport 6443 drop"],
        ),
        ("https://127.0.0.1:6444", []),
    ],
    ids=["an address", "no port", "IP version 6", "a local proxy"],
)
async def test_the_api_server_of_the_kubelets_configuration_is_cut_off_too(machine, server, dropped):
    """It may be a load balancer, which the cluster itself doesn't know; a proxy on the machine can't be cut."""
    config = machine.directory / "kubelet.conf"
    config.write_text(f"clusters:\n- cluster:\n    server: {server}\n  name: default\n")
    script = Firewall(token="0", kubelets_server=True).cutting().replace("/etc/kubernetes/kubelet.conf", str(config))
    result = await machine.run("a", script)
    assert result.output == "table inet seatrial_0 of nftables is in its firewall\n"
    [rules] = tables(machine)
    assert [line for line in rules.splitlines() if line.endswith("drop")] == dropped


async def test_a_machine_whose_timer_cannot_be_started_is_not_cut_off(context, machine):
    """Nothing is left to be undone, since nothing was done."""
    (machine.programs / "sleep").unlink()
    outcome = await cut_off(context)
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
    assert outcome.reasons == ("node a was not cut off: its timer could not be started: there is no program 'sleep'",)
    assert tables(machine) == []
    assert context.journal.newer_than(0) == []


async def test_a_firewall_that_refuses_is_said(context, machine):
    """With its own words; clean-up ends the timer all the same."""
    (machine.directory / "broken").touch()
    outcome = await cut_off(context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("node a could not be cut off: Operation not permitted",)
    assert await undo(context) == ""


async def test_a_way_that_breaks_while_the_rules_are_made_is_no_proof(context, machine, on_cluster):
    """They may be there or not: inconclusive, and clean-up takes them away."""
    machine.loses(2)
    outcome = await cut_off(context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].startswith("whether node a is cut off was not seen: the connection was lost")
    assert len(tables(machine)) == 1
    assert await undo(context) == ""
    assert tables(machine) == []
    assert [each.reason for each in of(await on_cluster.events(), ProofMissing)] == ["the connection was lost"]


async def test_clean_up_tries_again_until_it_reaches_the_machine(context, machine):
    """The way may be cut by the partition itself."""
    await cut_off(context)
    machine.loses(1, 2, 3)
    assert await undo(context) == ""
    assert tables(machine) == []


async def test_a_machine_that_stays_out_of_reach_after_its_timer_is_a_persons_matter(context, machine, on_cluster):
    """Tried until the timer must have fired; then it is said, and how a person does it stands in the journal."""
    await cut_off(context)
    machine.refuses = "no route to host"
    begun = on_cluster.clock.monotonic()
    with pytest.raises(MachineError, match="no route to host"):
        await undo(context)
    assert on_cluster.clock.monotonic() - begun >= 300
    [written] = context.journal.newer_than(0)
    assert written.undo.manual.startswith("on a: sh -c ")
    machine.refuses = ""
    assert await undo(context) == ""


async def test_an_undo_of_a_partition_that_never_was_does_nothing(context, machine):
    """Safe to repeat, and when the process died between the journal and the machine."""
    await cut_off(context)
    assert await undo(context) == ""
    assert await undo(context) == ""
    assert tables(machine) == []


async def test_nobody_to_be_cut_off_from_is_inconclusive(context, machine):
    """Where the machine itself is all that matches."""
    alone = {"from": {"nodes": {"matches": [{"property": {"name": "name", "value": "a$"}}]}}, "expiresAfter": 60}
    outcome = await cut_off(context, alone)
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, False)
    assert outcome.reasons == ("there are no nodes whose name matches a$ beside a",)
    assert tables(machine) == []


async def test_the_plan_says_who_is_cut_off_from_what(context, machine):
    """And what may not be, without touching the machine."""
    machine.refuses = "nobody may ask"
    planned = await plan(NodePartition.model_validate(API_SERVER), await targets(context, "a"), context)
    assert planned.changes == ("cut node a off from the API server by its firewall, until clean-up or for 300 s",)
    assert "where clean-up can't reach a machine it waits for its timer, 300 s from the start" in planned.notes


async def test_the_nodes_count_for_guardrails(context):
    """As those that are taken down."""
    context = replace(context, settings=Settings(guardrails=Guardrails(most_nodes=1)))
    spec = NodePartition.model_validate(API_SERVER)
    assert await guard(spec, await targets(context, "a"), context) == ()
    assert await guard(spec, await targets(context, "a", "b"), context) == (
        "maxNodes: the step would hit 2 nodes, at most 1 may be",
    )
