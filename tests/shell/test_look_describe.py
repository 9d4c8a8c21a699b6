"""`describe`: which thing is meant, and what its account says of it, of what counts on it, and of losing it."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from click.shell_completion import ShellComplete
from rich.console import Console

from seatrial.kube.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CONFIGMAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICES,
    Resource,
)
from seatrial.shell.command_table import group
from seatrial.shell.describing.account import Account, Fact, Section, account_lines
from seatrial.shell.describing.others import other_account
from tests.shell.conftest import DrivenShell, driven_shell

STORAGECLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)


def section(driven: DrivenShell, title: str) -> list[str]:
    """The lines of a section of the account, without their indentation."""
    lines = driven.shown.splitlines()
    begin = lines.index(title) + 1
    end = next((place for place in range(begin, len(lines)) if not lines[place].startswith(" ")), len(lines))
    return [line.strip() for line in lines[begin:end]]


async def pod_with_status(control, name, *, namespace="default", labels=None, owner=None, node="", **status):
    """A pod on a node, as its kubelet tells of it."""
    body = {
        "metadata": {
            "name": name,
            "labels": labels or {},
            "ownerReferences": [{**owner, "controller": True}] if owner else [],
        },
        "spec": {"containers": [{"name": "main", "image": "shop/cart:1"}, {"name": "proxy", "image": "envoy"}]},
    }
    if node:
        body["spec"]["nodeName"] = node
    await control.cluster.create(PODS, body, namespace=namespace)
    return await control.cluster.patch(PODS, name, {"status": status}, namespace=namespace, subresource="status")


READY = {"type": "Ready", "status": "True"}
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


async def test_a_pod_is_told_with_its_containers_and_how_they_ended_before(shell, control):
    """What restarted, why, and what waits stands out in words."""
    statuses = [
        {
            "name": "main", "ready": False, "restartCount": 4, "image": "", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        },
        {"name": "proxy", "ready": True, "restartCount": 0, "image": "", "imageID": "", "state": RUNNING},
    ]  # fmt: skip
    await pod_with_status(
        control, "cart-1", node="node9", containerStatuses=statuses, podIP="10.0.0.7", phase="Running"
    )
    assert await shell.do("describe cart-1") == 0
    lines = shell.shown.splitlines()
    assert lines[0] == "Pod default/cart-1: CrashLoopBackOff, 1/2 ready"
    assert [line.split(maxsplit=1) for line in lines[1:3]] == [["node", "node9"], ["address", "10.0.0.7"]]
    assert "none: nothing replaces it" in shell.shown
    containers = section(shell, "containers")
    assert containers[0].split(maxsplit=1) == ["main", "shop/cart:1"]
    assert containers[1] == "waits: CrashLoopBackOff: back-off 40s, not ready, 4 restarts"
    assert containers[2] == "before that ended with 137 (OOMKilled)"
    assert containers[4].startswith("running for ")
    assert section(shell, "a kill") == ["for good  no controller replaces it"]


async def test_a_pod_is_told_with_what_counts_on_it(shell, control):
    """Its owners up to the one who decides, the Services that send it traffic, the budgets that protect it."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": "d-1"}
    template = {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"app": "cart"}}, "template": template}
    meta = {"name": "cart-6b5", "ownerReferences": [{**owner, "controller": True}]}
    created = await control.cluster.create(REPLICASETS, {"metadata": meta, "spec": spec})
    replica_set = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-6b5", "uid": created["metadata"]["uid"]}
    for name in ("cart-6b5-a", "cart-6b5-b"):
        await pod_with_status(
            control, name, labels={"app": "cart"}, owner=replica_set, conditions=[READY], phase="Running"
        )
    for name, selector in (("cart", {"app": "cart"}), ("other", {"app": "db"})):
        service = {"metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 80}]}}
        await control.cluster.create(SERVICES, service)
    budget = {"metadata": {"name": "keep"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "cart"}}}}
    await control.cluster.create(PODDISRUPTIONBUDGETS, budget)
    assert await shell.do("describe pod cart-6b5-a") == 0
    assert "ReplicaSet/cart-6b5 of Deployment/cart" in shell.shown
    assert section(shell, "Services") == ["cart  ClusterIP 80/TCP: it gets traffic"]
    assert section(shell, "budgets")[0].startswith("keep  ")
    assert section(shell, "a kill") == [
        "leaves  1 of 2 Ready pods of Deployment/cart in default until it replaces 1",
        "breaks  budget default/keep, which allows 0; this makes 1",
    ]


async def test_events_are_told_oldest_first_with_how_often_they_were_seen(shell, control):
    """Those about this very object: not those of one that had its name before."""
    pod = await pod_with_status(control, "cart-1")
    for number, (uid, reason) in enumerate([(pod["metadata"]["uid"], "BackOff"), ("other", "Killing")]):
        about = {"kind": "Pod", "namespace": "default", "name": "cart-1", "uid": uid, "apiVersion": "v1"}
        event = {"metadata": {"name": f"e{number}"}, "involvedObject": about, "reason": reason, "type": "Warning"}
        seen = {"message": "it fails", "count": 5, "lastTimestamp": "2020-01-01T00:00:00Z"}
        await control.cluster.create(EVENTS, {**event, **seen})
    await shell.do("describe cart-1")
    (event,) = section(shell, "events")
    assert event.endswith("ago  BackOff: it fails (5 times)")


@pytest.mark.parametrize("line", ["describe 1", "describe pods 1", "describe shop/db-1", "describe pod/db-1 -n shop"])
async def test_a_pod_is_meant_by_number_by_name_or_by_kind_and_name(shell, control, line):
    """A number is that of the last list; KIND/NAME is what kubectl takes."""
    await control.cluster.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await control.create_pods("db-1", namespace="shop")
    await shell.do("pods shop")
    shell.forget()
    assert await shell.do(line) == 0
    assert shell.shown.startswith("Pod shop/db-1: Pending")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("describe cart-2", "there is no Pod 'cart-2' in namespace default"),
        ("describe 7", "there is no pod number 7: no pods were listed yet"),
        ("describe deployment", "which of the deployment? a name has to follow"),
        ("describe shop/cart-1", "'shop' is neither a namespace nor a kind"),
        ("describe gadget x", "the cluster has no kind of object called 'gadget'"),
        ("describe node gone", "there is no Node 'gone'"),
    ],
)
async def test_what_nobody_can_know_is_a_usage_error(shell, control, line, message):
    """It is said what is missing."""
    await control.create_pods("cart-1")
    assert await shell.do(line) == 2
    assert message in shell.errors


async def test_a_misspelt_name_is_answered_with_the_likely_one(shell, control):
    """From what has been looked at."""
    await control.create_pods("cart-1")
    await shell.do("pods")
    assert await shell.do("describe cart-11") == 2
    assert "did you mean cart-1?" in shell.errors


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
async def test_the_object_itself_is_there_for_programs(shell, control, form, read):
    """Whole, but for the book-keeping of who manages which field."""
    await control.create_pods("cart-1", app="cart")
    assert await shell.do(f"describe cart-1 -o {form}") == 0
    body = read(shell.shown)
    assert (body["kind"], body["metadata"]["name"], body["metadata"]["labels"]) == ("Pod", "cart-1", {"app": "cart"})
    assert body["spec"]["containers"][0]["image"] == "busybox"
    assert "managedFields" not in body["metadata"]


async def test_a_secret_is_told_by_its_size(shell, control):
    """Who looks over one's shoulder reads nothing."""
    await control.cluster.create(SECRETS, {"metadata": {"name": "key"}, "data": {"password": "aHVudGVyMg=="}})
    assert await shell.do("describe secret key") == 0
    assert section(shell, "data") == ["password  about 9 bytes"]
    assert "aHVud" not in shell.shown


async def test_anything_can_be_described(shell, control):
    """Of what nobody here knows more about, the fields are shown, texts of several lines as such."""
    await control.cluster.create(CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"a": "1", "b": "x\n\x1b[2Jy\n"}})
    assert await shell.do("describe cm c") == 0
    assert shell.shown.startswith("ConfigMap default/c\n")
    assert section(shell, "data")[0] == "a: '1'"
    assert "\x1b" not in shell.shown


async def test_fields_that_are_one_word_are_told_as_such(shell):
    """A StorageClass has such, and one that says no says so."""
    await shell.shell.session.context.cluster.create(
        STORAGECLASSES,
        {"metadata": {"name": "slow"}, "provisioner": "example.com/disk", "allowVolumeExpansion": False},
    )
    assert await shell.do("describe storageclass slow") == 0
    assert section(shell, "provisioner") == ["example.com/disk"]
    assert section(shell, "allowVolumeExpansion") == ["false"]


@pytest.mark.parametrize(
    "conditions", ["sunny", {"weather": "sunny"}, [{"type": "Afloat", "since": 3, "lastTransitionTime": "monday"}]]
)
async def test_a_custom_resource_may_call_anything_its_conditions(control, conditions):
    """What is none as Kubernetes knows them is told with the rest of its status; there may be no status."""
    boat = {"metadata": {"name": "ada", "labels": None}, "spec": {"sails": 2}}
    now = datetime.now(UTC)
    bare = await other_account("Boat", boat, control.cluster, now=now)
    full = await other_account("Boat", {**boat, "status": {"conditions": conditions}}, control.cluster, now=now)
    told = {each.title: [fact.words for fact in each.facts] for each in full.sections}
    assert yaml.safe_load("\n".join(told["status"])) == {"conditions": conditions}
    assert told["conditions"] == []
    assert "status" not in {each.title for each in bare.sections}


async def test_a_node_is_told_with_its_pods_and_what_losing_it_means(shell, control):
    """Its conditions, what it is tainted with, and what nothing would replace."""
    taint = {"key": "disk", "value": "ssd", "effect": "NoSchedule"}
    labels = {"topology.kubernetes.io/zone": "west", "node-role.kubernetes.io/worker": ""}
    await control.cluster.create(NODES, {"metadata": {"name": "n1", "labels": labels}, "spec": {"taints": [taint]}})
    conditions = [
        {**READY, "reason": "KubeletReady"}, {"type": "DiskPressure", "status": "False"},
    ]  # fmt: skip
    status = {"conditions": conditions, "allocatable": {"cpu": "2", "memory": "24684096Ki"}}
    await control.cluster.patch(NODES, "n1", {"status": status}, subresource="status")
    await pod_with_status(control, "alone", node="n1")
    agent = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "d-1"}
    await pod_with_status(control, "agent-1", node="n1", owner=agent, conditions=[READY], phase="Running")
    await shell.do("nodes")
    shell.forget()
    assert await shell.do("describe node 1") == 0
    assert shell.shown.splitlines()[0] == "Node n1: Ready, 2 pods"
    facts = dict(line.split("  ", 1) for line in section(shell, "Node n1: Ready, 2 pods"))
    assert {key: facts[key].strip() for key in ("zone", "roles", "has room for")} == {
        "zone": "west", "roles": "worker", "has room for": "cpu 2, memory 23.5 GiB",
    }  # fmt: skip
    assert "disk=ssd:NoSchedule" in facts["taints"]
    assert [line.split()[1] for line in section(shell, "pods")] == ["default/agent-1", "default/alone"]
    assert section(shell, "losing it") == [
        "leaves    0 of 1 Ready pods of DaemonSet/agent in default",
        "for good  default/alone: no controller",
    ]


async def test_what_may_not_be_read_is_said_to_be_not_known(control, tmp_path):
    """Not left out, as if there were none."""
    await control.create_pods("cart-1")
    await control.connect_as("guest")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    await control.cluster.create(CLUSTERROLES, {"metadata": {"name": "pods"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pods"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "guest"}]
    await control.cluster.create(
        CLUSTERROLEBINDINGS, {"metadata": {"name": "pods"}, "roleRef": role, "subjects": subjects}
    )
    async with driven_shell(control.directory / "guest.kubeconfig", tmp_path / "state") as guest:
        assert await guest.do("describe cart-1") == 0
        for title in ("Services", "budgets", "events"):
            assert section(guest, title)[0].startswith("not known"), title
        assert any(line.startswith("forbidden") for line in section(guest, "a kill"))


def test_an_account_is_wrapped_under_its_labels_where_there_is_a_window():
    """Empty sections are left out; nothing is wider than the window."""
    console = Console(force_terminal=True, width=40)
    account = Account("T", "", [Section("", [Fact("label", "word " * 20)]), Section("empty", [])])
    lines = [line.plain for line in account_lines(account, console)]
    assert lines[0] == "T"
    assert lines[1].startswith("  label  word")
    assert all(line.startswith("         word") for line in lines[2:])
    assert max(map(len, lines)) <= 40
    assert "empty" not in lines


async def test_events_of_one_second_are_told_in_the_order_in_which_they_were_written(shell, control):
    """Components that know microseconds and those that don't tell of the same second."""
    pod = await pod_with_status(control, "cart-1")
    about = {"kind": "Pod", "namespace": "default", "name": "cart-1", "uid": pod["metadata"]["uid"]}
    scheduled = {"eventTime": "2020-01-01T00:00:00.900000Z", "reportingComponent": "s", "reportingInstance": "s"}
    for reason, when in (
        ("Scheduled", {**scheduled, "action": "Binding"}), ("Pulled", {"lastTimestamp": "2020-01-01T00:00:00Z"}),
    ):  # fmt: skip
        event = {"metadata": {"name": f"e-{reason.lower()}"}, "involvedObject": about, "reason": reason}
        await control.cluster.create(EVENTS, {**event, **when, "type": "Normal"})
    await shell.do("describe cart-1")
    assert [line.split()[2] for line in section(shell, "events")] == ["Scheduled:", "Pulled:"]


def completed(driven, *words):
    """What completes a line whose last word is begun."""
    *given, begun = words
    found = ShellComplete(group, {"obj": driven.shell}, "", "").get_completions(given, begun)
    return [each.value for each in found]


async def test_what_is_described_is_completed(shell, control):
    """Kinds and pods first, then the names of the kind; asked of nobody but the live view."""
    await control.cluster.create(NODES, {"metadata": {"name": "node9"}})
    await control.create_pods("nova-1")
    await shell.do("pods; nodes")
    await shell.shell.live.nodes.ready()
    assert completed(shell, "describe", "no") == ["node", "nova-1"]
    assert completed(shell, "describe", "node", "") == ["node9"]
    assert completed(shell, "describe", "pods", "") == ["1", "nova-1"]
    assert completed(shell, "describe", "gadget", "") == []
