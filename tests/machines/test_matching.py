"""Which machine a node runs on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.machines.matching import pair_machines
from tests.machines.made import machine, node


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (node("n", provider_id="aws:///eu-1a/i-123"), machine("i-123", provider_id="aws:///eu-1a/i-123")),
        (node("n", provider_id="AZURE:///Vm/A"), machine("x", provider_id="azure:///vm/a")),
        (
            node("n", provider_id="openstack://east/u-1"),
            machine("u-1", provider_id="openstack:///u-1", other_provider_ids=("openstack://east/u-1",)),
        ),
        (node("n", provider_id="aws:///eu-1a/i-123"), machine("i-123")),
        (node("n", ip="10.0.0.7"), machine("vm-7", addresses=("192.0.2.1", "10.0.0.7"))),
        (node("Worker-1"), machine("vm-1", name="worker-1")),
        (node("ip-10-0-0-7", hostname="worker-1"), machine("vm-1", name="worker-1")),
    ],
    ids=["provider id", "in another case", "in another form", "instance id", "address", "name", "host name"],
)
def test_a_node_and_its_machine_are_known_by_what_both_say(ours, theirs):
    """By provider id, the id at its end, an address, or the name, whichever leads to a machine first."""
    pairing = pair_machines([ours], [machine("other"), theirs])
    assert pairing.machines == {ours.metadata.name: theirs}
    assert pairing.problems == {}
    assert [each.id for each in pairing.unclaimed] == ["other"]


def test_a_provider_id_outweighs_addresses_and_names():
    """A machine with the node's address and name, but another provider id, is another network's."""
    namesake = machine("i-2", name="n", provider_id="aws:///eu-1a/i-2", addresses=("10.0.0.7",))
    pairing = pair_machines([node("n", provider_id="aws:///us-1a/i-1", ip="10.0.0.7")], [namesake])
    assert pairing.machines == {}
    assert pairing.problems == {"n": "no machine of the cloud is known to be this node's"}
    assert pairing.unclaimed == (namesake,)


def test_two_machines_that_fit_are_said_and_none_is_taken():
    """Where two machines have the node's address, nobody guesses."""
    twins = [machine("a", addresses=("10.0.0.7",)), machine("b", addresses=("10.0.0.7",))]
    pairing = pair_machines([node("n", ip="10.0.0.7")], twins)
    assert pairing.machines == {}
    assert pairing.problems == {"n": "2 machines may be this node's: a, b"}
    assert pairing.unclaimed == ()


def test_a_machine_that_two_nodes_claim_is_neithers():
    """Two nodes with the address of one machine: both are in doubt."""
    nodes = [node("one", ip="10.0.0.7"), node("two", ip="10.0.0.7"), node("three", ip="10.0.0.8")]
    pairing = pair_machines(nodes, [machine("a", addresses=("10.0.0.7",)), machine("c", addresses=("10.0.0.8",))])
    assert {name: found.id for name, found in pairing.machines.items()} == {"three": "c"}
    assert set(pairing.problems) == {"one", "two"}
    assert all(problem == "machine a may be that of 2 nodes" for problem in pairing.problems.values())


names = st.sampled_from(["a", "b", "c"])
addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
ids = st.sampled_from(["", "cloud:///z/1", "cloud:///z/2"])


@given(
    st.lists(st.builds(node, names, provider_id=ids, ip=addresses), max_size=4, unique_by=lambda it: it.metadata.name),
    st.lists(
        st.builds(
            lambda id_, name, provider, address: machine(id_, name=name, provider_id=provider, addresses=(address,)),
            st.sampled_from(["1", "2", "3", "4"]), names, ids, addresses,
        ),
        max_size=4,
        unique_by=lambda it: it.id,
    ),
)  # fmt: skip
def test_every_node_has_a_machine_of_its_own_or_a_reason_why_not(nodes, machines):
    """Whatever they say of themselves, no machine is given to two nodes, and each node is accounted for once."""
    pairing = pair_machines(nodes, machines)
    given_away = [found.id for found in pairing.machines.values()]
    assert len(given_away) == len(set(given_away))
    assert {*pairing.machines, *pairing.problems} == {each.metadata.name for each in nodes}
    assert not set(pairing.machines) & set(pairing.problems)
    assert not {each.id for each in pairing.unclaimed} & set(given_away)
