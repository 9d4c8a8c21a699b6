"""Lists of what there is: where one looks, what numbers mean, what a script reads, and what is said of doubts."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from seatrial.by_hand.server_time import server_time
from seatrial.kube.resources import NAMESPACES, PODS, REPLICASETS, ROLEBINDINGS, ROLES
from tests.by_hand.live.conftest import grant  # noqa: F401 -- a fixture
from tests.shell.conftest import driven_shell
from tests.shell.rows import documented_keys, rows


@pytest.fixture
async def script(control, tmp_path):
    """A shell that a script drives, on an API server with pods in two namespaces."""
    await control.cluster.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await control.cluster.create(NAMESPACES, {"metadata": {"name": "team-a"}})
    await control.create_pods("web-1", "web-2", app="web")
    await control.create_pods("cart-1", namespace="shop", app="cart")
    await control.create_pods("db-1", namespace="shop", app="db")
    await control.create_pods("job-1", namespace="team-a", app="job")
    async with driven_shell(control.directory / "kubeconfig", tmp_path / "state") as driven:
        driven.front.is_interactive = False
        yield driven


def names(driven):
    """The names in the last list."""
    return [name for _, name in driven.shell.numbered_pods]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pods", ["web-1", "web-2"]),
        ("pods shop", ["cart-1", "db-1"]),
        ("pods shop app=db", ["db-1"]),
        ("pods app!=web", []),
        ("pods 'app in (web, db)'", ["web-1", "web-2"]),
        ("pods '*'", ["web-1", "web-2", "cart-1", "db-1", "job-1"]),
        ("pods --all app=cart", ["cart-1"]),
        ("pods 'team-*'", ["job-1"]),
        ("pods -A --sort -name", ["web-2", "web-1", "job-1", "db-1", "cart-1"]),
    ],
)
async def test_pods_are_those_of_a_namespace_that_a_selector_selects(script, line, expected):
    """NAMESPACE may be left out, a glob, or all; numbers count the pods as they are shown."""
    assert await script.do(line) == 0
    assert names(script) == expected
    shown = [line.split() for line in script.shown.splitlines()[1:]]
    assert [cells[0] for cells in shown if cells[0].isdigit()] == [str(n + 1) for n in range(len(expected))]


async def test_of_several_namespaces_the_table_says_which(script):
    """In one namespace that would only take room."""
    await script.do("pods shop")
    assert "NAMESPACE" not in script.shown
    script.forget()
    await script.do("pods 'team-*'")
    assert script.shown.splitlines()[1].split()[:3] == ["1", "team-a", "job-1"]


async def test_where_there_is_nothing_it_is_said_what_there_is_nothing_of(script):
    """An empty table would leave one guessing."""
    await script.do("pods team-a app=web; deployments --all; statefulsets; daemonsets shop; services team-a")
    assert script.shown.splitlines() == [
        "no pods in namespace team-a with app=web",
        "no Deployments in any namespace",
        "no StatefulSets in namespace default",
        "no DaemonSets in namespace shop",
        "no Services in namespace team-a",
    ]


@pytest.mark.parametrize("command", ["pods", "deployments", "statefulsets", "daemonsets", "services"])
async def test_a_namespace_that_is_not_there_is_an_error_and_not_empty(script, command):
    """A misspelt name must not look like an empty namespace."""
    assert await script.do(f"{command} shopp") == 2
    assert "there is no namespace 'shopp'" in script.errors
    assert "did you mean shop?" in script.errors


async def test_what_is_no_selector_or_no_column_is_said(script):
    """Both with what would be right."""
    assert await script.do("pods shop app==") == 0  # an empty value, as Kubernetes has it
    assert await script.do("pods shop 'app in ('") == 2
    assert await script.do("pods --sort colour") == 2
    assert "there is no column 'colour' to sort by" in script.errors


async def test_json_has_what_a_table_has_and_more(script):
    """Ages in seconds, moments as Kubernetes writes them, null where there is nothing."""
    found = await rows(script, "pods shop")
    assert found[0]["name"] == "cart-1"
    assert found[0]["node"] is None
    assert 0 <= found[0]["ageSeconds"] < 600


async def test_cached_pods_tell_what_has_become_of_each_under_the_same_numbers(script, control):
    """Gone, replaced by another of the same name, or as it was; numbers mean what they meant."""
    await script.do("pods '*'")
    await control.cluster.delete(PODS, "web-1", namespace="default")
    await control.cluster.delete(PODS, "cart-1", namespace="shop")
    await control.create_pods("cart-1", namespace="shop", app="cart")
    found = await rows(script, "cached_pods")
    assert [(each["number"], each["name"], each["gone"]) for each in found] == [
        (1, "web-1", True), (2, "web-2", False), (3, "cart-1", True), (4, "db-1", False), (5, "job-1", False),
    ]  # fmt: skip
    assert [each["status"] for each in found] == ["gone", "Pending", "gone, replaced", "Pending", "Pending"]
    script.forget()
    await script.do("cached_pods")
    assert script.shown.splitlines()[-1] == "2 pods of 5 gone"
    assert names(script) == ["web-1", "web-2", "cart-1", "db-1", "job-1"]


async def test_a_number_means_that_very_pod(script, control):
    """A pod that took the name of the one that was listed is another one: it is not hit."""
    await script.do("pods shop")
    await control.cluster.delete(PODS, "cart-1", namespace="shop")
    await control.create_pods("cart-1", namespace="shop", app="cart")
    assert await script.do("kill 1 --yes") == 2
    assert "number 1 of the last list, is gone: another has its name" in script.errors
    assert "cart-1" in await control.pod_names("shop")


async def test_before_any_list_there_is_none_to_show_again(script):
    """And it is said which command makes one."""
    assert await script.do("cached_pods") == 2
    assert "no pods were listed yet" in script.errors


async def test_namespaces_are_listed_with_their_pods(script):
    """How many there are in each."""
    found = {each["name"]: each["pods"] for each in await rows(script, "namespaces")}
    assert (found["default"], found["shop"], found["team-a"]) == (2, 2, 1)


def workload(name, *, replicas=2):
    """A Deployment, StatefulSet or ReplicaSet, as far as lists look at it."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, "serviceName": name}
    return {"metadata": {"name": name}, "spec": spec}


async def test_workloads_tell_how_many_of_their_pods_are_ready(script, control):
    """Of those they want."""
    for plural in ("deployments", "statefulsets"):
        await control.cluster.create(await control.cluster.discover(plural), workload("web"), namespace="shop")
    (deployment,) = await rows(script, "deployments shop")
    assert (deployment["name"], deployment["ready"], deployment["selector"]) == ("web", "0/2", "app=web")
    (stateful_set,) = await rows(script, "statefulsets shop")
    assert (stateful_set["name"], stateful_set["wanted"]) == ("web", 2)


async def test_services_tell_how_many_pods_are_behind_them(script, control):
    """Ready ones of those that their selectors select; without a selector nobody can say."""
    services = await control.cluster.discover("services")
    ports = [{"port": 80}, {"port": 53, "name": "dns", "protocol": "UDP"}]
    for each in ports:
        each.setdefault("name", "http")
    await control.cluster.create(
        services, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}}
    )
    await control.cluster.create(
        services, {"metadata": {"name": "away"}, "spec": {"type": "ExternalName", "externalName": "example.org"}}
    )
    found = {each["name"]: each for each in await rows(script, "services default")}
    assert (found["web"]["pods"], found["web"]["ports"], found["web"]["selector"]) == (
        "0/2", "80/TCP,53/UDP", "app=web",
    )  # fmt: skip
    assert (found["away"]["pods"], found["away"]["clusterIP"]) == (None, "example.org")


async def replica_set(control, deployment, name, *, uid):
    """A ReplicaSet that belongs to a Deployment; its reference for pods."""
    body = workload(name)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": uid, "controller": True}
    body["metadata"]["ownerReferences"] = [owner]
    created = await control.cluster.create(REPLICASETS, body, namespace="shop")
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": created["metadata"]["uid"]}


async def test_pods_for_deployment_are_those_that_it_owns(script, control):
    """Through its ReplicaSets, whatever the pods' labels say; those of others are not among them."""
    deployments = await control.cluster.discover("deployments")
    uids = {}
    for name in ("web", "web-canary"):
        created = await control.cluster.create(deployments, workload(name), namespace="shop")
        uids[name] = created["metadata"]["uid"]
    ours = await replica_set(control, "web", "web-6b5", uid=uids["web"])
    theirs = await replica_set(control, "web-canary", "web-canary-77c", uid=uids["web-canary"])
    await control.create_pods("web-6b5-a", namespace="shop", owner=ours, app="web")
    await control.create_pods("web-canary-77c-b", namespace="shop", owner=theirs, app="web")
    await control.create_pods("web-look-alike", namespace="shop", app="web")
    assert await script.do("pods_for_deployment shop web") == 0
    assert names(script) == ["web-6b5-a"]
    assert await script.do("pods_for_deployment shop/web-canary") == 0
    assert names(script) == ["web-canary-77c-b"]
    assert await script.do("pods_for_deployment shop wep") == 2
    assert "did you mean web?" in script.errors


async def test_a_person_sees_what_the_live_view_has(shell, control):
    """What has happened shows without a question to the API server for each list."""
    await shell.do("pods")
    assert names(shell) == []
    heard = asyncio.Event()
    shell.shell.live.pods.subscribe(lambda _change: heard.set())
    await control.create_pods("web-1", app="web")
    async with asyncio.timeout(30):
        await heard.wait()
    await shell.do("pods")
    assert names(shell) == ["web-1"]


async def test_who_may_see_one_namespace_only_sees_that_one(control, tmp_path):
    """Who asks for all is told that it is not all there is, and that zones are not known; nodes are an error."""
    await control.create_pods("web-1", app="web")
    await control.connect_as("guest")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    await control.cluster.create(ROLES, {"metadata": {"name": "reader"}, "rules": rules}, namespace="default")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "guest"}]
    binding = {"metadata": {"name": "reader"}, "roleRef": role, "subjects": subjects}
    await control.cluster.create(ROLEBINDINGS, binding, namespace="default")
    async with driven_shell(control.directory / "guest.kubeconfig", tmp_path / "state") as guest:
        assert await guest.do("pods") == 0
        assert names(guest) == ["web-1"]
        assert "only namespace" not in guest.words
        assert "zones are not known: nodes is forbidden" in guest.words
        guest.forget()
        assert await guest.do("pods --all") == 0
        assert "only namespace default is looked at: pods is forbidden" in guest.words
        guest.front.is_interactive = False
        assert await guest.do("pods default") == 0
        assert await guest.do("pods --all") == 3
        assert await guest.do("nodes") == 3


@pytest.mark.parametrize("is_interactive", [True, False])
async def test_figures_that_may_not_be_known_are_said_to_be_unknown(
    control,
    tmp_path,
    grant,  # noqa: F811 -- the fixture
    is_interactive,
):
    """A list that can be shown without them is shown, and says what it lacks and why."""
    await control.connect_as("ops")
    await grant("ops", "nodes", "services", "namespaces")
    async with driven_shell(control.directory / "ops.kubeconfig", tmp_path / "state") as ops:
        ops.front.is_interactive = is_interactive
        for line in ("nodes", "zones", "groups", "namespaces", "services -o json"):
            ops.forget()
            assert await ops.do(line) == 0
            assert "pods are not counted: pods is forbidden" in f"{ops.words} {ops.errors}", line


async def test_a_deployment_is_in_one_namespace(shell):
    """Pods of several of the same name are not mixed up."""
    assert await shell.do("pods_for_deployment '*' web") == 2
    assert "in one namespace" in shell.errors


async def test_ages_are_told_by_the_api_servers_clock(on_cluster):
    """A clock that is years off makes nothing older or younger."""
    on_cluster.clock.now = lambda: datetime.fromisoformat("2011-11-11T11:11:11+00:00")
    seen = await server_time(on_cluster.context)
    now = seen.now(on_cluster.clock.now())
    created = (await on_cluster.context.cluster.get(NAMESPACES, "default"))["metadata"]["creationTimestamp"]
    assert timedelta(seconds=-2) < now - datetime.fromisoformat(created) < timedelta(minutes=10)


async def test_clocks_that_differ_by_no_more_than_can_be_told_are_left_alone(on_cluster):
    """An answer tells the time in whole seconds: a second of difference may be none."""
    on_cluster.clock.now = lambda: datetime.now(UTC)
    assert (await server_time(on_cluster.context)).ahead == timedelta()


@pytest.mark.parametrize("command", ["deployments", "statefulsets", "daemonsets"])
async def test_workloads_have_the_keys_that_help_promises(script, control, command):
    """Programs rely on them."""
    await control.cluster.create(await control.cluster.discover(command), workload(command), namespace="shop")
    (row,) = await rows(script, f"{command} shop")
    assert list(row) == documented_keys(command)


@pytest.mark.parametrize("line", ["pods shop", "cached_pods", "namespaces", "services default"])
async def test_other_lists_have_the_keys_that_help_promises(script, control, line):
    """For every row, with null where there is nothing to tell."""
    ports = [{"port": 80}]
    services = await control.cluster.discover("services")
    await control.cluster.create(services, {"metadata": {"name": "web"}, "spec": {"ports": ports}})
    await script.do("pods --all")
    found = await rows(script, line)
    assert found
    assert {tuple(row) for row in found} == {tuple(documented_keys(line.split()[0]))}


async def test_a_person_is_told_how_old_it_is_that_they_see(shell, control, monkeypatch):
    """While the API server is away, what was seen last is shown, and nobody takes it for what is."""
    await control.create_pods("web-1")
    await shell.do("namespaces; pods")
    assert "API server is away" not in shell.shown
    monkeypatch.setattr("seatrial.by_hand.live.kind._MOST_SECONDS_BETWEEN_STREAMS", 0)
    await control.server.stop()
    async with asyncio.timeout(30):
        while shell.shell.live.pods.is_current:  # noqa: ASYNC110 -- there is no event for a stream that broke
            await asyncio.sleep(0.01)
    shell.forget()
    assert await shell.do("pods") == 0
    assert names(shell) == ["web-1"]
    assert "as of 0 s ago: the API server is away" in shell.words
    shell.forget()
    async with asyncio.timeout(10):  # and nobody asks it first whether there is such a namespace
        assert await shell.do("pods default") == 0
    assert names(shell) == ["web-1"]


async def test_a_clock_that_could_not_be_seen_is_not_taken_for_ours(shell, control):
    """Its server was away for a moment: it is looked at again, instead of telling ages by ours for ever."""
    await shell.do("pods")
    assert shell.shell.server_time.is_seen
    shell.shell.server_time = None
    await control.server.stop()
    assert await shell.do("pods") == 0
    assert shell.shell.server_time is None
