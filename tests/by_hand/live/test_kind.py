"""One kind of the live view: listed when asked for, current from then on, honest where it is not."""

import asyncio

import pytest

from seatrial.by_hand.live import following
from seatrial.by_hand.live import kind as module
from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.by_hand.live.kind import LiveKind
from seatrial.by_hand.live.pods import LivePod
from seatrial.errors import ClusterError
from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import PODS
from tests.by_hand.live.conftest import until
from tests.kube.fake_collection import Fault

_FORBIDDEN = {
    "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
    "message": "pods is forbidden", "metadata": {}, "details": {},
}  # fmt: skip


def watching_tasks():
    return [name for task in asyncio.all_tasks() if (name := task.get_name()).startswith(("live ", "watch "))]


def told(kind):
    """What a subscriber is told, as type and name."""
    changes = []
    kind.subscribe(lambda change: changes.append((change.type, change.object.name)))
    return changes


async def test_nothing_is_asked_before_somebody_does(breakable, collection):
    """A view costs nothing: each kind is listed when it is first asked for, and once."""
    assert (breakable.pods.is_open, collection.requests) == (False, 0)
    await asyncio.gather(breakable.pods.ready(), breakable.pods.ready())
    await breakable.pods.ready()
    assert collection.lists == 1


async def test_what_there_is_is_there_in_order(live, control):
    """By namespace and name, and under its name."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("b", "a")
    await control.create_pods("a", namespace="shop")
    await live.pods.ready()
    assert [(pod.namespace, pod.name) for pod in live.pods.all()] == [
        ("default", "a"), ("default", "b"), ("shop", "a"),
    ]  # fmt: skip
    assert [pod.name for pod in live.pods.in_namespace("default")] == ["a", "b"]
    assert live.pods.get("shop", "a").namespace == "shop"
    assert live.pods.get("shop", "b") is None
    assert list(live.pods.names("default")) == ["a", "b"]
    assert list(live.pods.names()) == ["default/a", "default/b", "shop/a"]
    await live.namespaces.ready()
    assert "shop" in live.namespaces.names()


async def test_changes_arrive_by_themselves(live, control):
    """What was created, changed and deleted since is as it is; a subscriber is told, with what was known before."""
    await control.create_pods("a", "b")
    await live.pods.ready()
    changes = []
    live.pods.subscribe(changes.append)
    await control.create_pods("c")
    status = {"status": {"phase": "Running"}}
    await control.server.api.patch("pods", "a", "default", status, subresource="status")
    await control.server.api.delete("pods", "b", "default")
    await until(lambda: live.pods.get("default", "b") is None)
    assert list(live.pods.names("default")) == ["a", "c"]
    assert live.pods.get("default", "a").status == "Running"
    assert [(each.type, each.object.name, each.earlier and each.earlier.status) for each in changes] == [
        ("ADDED", "c", None),
        ("MODIFIED", "a", "Pending"),
        ("MODIFIED", "b", "Pending"),
        ("DELETED", "b", "Terminating"),
    ]


async def test_who_has_ended_a_subscription_is_told_nothing(live, control):
    """Ending it twice does no harm."""
    await live.pods.ready()
    ended, others = [], told(live.pods)
    end = live.pods.subscribe(ended.append)
    end()
    end()
    await control.create_pods("a")
    await until(lambda: len(others) == 1)
    assert ended == []


async def test_opening_in_the_background_waits_for_nothing(live, control):
    """Completion opens a kind and has what there is later; it is never ready before it is listed."""
    await control.create_pods("a")
    live.pods.open()
    assert (live.pods.is_open, live.pods.is_ready, live.pods.all()) == (True, False, [])
    await until(lambda: live.pods.is_ready)
    assert list(live.pods.names("default")) == ["a"]


async def test_a_subscriber_before_the_first_list_is_told_of_all_of_it(live, control):
    """Whoever begins to look before anything is known misses nothing."""
    await control.create_pods("a", "b")
    changes = told(live.pods)
    await live.pods.ready()
    assert sorted(changes) == [("ADDED", "a"), ("ADDED", "b")]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_LINE, Fault.GONE_EVENT, Fault.UNAVAILABLE, Fault.COMPACTION])
async def test_a_watch_that_breaks_misses_nothing(breakable, collection, fault):
    """However it broke: what was created and deleted meanwhile is told once."""
    collection.change("a")
    collection.change("b")
    await breakable.pods.ready()
    changes = told(breakable.pods)
    collection.delete("a")
    await until(lambda: len(changes) == 1)
    collection.fault(fault)
    collection.delete("b")
    collection.change("c")
    await until(lambda: len(changes) == 3)
    assert changes == [("DELETED", "a"), ("DELETED", "b"), ("ADDED", "c")]
    assert list(breakable.pods.names()) == ["default/c"]


async def test_it_says_how_old_it_is_while_the_api_server_is_away(breakable, collection, server, monkeypatch):
    """What is known stays, and is not passed off as current; when the server is back, so are the changes."""
    monkeypatch.setattr(module, "_MOST_SECONDS_BETWEEN_STREAMS", 0.05)
    collection.change("a")
    await breakable.pods.ready()
    await collection.seen(lambda: bool(collection.watches))
    await until(lambda: breakable.pods.is_current)
    assert breakable.pods.seconds_behind == 0
    port = server.port
    await server.stop()
    await until(lambda: not breakable.pods.is_current)
    assert breakable.pods.seconds_behind > 0
    assert (breakable.pods.is_ready, list(breakable.pods.names("default"))) == (True, ["a"])
    collection.change("b")
    await server.start(port=port)
    await until(lambda: "b" in breakable.pods.names("default"))
    await until(lambda: breakable.pods.is_current)


async def test_who_may_not_list_a_kind_is_told_so(control):
    """In the background nothing is raised, `problem` says it; who waits is told, and may try again."""
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        live.nodes.open()
        await until(lambda: live.nodes.problem != "")
        assert live.nodes.problem.startswith("nodes is forbidden")
        assert (live.nodes.is_ready, live.nodes.is_current, live.nodes.all()) == (False, False, [])
        with pytest.raises(Forbidden):
            await live.nodes.ready()


async def test_rights_that_are_granted_later_are_seen(control, grant):
    """Asking again asks the server again."""
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        with pytest.raises(Forbidden):
            await live.nodes.ready()
        await grant("jane", "nodes")
        await live.nodes.ready()
        assert (live.nodes.is_ready, live.nodes.problem) == (True, "")


async def test_who_may_see_one_namespace_sees_that(control, grant):
    """It is the one that they are in, and the view says that there may be more."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("a", namespace="shop")
    await control.create_pods("b")
    await grant("jane", "pods", namespace="shop")
    async with await control.connect_as("jane") as jane, LiveCluster(jane, namespace=lambda: "shop") as live:
        await live.pods.ready()
        assert list(live.pods.names()) == ["shop/a"]
        assert live.pods.problem.startswith("only namespace shop is looked at: pods is forbidden")
        await control.create_pods("c", namespace="shop")
        await until(lambda: live.pods.get("shop", "c") is not None)


async def test_other_namespaces_are_looked_at_when_they_are_asked_for(control, grant):
    """One by one, beside those that were; one that may not be seen is an error, and hides none of the others."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("a", namespace="shop")
    await control.create_pods("b")
    await grant("jane", "pods", namespace="shop")
    async with await control.connect_as("jane") as jane, LiveCluster(jane, namespace=lambda: "shop") as live:
        await live.pods.ready("shop")
        with pytest.raises(Forbidden):
            await live.pods.ready("default")
        assert list(live.pods.names()) == ["shop/a"]
        assert live.pods.problem.startswith("only namespace shop is looked at")
        await grant("jane", "pods", "services", namespace="default")
        await live.pods.ready("default")
        assert list(live.pods.names()) == ["default/b", "shop/a"]


async def test_the_background_falls_back_as_well(control, grant):
    """Completion has the names of the only namespace that may be seen, though nobody waited for them."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("a", namespace="shop")
    await grant("jane", "pods", namespace="shop")
    async with await control.connect_as("jane") as jane, LiveCluster(jane, namespace=lambda: "shop") as live:
        live.pods.open()
        await until(lambda: live.pods.is_ready)
        assert list(live.pods.names("shop")) == ["a"]


async def test_a_right_that_is_taken_away_is_said_and_what_is_known_stays(
    control, grant, server, breakable, collection
):
    """A view that was refused in the middle says why, and does not pass for current."""
    collection.change("a")
    await breakable.pods.ready()
    await collection.seen(lambda: bool(collection.watches))
    server.on("GET", "/api/v1/pods", _FORBIDDEN)
    collection.fault(Fault.CLOSE)
    await until(lambda: breakable.pods.problem != "")
    assert breakable.pods.problem == "pods is forbidden"
    assert list(breakable.pods.names("default")) == ["a"]
    await breakable.pods.ready()  # there is something to show, with its age


async def test_what_may_be_listed_and_not_watched_is_listed_when_somebody_looks(control, grant):
    """It says why changes don't arrive, is never current, and is as young as the last look."""
    await grant("jane", "pods", verbs=["list"])
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        await live.pods.ready()
        await until(lambda: "cannot watch" in live.pods.problem)
        await control.create_pods("a", "b")
        await live.pods.ready()
        assert list(live.pods.names()) == ["default/a", "default/b"]
        await control.server.api.delete("pods", "a", "default")
        await live.pods.ready()
        assert list(live.pods.names()) == ["default/b"]
        assert (live.pods.is_current, "cannot watch" in live.pods.problem) == (False, True)


async def test_who_looks_does_not_wait_for_ever_for_a_server_that_is_gone(breakable, collection, server, monkeypatch):
    """What is known has to do then."""
    monkeypatch.setattr(following, "_LOOK_SECONDS", 0.05)
    collection.change("a")
    await breakable.pods.ready()
    await collection.seen(lambda: bool(collection.watches))
    server.on("GET", "/api/v1/pods", _FORBIDDEN)
    collection.fault(Fault.CLOSE)
    await until(lambda: breakable.pods.problem != "")
    asked = asyncio.Event()

    async def silent(_request):
        asked.set()
        await asyncio.Event().wait()

    server.on("GET", "/api/v1/pods", silent)
    await breakable.pods.ready()
    assert asked.is_set()
    assert list(breakable.pods.names("default")) == ["a"]


async def test_a_listener_that_fails_hurts_nobody(live, control, caplog):
    """The view and its other listeners go on; the failure is logged, once."""

    def fail(_change):
        raise LookupError("not my day")

    live.pods.subscribe(fail)
    changes = told(live.pods)
    await live.pods.ready()
    await control.create_pods("a", "b")
    await until(lambda: len(changes) == 2)
    assert list(live.pods.names("default")) == ["a", "b"]
    assert caplog.text.count("LookupError: not my day") == 1


async def test_an_object_that_can_not_be_read_is_a_problem_and_not_the_end(control, caplog):
    """Whoever asks is told, what was thrown is logged; when it can be read, it is."""
    readable = False

    class Odd(LivePod, frozen=True, kw_only=True, gc=False):
        @classmethod
        def of(cls, whole):
            return super().of(whole) if readable else {}["surprise"]

    await control.create_pods("a")
    async with asyncio.TaskGroup() as tasks:
        pods = LiveKind(control.cluster, PODS, Odd, tasks=tasks, namespace=str)
        with pytest.raises(ClusterError, match="can't be read: KeyError"):
            await pods.ready()
        assert "surprise" in caplog.text
        readable = True
        await pods.ready()
        assert list(pods.names("default")) == ["a"]
        await pods.close()


async def test_the_problem_of_other_namespaces_is_none_of_this_one(control, grant):
    """Who asks for the namespace that they may see is not told of those that they may not."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await grant("jane", "pods", namespace="shop")
    async with await control.connect_as("jane") as jane, LiveCluster(jane, namespace=lambda: "shop") as live:
        await live.pods.ready()
        assert (live.pods.problem_in("shop"), live.pods.problem_in("")) == ("", live.pods.problem)


async def test_the_background_opens_the_namespace_that_a_line_names(control, grant):
    """Completion after `--namespace` has names also where each namespace is looked at by itself."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("a", namespace="shop")
    await grant("jane", "pods", namespace="shop")
    await grant("jane", "pods", "services", namespace="default")
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        await live.pods.ready()
        live.pods.open("shop")
        await until(lambda: live.pods.names("shop") != ())
        assert list(live.pods.names("shop")) == ["a"]


async def test_everything_can_be_listed_anew(breakable, collection):
    """`reload` asks for what was asked for, and tells the differences; what nobody looked at stays closed."""
    collection.change("a")
    await breakable.pods.ready()
    changes = told(breakable.pods)
    collection.fault(Fault.SILENCE)
    await until(lambda: Fault.SILENCE in collection.broken)
    collection.change("b")
    collection.delete("a")
    assert changes == []
    await breakable.reload()
    assert changes == [("DELETED", "a"), ("ADDED", "b")]
    assert collection.lists == 2
    assert not breakable.services.is_open


async def test_reloading_from_a_server_that_is_away_loses_nothing(breakable, collection, server):
    """What is known stays, and is gone on with when the server is back."""
    collection.change("a")
    await breakable.pods.ready()
    await collection.seen(lambda: bool(collection.watches))
    port = server.port
    await server.stop()
    with pytest.raises(ClusterError):
        await breakable.reload()
    assert (breakable.pods.is_ready, list(breakable.pods.names("default"))) == (True, ["a"])
    collection.change("b")
    await server.start(port=port)
    await until(lambda: "b" in breakable.pods.names("default"))


async def test_reloading_sees_that_everything_may_be_listed_by_now(control, grant):
    """Who was kept to a namespace and is no more sees the whole cluster."""
    await control.create_pods("b")
    await grant("jane", "pods", namespace="default")
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        await live.pods.ready()
        assert live.pods.problem
        await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
        await control.create_pods("a", namespace="shop")
        await grant("jane", "pods", "services")
        await live.reload()
        assert (live.pods.problem, list(live.pods.names())) == ("", ["default/b", "shop/a"])


async def test_reloading_forgets_what_may_not_be_seen_any_more(control, grant):
    """Who was shown the whole cluster and is kept to a namespace by now has that."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("a", namespace="shop")
    await control.create_pods("b")
    await grant("jane", "pods")
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        await live.pods.ready()
        await control.server.api.delete("clusterrolebindings.rbac.authorization.k8s.io", "jane-pods", None)
        await grant("jane", "pods", "services", namespace="default")
        await live.reload()
        assert list(live.pods.names()) == ["default/b"]


async def test_who_waits_while_it_is_listed_anew_gets_what_there_is(breakable, collection, server):
    """Nobody waits for a list that nobody makes any more."""
    collection.change("a")
    asked, answered = asyncio.Event(), asyncio.Event()
    answer = server.routes["GET", "/api/v1/pods"][0]

    async def slow(request):
        asked.set()
        await answered.wait()
        return await answer(request)

    server.on("GET", "/api/v1/pods", slow)
    waiting = asyncio.create_task(breakable.pods.ready())
    await asked.wait()
    await breakable.reload()
    answered.set()
    await asyncio.wait_for(waiting, 30)
    assert list(breakable.pods.names("default")) == ["a"]


async def test_reloading_what_was_refused_goes_on_in_the_background(control, grant):
    """Who reloads is not told of kinds that they never saw; what may be seen by now is."""
    async with await control.connect_as("jane") as jane, LiveCluster(jane) as live:
        live.open_usual()
        await until(lambda: all(kind.problem for kind in (live.pods, live.nodes, live.namespaces)))
        await grant("jane", "nodes")
        await live.reload()
        await until(lambda: live.nodes.is_ready)
        await until(lambda: live.pods.problem != "")


async def test_an_error_of_whoever_looks_is_theirs(control):
    """What is raised inside comes out as it is, not as a group of errors."""

    async def look():
        async with LiveCluster(control.cluster) as live:
            await live.pods.ready()
            raise LookupError

    with pytest.raises(LookupError):
        await look()


async def test_nothing_goes_on_after_the_end(control):
    """The watches end with the view."""
    async with LiveCluster(control.cluster) as live:
        live.open_usual()
        await live.pods.ready()
        assert watching_tasks()
    assert watching_tasks() == []
