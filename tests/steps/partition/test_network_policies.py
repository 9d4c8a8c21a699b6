"""What the NetworkPolicies of a partition allow, worked out as Kubernetes documents it."""

import ipaddress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.selectors import LabelSelector, parse_label_selector
from seatrial.steps.partition.model import PodGroup
from seatrial.steps.partition.network_policies import Addresses, Cut, network_policy

KEYS, VALUES = ("app", "tier"), ("a", "b", "c")
_requirements = st.one_of(
    st.builds("{}={}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds("{}!={}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds("{} in (a,{})".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds("{} notin (b,{})".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.sampled_from(KEYS),
    st.builds("!{}".format, st.sampled_from(KEYS)),
)
_selectors = st.lists(_requirements, max_size=3).map(lambda each: ",".join(each) or None)


def allows_pod(peers, namespace, labels):
    """Whether a rule's peers let a pod pass that has no address of its own."""
    return any(
        LabelSelector.from_dict(each["namespaceSelector"]).matches({"kubernetes.io/metadata.name": namespace})
        and LabelSelector.from_dict(each["podSelector"]).matches(labels)
        for each in peers
        if "namespaceSelector" in each
    )


def allows_address(peers, address):
    """Whether a rule's peers let an address pass."""
    blocks = [each["ipBlock"] for each in peers if "ipBlock" in each]
    wanted = ipaddress.ip_address(address)
    return any(
        wanted in ipaddress.ip_network(block["cidr"])
        and not any(wanted in ipaddress.ip_network(each) for each in block.get("except", ()))
        for block in blocks
    )


@given(selector=_selectors)
def test_everybody_is_allowed_but_the_pods_that_are_cut_off(selector):
    """For each selector and each pod: other namespaces pass, and of theirs exactly those that it doesn't select."""
    theirs = PodGroup(namespace="shop", selector=selector)
    cut = Cut(selects=PodGroup(namespace="bank"), type="Ingress", against=theirs)
    [rule] = network_policy(cut, name="n", addresses=Addresses())["spec"]["ingress"]
    selected = parse_label_selector(selector or "")
    for app, tier in product((None, *VALUES), repeat=2):
        labels = {key: value for key, value in (("app", app), ("tier", tier)) if value}
        assert allows_pod(rule["from"], "shop", labels) is not selected.matches(labels)
        assert allows_pod(rule["from"], "elsewhere", labels)


def test_all_addresses_are_allowed_but_theirs():
    """In each version of IP that the cluster's pods have."""
    addresses = Addresses.of(["10.1.0.7", "fd00::7"], ["10.1.0.7", "fd00::7", "10.1.0.8"])
    cut = Cut(selects=PodGroup(namespace="bank"), type="Egress", against=PodGroup(namespace="shop"))
    spec = network_policy(cut, name="n", addresses=addresses)["spec"]
    assert spec["policyTypes"] == ["Egress"]
    [rule] = spec["egress"]
    for address in ("10.1.0.8", "203.0.113.9", "fd00::8"):
        assert allows_address(rule["to"], address)
    for address in ("10.1.0.7", "fd00::7"):
        assert not allows_address(rule["to"], address)
    [only_4] = network_policy(cut, name="n", addresses=Addresses())["spec"]["egress"]
    assert not allows_address(only_4["to"], "fd00::8")


def test_a_policy_selects_the_pods_that_its_selector_names():
    """In their own namespace."""
    group = PodGroup(namespace="bank", selector="app=ledger,!canary")
    body = network_policy(Cut(selects=group, type="Ingress", against=None), name="n", addresses=Addresses())
    assert body["metadata"] == {"name": "n", "namespace": "bank"}
    selector = LabelSelector.from_dict(body["spec"]["podSelector"])
    assert selector.matches({"app": "ledger"})
    assert not selector.matches({"app": "ledger", "canary": "yes"})


@pytest.mark.parametrize(
    ("type_", "allow_dns", "rules"),
    [
        ("Ingress", False, []),
        ("Egress", False, []),
        ("Egress", True, [{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]),
    ],
    ids=["in", "out", "out but for names"],
)
def test_from_everything_nothing_is_allowed(type_, allow_dns, rules):
    """But to ask name servers, where that was asked for."""
    cut = Cut(selects=PodGroup(namespace="bank"), type=type_, against=None, allow_dns=allow_dns)
    body = network_policy(cut, name="n", addresses=Addresses())
    assert body["spec"] == {"podSelector": {}, "policyTypes": [type_], type_.lower(): rules}
