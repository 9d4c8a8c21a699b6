import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from seatrial.engine.halt import HaltWatch, obeying_halts
from seatrial.engine.halt_mark import NAME, lift_mark, read_mark, set_mark
from seatrial.engine.interrupts import Interrupts
from seatrial.errors import ClusterError, Halted
from seatrial.kube.client import connect
from seatrial.runtime.events import HaltUnreadable, RunHalted
from seatrial.runtime.halt import HaltMark

MARK = HaltMark(by="jane@desk", since="2030-01-01T12:00:00+00:00", reason="incident 4711")


class Obeying:
    """A switch on a cluster, what it published, and the task that a halt cancels."""

    def __init__(self, cluster):
        self.events = []
        self.interrupts = Interrupts()
        self.experiment = asyncio.create_task(asyncio.Event().wait())
        self._cluster = cluster

    @asynccontextmanager
    async def running(self):
        with self.interrupts.guarding(self.experiment):
            async with obeying_halts(
                self._cluster, self.interrupts.halt, self.events.append, namespace="default"
            ) as self.switch:
                yield self
        self.experiment.cancel()

    async def cancelled(self):
        await asyncio.wait_for(asyncio.wait({self.experiment}), 20)
        return self.experiment.cancelled()


async def grant(control, user, *verbs, named=True):
    """Lets a user do that with the mark, and with nothing else."""
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}
    if named:
        rule["resourceNames"] = [NAME]
    api = control.server.api
    await api.create("roles.rbac.authorization.k8s.io", {"metadata": {"name": user}, "rules": [rule]}, "default")
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    await api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")


# The mark


async def test_the_mark_says_who_when_and_why(control):
    """And is gone when it is lifted; lifting what isn't there lifts nothing."""
    assert await read_mark(control.cluster, namespace="default") is None
    assert await set_mark(control.cluster, MARK, namespace="default") == MARK
    assert await read_mark(control.cluster, namespace="default") == MARK
    assert await lift_mark(control.cluster, namespace="default") == MARK
    assert await read_mark(control.cluster, namespace="default") is None
    assert await lift_mark(control.cluster, namespace="default") is None


async def test_the_first_who_halts_is_the_one_who_is_named(control):
    """A second halt doesn't take the mark over."""
    await set_mark(control.cluster, MARK, namespace="default")
    other = HaltMark(by="joe@desk", since="later", reason="another")
    assert await set_mark(control.cluster, other, namespace="default") == MARK


async def test_a_mark_made_by_hand_halts_as_well(control):
    """`kubectl create configmap seatrial-halt` says nothing of who and why, and when is the server's word."""
    made = await control.server.api.create("configmaps", {"metadata": {"name": NAME}}, "default")
    found = await read_mark(control.cluster, namespace="default")
    assert found == HaltMark(since=made["metadata"]["creationTimestamp"])
    assert str(found).startswith("halted by somebody since 20")


# The switch


async def test_while_the_mark_is_watched_asking_sends_no_request(control):
    """The permission is taken away: nobody notices, for nobody asks the API server."""
    await grant(control, "experimenter", "get", "list", "watch")
    async with await control.connect_as("experimenter") as cluster, Obeying(cluster).running() as obeying:
        async with asyncio.timeout(20):
            while not (obeying.switch._watch and obeying.switch._watch.is_streaming):  # noqa: ASYNC110 -- no event
                await asyncio.sleep(0)
        await control.server.api.delete("roles.rbac.authorization.k8s.io", "experimenter", "default")
        for _ in range(20):
            await obeying.switch.check()
    assert obeying.events == []


async def test_a_halt_ends_the_experiment_at_once(control):
    """Also in the middle of a step or a pause: whoever runs it is cancelled, and told who halted it and why."""
    async with Obeying(control.cluster).running() as obeying:
        await obeying.switch.check()
        await set_mark(control.cluster, MARK, namespace="default")
        assert await obeying.cancelled()
        assert obeying.interrupts.halted == str(MARK)
        with pytest.raises(Halted, match="halted by jane@desk since 2030-01-01T12:00:00\\+00:00: incident 4711"):
            await obeying.switch.check()
    assert obeying.events == [RunHalted(by=MARK.by, reason=MARK.reason, since=MARK.since)]


async def test_a_halt_from_before_lets_nothing_begin(control):
    """The mark outlives whoever set it."""
    await set_mark(control.cluster, MARK, namespace="default")
    async with Obeying(control.cluster).running() as obeying:
        with pytest.raises(Halted) as caught:
            await obeying.switch.check()
        assert caught.value.hint == "when the reason is gone: seatrial resume"
        assert await obeying.cancelled()
    assert len(obeying.events) == 1


async def test_a_mark_of_another_namespace_or_name_is_nothing(control):
    """Only the one ConfigMap counts."""
    await control.server.api.create("namespaces", {"metadata": {"name": "other"}})
    await set_mark(control.cluster, MARK, namespace="other")
    await control.server.api.create("configmaps", {"metadata": {"name": "another"}}, "default")
    async with Obeying(control.cluster).running() as obeying:
        await obeying.switch.check()


async def test_reading_the_one_config_map_is_all_it_takes(control):
    """A role with `resourceNames` for get, list and watch: the watch selects it by name."""
    await grant(control, "experimenter", "get", "list", "watch")
    async with await control.connect_as("experimenter") as cluster, Obeying(cluster).running() as obeying:
        await obeying.switch.check()
        await set_mark(control.cluster, MARK, namespace="default")
        assert await obeying.cancelled()
    assert [type(event) for event in obeying.events] == [RunHalted]


async def test_who_may_not_watch_asks_each_time(control):
    """With `get` alone a halt is seen before the next action."""
    await grant(control, "experimenter", "get")
    async with await control.connect_as("experimenter") as cluster, Obeying(cluster).running() as obeying:
        await obeying.switch.check()
        await set_mark(control.cluster, MARK, namespace="default")
        with pytest.raises(Halted):
            await obeying.switch.check()


async def test_who_may_not_even_look_is_told_once_and_goes_on(control):
    """A missing permission is no halt, and not said before each action."""
    async with await control.connect_as("nobody") as cluster, Obeying(cluster).running() as obeying:
        for _ in range(3):
            await obeying.switch.check()
    [event] = obeying.events
    assert isinstance(event, HaltUnreadable)
    assert event.namespace == "default"


async def test_a_permission_that_comes_later_is_made_use_of(control, monkeypatch):
    """An API server that has just begun refuses what it allows a moment later; a run for weeks must not go blind."""
    monkeypatch.setattr("seatrial.engine.halt._FORBIDDEN_SECONDS", 0.05)
    async with await control.connect_as("newcomer") as cluster, Obeying(cluster).running() as obeying:
        await obeying.switch.check()
        await grant(control, "newcomer", "get", "list", "watch")
        await set_mark(control.cluster, MARK, namespace="default")
        assert await obeying.cancelled()
    assert [type(event) for event in obeying.events] == [HaltUnreadable, RunHalted]


async def test_while_the_api_server_is_away_nothing_may_begin(unused_tcp_port, tmp_path):
    """Whether experiments are halted can't be seen: that is an error, and no permission."""
    named = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{unused_tcp_port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(named))
    where = await connect(kubeconfig=tmp_path / "kubeconfig", timeout_seconds=1)
    async with where as cluster, Obeying(cluster).running() as obeying:
        with pytest.raises(ClusterError):
            await obeying.switch.check()


async def test_what_happened_while_the_watch_was_away_is_seen(control):
    """Between two watches each question is a request."""
    obeying = Obeying(control.cluster)
    switch = HaltWatch(control.cluster, obeying.interrupts.halt, obeying.events.append, namespace="default")
    switch._first_look.set()
    await switch.check()
    await set_mark(control.cluster, MARK, namespace="default")
    with pytest.raises(Halted):
        await switch.check()
    await lift_mark(control.cluster, namespace="default")
    await switch.check()
    obeying.experiment.cancel()
