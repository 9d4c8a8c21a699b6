"""The manifest of a copy, held against a real API server's validation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.resources import DEPLOYMENTS
from seatrial.kube.selectors import LabelSelector
from seatrial.steps.clone.copied_deployment import copy_of, name_of_copy
from seatrial.steps.clone.model import Clone
from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy
from seatrial.steps.clone.toxiproxy.layout import lay_out
from tests.steps.clone.conftest import SOURCE, container, deployment, latency


def copy(source, *mutations, labels=None, replicas=2, families=(4,)):
    spec = Clone.model_validate({"source": SOURCE, "mutations": list(mutations)})
    toxiproxy = next((each.spec for each in spec.mutations if isinstance(each.spec, Toxiproxy)), None)
    template = source["spec"]["template"]
    return copy_of(
        source,
        run_id="run-1",
        scenario="Slow & steady",
        replicas=replicas,
        labels=template["metadata"]["labels"] if labels is None else labels,
        mutations=spec.mutations,
        layout=lay_out(toxiproxy, template["spec"], families=families) if toxiproxy else None,
    )


def pod_spec(made):
    return made.body["spec"]["template"]["spec"]


def with_pod(**fields):
    source = deployment()
    source["spec"]["template"]["spec"].update(fields)
    return source


async def accepted(control, made):
    """What the API server makes of it; refused manifests raise."""
    return await control.cluster.create(DEPLOYMENTS, made.body, namespace="default", dry_run=True)


# Identity


def test_a_copy_is_named_after_its_original_and_says_what_it_is():
    """`-chaos`, the label, the two annotations, and the label of the run."""
    metadata = copy(deployment()).body["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("web-chaos", "default")
    assert metadata["labels"] == {"chaos": "true", "seatrial.io/run": "run-1", "seatrial.io/clone": "web-chaos"}
    assert metadata["annotations"] == {"original_deployment": "web", "chaos_scenario": "Slow & steady"}


@given(st.from_regex(r"\A[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z"))
def test_names_fit_into_labels(source):
    """However long the original's is; two originals never share a copy's name."""
    name = name_of_copy(source)
    assert len(name) <= 63
    assert name.endswith("-chaos")
    assert name == f"{source}-chaos" or name_of_copy(source + "x") != name


def test_what_the_api_server_made_of_the_original_is_left_behind():
    """Status, owner, revision and what was last applied are the original's own."""
    source = deployment(paused=True)
    source["metadata"] |= {
        "uid": "u", "resourceVersion": "7", "ownerReferences": [{"uid": "o"}], "finalizers": ["x/y"],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }  # fmt: skip
    source["status"] = {"replicas": 3}
    made = copy(source).body
    assert set(made) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(made["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert "paused" not in made["spec"]
    assert made["spec"]["replicas"] == 2


# Labels


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"app": "web"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "chaos", "operator": "DoesNotExist"}]},
    ],
    ids=["labels", "expressions", "an expression that excludes copies"],
)
async def test_neither_deployment_selects_the_other_s_pods(control, selector):
    """The copy's selector asks for what no original has; an original's ReplicaSet asks for the hash of its template."""
    source = deployment(selector=selector)
    made = await accepted(control, copy(source))
    chosen = LabelSelector.from_dict(made["spec"]["selector"])
    assert chosen.matches(made["spec"]["template"]["metadata"]["labels"])
    assert not chosen.matches({"app": "web"})
    assert not chosen.matches({"app": "web", "chaos": "true"})
    of_replica_set = {**selector, "matchLabels": {**selector.get("matchLabels", {}), "pod-template-hash": "abc"}}
    assert not LabelSelector.from_dict(of_replica_set).matches(made["spec"]["template"]["metadata"]["labels"])


def test_its_pods_are_selected_by_what_selects_the_original_s():
    """They have the original's labels beside their own."""
    labels = copy(deployment()).pod_labels
    assert LabelSelector.from_labels({"app": "web"}).matches(labels)
    assert labels["chaos"] == "true"


async def test_labels_that_are_replaced_are_not_selected(control):
    """The selector fits whatever labels the policy gives the pods."""
    made = await accepted(control, copy(deployment(), labels={"tier": "slow", "chaos": "false"}))
    assert made["spec"]["template"]["metadata"]["labels"] == {
        "tier": "slow",
        "chaos": "true",
        "seatrial.io/run": "run-1",
        "seatrial.io/clone": "web-chaos",
    }


# Mutations


async def test_a_variable_is_set_in_every_container(control):
    """Of init containers, too; where it is set it is replaced in its place, since later ones may refer to it."""
    before = [{"name": "A", "value": "1"}, {"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    after = [{"name": "B", "value": "$(MODE)"}, {"name": "MODE", "value": "old"}]
    source = with_pod(
        containers=[container(env=[*before, *after]), container("other", ports=())],
        initContainers=[container("init", ports=())],
    )
    made = await accepted(control, copy(source, {"environment": {"name": "MODE", "value": "slow"}}))
    spec = made["spec"]["template"]["spec"]
    wanted = {"name": "MODE", "value": "slow"}
    assert spec["containers"][0]["env"] == [before[0], wanted, after[0]]
    assert [each["env"] for each in (spec["containers"][1], spec["initContainers"][0])] == [[wanted], [wanted]]


async def test_tc_runs_before_the_pod_s_programs(control):
    """In an init container after the original's, as root with NET_ADMIN, even where the pod forbids root."""
    source = with_pod(
        initContainers=[container("init", ports=())], securityContext={"runAsNonRoot": True, "runAsUser": 1000}
    )
    tc = {"command": ["tc"], "args": ["qdisc", "add", "dev", "eth0", "root", "netem", "delay", "100ms"]}
    made = await accepted(control, copy(source, {"tc": tc}))
    _, added = made["spec"]["template"]["spec"]["initContainers"]
    assert (added["command"], added["args"]) == (tc["command"], tc["args"])
    assert added["securityContext"]["runAsUser"] == 0
    assert added["securityContext"]["runAsNonRoot"] is False
    assert "NET_ADMIN" in added["securityContext"]["capabilities"]["add"]


async def test_tc_with_a_delay_runs_beside_the_pod_s_programs(control):
    """In a sidecar that waits, and stays, so that its pod stays Ready."""
    made = await accepted(control, copy(deployment(), {"tc": {"command": ["tc"], "args": ["qdisc"], "delay": 30}}))
    spec = made["spec"]["template"]["spec"]
    assert "initContainers" not in spec
    assert spec["containers"][1]["command"][3:] == ["sh", "30", "tc", "qdisc"]


async def test_two_of_a_kind_have_two_names(control):
    """Containers of a pod must not share one."""
    made = await accepted(control, copy(deployment(), {"tc": {"command": ["a"]}}, {"tc": {"command": ["b"]}}))
    assert [each["name"] for each in made["spec"]["template"]["spec"]["initContainers"]] == ["chaos-tc", "chaos-tc-2"]


async def test_toxiproxy_stands_in_the_way_of_every_port(control):
    """A sidecar that only localhost may configure and that is ready when its marker is; an init container redirects."""
    made = await accepted(control, copy(deployment(), {"toxiproxy": {"toxics": [latency()], "user": 0}}))
    spec = made["spec"]["template"]["spec"]
    app, added = spec["containers"]
    assert app["ports"][0]["containerPort"] == 8080
    assert added["args"] == ["-host=127.0.0.1", "-port=8474"]
    assert "command" not in added
    assert added["readinessProbe"]["tcpSocket"]["port"] == 10001
    [redirecting] = spec["initContainers"]
    assert redirecting["command"] == [
        "/bin/sh",
        "-c",
        "iptables -t nat -A PREROUTING ! -i lo -p tcp --dport 8080 -j REDIRECT --to-ports 10000",
    ]


async def test_a_deployment_without_ports_is_not_redirected(control):
    """The sidecar is there, for the proxies of one's own."""
    source = with_pod(containers=[container(ports=())])
    made = await accepted(control, copy(source, {"toxiproxy": {}}))
    assert "initContainers" not in made["spec"]["template"]["spec"]


def test_addresses_of_both_kinds_are_redirected():
    """IPv6 has tables of its own."""
    [redirecting] = pod_spec(copy(deployment(), {"toxiproxy": {}}, families=(4, 6)))["initContainers"]
    assert [each.split()[0] for each in redirecting["command"][2].split(" && ")] == ["iptables", "ip6tables"]


@pytest.mark.parametrize(
    ("security", "user"),
    [({}, None), ({"runAsNonRoot": True}, 65534), ({"runAsNonRoot": True, "runAsUser": 1000}, None)],
)
def test_the_sidecar_runs_where_root_is_forbidden(security, user):
    """The images' user is root; the kubelet would refuse to start it."""
    _, added = pod_spec(copy(with_pod(securityContext=security), {"toxiproxy": {}}))["containers"]
    assert added["securityContext"].get("runAsUser") == user


@pytest.mark.parametrize(("given_", "got"), [(None, 30), (5, 5), (3600, 60), (0, 0)])
def test_its_pods_end_in_time_for_clean_up(given_, got):
    """With the original's grace period, a minute at most."""
    source = with_pod(**({} if given_ is None else {"terminationGracePeriodSeconds": given_}))
    assert pod_spec(copy(source))["terminationGracePeriodSeconds"] == got


def test_the_original_is_not_touched():
    """What is made shares nothing with what was read."""
    source = deployment()
    copy(source, {"environment": {"name": "A", "value": "b"}}, {"toxiproxy": {}})
    assert source == deployment()
