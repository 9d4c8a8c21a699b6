"""`evict`, `scale` and `clone`: which step of the language each becomes, and that it is done and taken back."""

import pytest

from seatrial.by_hand.orders import parsed_step
from seatrial.kube.resources import DEPLOYMENTS

GOLDPINGER = "deployment/goldpinger"


def spec_of(shell):
    """What the last order says."""
    [spec] = shell.orders[-1].step.values()
    return spec


@pytest.fixture
def ordering(shell, monkeypatch):
    """A shell whose session notes what is previewed."""
    shell.orders = []
    preview = shell.session.preview

    async def noted(order):
        parsed_step(order)
        shell.orders.append(order)
        return await preview(order)

    monkeypatch.setattr(shell.session, "preview", noted)
    return shell


async def create_deployment(control, name="web", *, ports=(8080,), namespace="default"):
    container = {"name": "c", "image": "busybox", "ports": [{"containerPort": port} for port in ports]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    await control.server.api.create("deployments.apps", {"metadata": {"name": name}, "spec": spec}, namespace)


class TestEvict:
    """`evict`."""

    async def test_a_pod_is_evicted(self, shell, control):
        """By number or name; it is asked for, and told."""
        await control.create_pods("a", "b")
        assert await shell.do("pods; evict 2", "y") == 0
        assert shell.questions == ["evict default/b? [y/N] "]
        assert "evicted default/b" in shell.words
        assert await control.pod_names() == ["a"]

    async def test_what_a_budget_forbids_is_said_before_and_after(self, shell, control):
        """The plan says that the budget would block it, the outcome that it did: code 3."""
        await control.create_pods("a", app="web")
        budget = {
            "metadata": {"name": "strict"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1},
        }
        await control.server.api.create("poddisruptionbudgets.policy", budget, "default")
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await control.server.api.patch("pods", "a", "default", {"status": ready}, subresource="status")
        assert await shell.do("evict a", "y") == 3
        assert "PodDisruptionBudget default/strict would block 1 of 1 evictions" in shell.words
        assert "inconclusive: 1 of 1 pods were not evicted: PodDisruptionBudgets blocked it" in shell.words
        assert await control.pod_names() == ["a"]

    async def test_evict_alone_evicts_nothing(self, shell):
        """As with `kill`."""
        assert await shell.do("evict --yes") == 2
        assert "which pods?" in shell.errors

    async def test_its_options_are_the_actions(self, ordering, control):
        """How long it may take, and how long to try."""
        await control.create_pods("a")
        await ordering.do("evict a --grace-period 0 --timeout 60", "n")
        assert spec_of(ordering)["actions"] == [{"evict": {"timeout": 60, "gracePeriodSeconds": 0}}]


class TestScale:
    """`scale`."""

    @pytest.mark.parametrize(
        ("given", "said", "words"),
        [
            ("5", {"replicas": 5}, "to 5"),
            ("0", {"replicas": 0}, "to 0"),
            ("+2", {"by": 2}, "by +2"),
            ("-1", {"by": -1}, "by -1"),
            ("x0.5", {"factor": 0.5}, "to 0.5 times as many"),
        ],
    )
    async def test_how_many_is_said_in_three_ways(self, ordering, control, given, said, words):
        """A number, a difference, a factor: as the step has them."""
        await create_deployment(control)
        await ordering.do(f"scale deployment/web {given}", "n")
        target = {"target": {"deployment": {"name": "web", "namespace": "default"}}}
        assert spec_of(ordering) == {**target, **said}
        assert ordering.questions == [f"scale Deployment default/web {words}? [y/N] "]

    @pytest.mark.parametrize("kind", ["deployment", "deploy", "deployments.apps", "Deployment"])
    async def test_kinds_are_called_as_kubectl_calls_them(self, ordering, control, kind):
        """Short names, plurals, kinds."""
        await create_deployment(control)
        await ordering.do(f"scale {kind}/web 1", "n")
        assert spec_of(ordering)["target"] == {"deployment": {"name": "web", "namespace": "default"}}

    async def test_other_kinds_are_named_in_full(self, ordering):
        """What the language has no word for is named by kind and apiVersion."""
        await ordering.do("scale rc/old 1 --namespace shop", "n")
        wanted = {"kind": "ReplicationController", "apiVersion": "v1", "name": "old", "namespace": "shop"}
        assert spec_of(ordering)["target"] == {"object": wanted}

    async def test_waiting_can_be_left_out_or_bounded(self, ordering, control):
        """`--no-wait`, `--timeout`."""
        await create_deployment(control)
        await ordering.do("scale deploy/web 1 --no-wait --timeout 5", "n")
        assert (spec_of(ordering)["wait"], spec_of(ordering)["timeout"]) == (False, 5)

    @pytest.mark.parametrize("line", ["web 3", "deployment/ 3", "a/b/c 3", "deployment/web many", "deployment/web 1.5"])
    async def test_what_is_neither_is_wrong_usage(self, shell, line):
        """KIND/NAME and a number."""
        assert await shell.do(f"scale {line} --yes") == 2

    async def test_it_stands_until_it_is_undone(self, sandbox_shell):
        """The replicas come, that is proven, and `undo` makes them as many as before."""
        shell = sandbox_shell
        assert await shell.do(f"scale {GOLDPINGER} +1", "y") == 0
        assert "changes scale Deployment default/goldpinger from 3 to 4" in shell.words
        assert "proven Deployment default/goldpinger: 4 Ready replicas of 4, 3 before" in shell.words
        assert "it stands until you leave; 'undo' takes it back" in shell.words
        assert await shell.do("undo", "y") == 0
        found = await shell.session.context.cluster.get(DEPLOYMENTS, "goldpinger", namespace="default")
        assert found["spec"]["replicas"] == 3


class TestClone:
    """`clone`."""

    async def test_without_options_it_is_a_plain_copy(self, ordering, control):
        """One pod, no fault."""
        await create_deployment(control)
        await ordering.do("clone web", "n")
        source = {"deployment": {"name": "web", "namespace": "default"}}
        assert spec_of(ordering) == {"source": source, "replicas": 1}
        assert ordering.questions == ["clone Deployment default/web? [y/N] "]

    async def test_a_fault_befalls_every_port(self, ordering, control):
        """Where no port is said, a toxic for each TCP port that the Deployment declares."""
        await create_deployment(control, ports=(8080, 9090))
        await ordering.do("clone web --replicas 2 --latency 250ms --jitter 50ms", "n")
        [mutation] = spec_of(ordering)["mutations"]
        attributes = [{"name": "latency", "value": 250}, {"name": "jitter", "value": 50}]
        assert mutation["toxiproxy"]["toxics"] == [
            {"targetProxy": port, "toxicType": "latency", "toxicAttributes": attributes} for port in ("8080", "9090")
        ]

    @pytest.mark.parametrize(
        ("options", "toxic"),
        [
            ("--latency 1.5s", ("latency", {"latency": 1500, "jitter": 0})),
            ("--jitter 20", ("latency", {"latency": 0, "jitter": 20})),
            ("--bandwidth 64", ("bandwidth", {"rate": 64})),
            ("--slow-close 1s", ("slow_close", {"delay": 1000})),
            ("--hang 0", ("timeout", {"timeout": 0})),
            ("--reset 100ms", ("reset_peer", {"timeout": 100})),
            ("--limit 512", ("limit_data", {"bytes": 512})),
        ],
    )
    async def test_each_kind_of_fault_has_an_option(self, ordering, control, options, toxic):
        """Named for what it does; times in ms or s."""
        await create_deployment(control)
        await ordering.do(f"clone web {options}", "n")
        [found] = spec_of(ordering)["mutations"][0]["toxiproxy"]["toxics"]
        attributes = {each["name"]: each["value"] for each in found["toxicAttributes"]}
        assert (found["toxicType"], attributes) == toxic

    async def test_where_and_how_often_can_be_said(self, ordering, control):
        """One port, one direction, a share of the connections."""
        await create_deployment(control, ports=(8080, 9090))
        await ordering.do("clone web --latency 1s --port 9090 --upstream --toxicity 0.5", "n")
        [found] = spec_of(ordering)["mutations"][0]["toxiproxy"]["toxics"]
        assert (found["targetProxy"], found["stream"], found["toxicity"]) == ("9090", "upstream", 0.5)

    async def test_variables_tc_labels_and_services(self, ordering, control):
        """The other differences, each as often as it is given; Services and Deployments of other namespaces, too."""
        await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
        await create_deployment(control, "cart", namespace="shop")
        await ordering.do(
            "clone shop/cart --env A=1 --env B=x=y --label tier=test --service cart --service default/web"
            " --tc 'qdisc add dev eth0 root netem loss 10%'"
        )
        spec = spec_of(ordering)
        assert spec["source"] == {"deployment": {"name": "cart", "namespace": "shop"}}
        assert spec["labels"] == [{"label": {"key": "tier", "value": "test"}}]
        assert spec["servicesToRetarget"] == [
            {"service": {"name": "cart", "namespace": "shop"}},
            {"service": {"name": "web", "namespace": "default"}},
        ]
        assert spec["mutations"] == [
            {"environment": {"name": "A", "value": "1"}},
            {"environment": {"name": "B", "value": "x=y"}},
            {"tc": {"command": ["tc"], "args": ["qdisc", "add", "dev", "eth0", "root", "netem", "loss", "10%"]}},
        ]

    async def test_without_a_port_to_befall_it_is_said(self, shell, control):
        """A Deployment that declares none, and no `--port`."""
        await create_deployment(control, ports=())
        assert await shell.do("clone web --latency 1s --yes") == 2
        assert "declares no TCP port" in shell.errors
        assert "--port" in shell.errors

    @pytest.mark.parametrize(
        "line", ["--env A", "--label =x", "--latency soon", "--port 80", "--toxicity 0.5", '--tc "\'"', "--replicas 0"]
    )
    async def test_what_means_nothing_is_wrong_usage(self, shell, control, line):
        """Said before anything is made."""
        await create_deployment(control)
        assert await shell.do(f"clone web {line} --yes") == 2

    async def test_the_copy_stands_until_it_is_undone(self, sandbox_shell):
        """The copy answers late beside the original, that is proven, and `undo` takes it away."""
        shell = sandbox_shell
        assert await shell.do("clone goldpinger --latency 250ms", "y") == 0
        assert "changes create Deployment default/goldpinger-chaos with 1 pod" in shell.words
        assert "latency=250" in shell.words
        assert "proven" in shell.words
        assert await shell.do("undo", "y") == 0
        listed = await shell.session.context.cluster.list(DEPLOYMENTS, namespace="default")
        assert [each["metadata"]["name"] for each in listed.items] == ["goldpinger"]
