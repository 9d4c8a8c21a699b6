"""`kill`: which pods, how, what it says of those that it leaves out, and what a recorded policy would have."""

import pytest
from msgspec.structs import replace
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from seatrial.runtime.events import PodKilled
from seatrial.shell.completion import CommandCompleter

RUNNING = {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"running": {}}}]}


async def set_phase(control, name, phase):
    await control.server.api.patch("pods", name, "default", {"status": {"phase": phase}}, subresource="status")


def order_of(shell):
    return shell.session.deeds[-1].order


async def test_a_pod_is_killed_by_name_and_no_other(shell, control):
    """Names match whole: of pods that begin alike one is killed."""
    await control.create_pods("web", "web-1", "web-12")
    assert await shell.do("kill web-1", "y") == 0
    assert await control.pod_names() == ["web", "web-12"]


async def test_a_pod_is_killed_by_its_number_in_the_last_list(shell, control):
    """Numbers are those of the last list, in whatever namespace it was."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("cart-1", "cart-2", namespace="shop")
    await control.create_pods("web-1")
    assert await shell.do("pods shop; kill 2", "y") == 0
    assert await control.pod_names("shop") == ["cart-1"]
    assert await control.pod_names() == ["web-1"]


async def test_several_are_killed_by_one_order(shell, control):
    """Numbers, names, and names with a namespace; one that is named twice counts once."""
    await control.create_pods("a", "b", "c", "d")
    assert await shell.do("pods; kill 1 b default/c a --force", "y") == 0
    assert shell.questions == ["kill default/a, default/b and default/c at once? [y/N] "]
    assert await control.pod_names() == ["d"]


@pytest.mark.parametrize(("flags", "force"), [("", False), (" --force", True)])
async def test_a_pod_keeps_its_grace_period_unless_forced(shell, control, flags, force):
    """Without `--force` the pod's own grace period holds; with it there is none."""
    await control.create_pods("a")
    records = []
    shell.session.context.events.subscribe(records.append)
    await shell.do(f"kill a{flags} --yes")
    [killed] = [record.event for record in records if isinstance(record.event, PodKilled)]
    assert killed.force is force


async def test_kill_alone_kills_nothing(shell, control):
    """Without a pod it is wrong usage; nobody is asked anything."""
    await control.create_pods("a")
    assert await shell.do("kill") == 2
    assert await shell.do("kill --force --yes") == 2
    assert await shell.do("kill SIGKILL --yes") == 2
    assert "which pods?" in shell.errors
    assert (await control.pod_names(), shell.questions) == (["a"], [])


@pytest.mark.parametrize("which", ["0", "3", "99999999999999999999"])
async def test_a_number_that_is_not_in_the_list_is_no_pod(shell, control, which):
    """The number of pods in the last list is said."""
    await control.create_pods("a", "b")
    assert await shell.do(f"pods; kill {which} --yes") == 2
    assert f"there is no pod number {which}: the last list has 2" in shell.errors
    assert await control.pod_names() == ["a", "b"]


@pytest.mark.parametrize("word", ["²", "٣", "1" * 5000])
async def test_a_number_of_another_script_is_none(shell, control, word):
    """What only looks like a number of the list is the name of a pod that isn't there."""
    await control.create_pods("a", "b", "c")
    for line in (f"kill {word} --yes", f"evict {word} --yes", f"kill a --signal {word} --yes"):
        assert await shell.do(f"pods; {line}") == 2
    assert await control.pod_names() == ["a", "b", "c"]


@pytest.mark.parametrize("word", ["", "/", "default/", "/a"])
async def test_half_a_name_is_none(shell, control, word):
    """Without its name, or its namespace, nobody is asked for a pod; and that is no way to mean all."""
    await control.create_pods("a")
    assert await shell.do(f"kill '{word}' --yes") == 2
    assert f"{word!r} names no pod" in shell.errors
    assert await control.pod_names() == ["a"]


async def test_a_name_that_the_last_list_has_elsewhere_is_in_doubt(shell, control):
    """Who reads db-0 in another namespace's list and types it does not mean the one of the shell's namespace."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("db-0", namespace="shop")
    await control.create_pods("db-0")
    assert await shell.do("pods shop; kill db-0 --yes") == 2
    assert "db-0 may be default/db-0 or shop/db-0" in shell.errors
    assert "say which, with its namespace or by its number" in shell.errors
    assert await shell.do("kill default/db-0 --yes") == 0
    assert (await control.pod_names(), await control.pod_names("shop")) == ([], ["db-0"])


async def test_seatrials_own_pod_is_left_out(shell, control):
    """It is said, and the others go: a question that names it would be a lie."""
    await control.create_pods("seatrial-0", "web")
    own = replace(shell.session.context.identity, pod_name="seatrial-0", pod_namespace="default")
    shell.session.context = replace(shell.session.context, identity=own)
    assert await shell.do("kill seatrial-0 web", "y") == 0
    assert "default/seatrial-0 is left out: Seatrial itself runs in it" in shell.words
    assert shell.questions == ["kill default/web? [y/N] "]
    assert await control.pod_names() == ["seatrial-0"]


async def test_numbers_need_a_list(shell, control):
    """Before anything was listed no number means anything."""
    await control.create_pods("a")
    assert await shell.do("kill 1 --yes") == 2
    assert "no pods were listed so far" in shell.errors


async def test_a_pod_that_is_gone_is_said_to_be(shell, control):
    """Neither by name nor by number; with one that is missing, the others aren't killed either."""
    await control.create_pods("a", "b")
    await shell.do("pods")
    await control.server.api.delete("pods", "a", "default")
    assert await shell.do("kill 1 2 --yes") == 2
    assert "there is no pod default/a, number 1 of the last list, any more" in shell.errors
    assert await shell.do("kill nowhere/x --yes") == 2
    assert "there is no pod nowhere/x" in shell.errors
    assert await control.pod_names() == ["b"]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_pods_that_ended_are_left_out_and_the_others_killed(shell, control, phase):
    """There is nothing of them to kill: that is said, and the others go."""
    await control.create_pods("done", "web")
    await set_phase(control, "done", phase)
    assert await shell.do("kill done web", "y") == 0
    assert f"default/done is left out: it has ended already ({phase})" in shell.words
    assert await control.pod_names() == ["done"]


async def test_where_all_are_left_out_there_is_nothing_to_do(shell, control):
    """Code 3, and no question."""
    await control.create_pods("done")
    await set_phase(control, "done", "Succeeded")
    assert await shell.do("kill done") == 3
    assert (shell.questions, await control.pod_names()) == ([], ["done"])


async def test_a_static_pod_is_left_out(shell, control):
    """The API server can't end what a kubelet runs from a file; saying otherwise would be a lie."""
    body = {
        "metadata": {"name": "etcd", "annotations": {"kubernetes.io/config.mirror": "x"}},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    }
    await control.server.api.create("pods", body, "default")
    assert await shell.do("kill etcd --yes") == 3
    assert "default/etcd is left out: it is a static pod" in shell.words


class TestRecorded:
    """What a recorded policy has instead of names that are gone."""

    async def create_web(self, control):
        """A Deployment's pods, with the ReplicaSet between them."""
        api = control.server.api
        selector = {"matchLabels": {"app": "web"}}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
        spec = {"selector": selector, "template": template}
        deployment = await api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")
        above = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": deployment["metadata"]["uid"]}
        body = {"metadata": {"name": "web-7d4b9", "ownerReferences": [{**above, "controller": True}]}, "spec": spec}
        replica_set = await api.create("replicasets.apps", body, "default")
        uid = replica_set["metadata"]["uid"]
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9", "uid": uid}
        await control.create_pods("web-a", "web-b", "web-c", owner=owner, app="web")

    async def test_pods_of_a_deployment_are_recorded_as_a_sample_of_it(self, shell, control):
        """As many of the Deployment's pods as were killed; the note has the names they had."""
        await self.create_web(control)
        await shell.do("kill web-a web-b --force", "y")
        order = order_of(shell)
        assert order.recorded == (
            {
                "podAction": {
                    "matches": [{"deployment": {"name": "web", "namespace": "default"}}],
                    "filters": [{"randomSample": {"size": 2}}],
                    "actions": [{"kill": {"force": True}}],
                }
            },
        )
        assert order.note == "by hand it was default/web-a, default/web-b"

    async def test_of_each_owner_as_many_are_recorded_as_were_killed(self, shell, control):
        """A step for each owner, and one for the pods that have none: three of one would be another experiment."""
        await self.create_web(control)
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "owner-1"}
        await control.create_pods("db-0", "db-1", owner=owner)
        await control.create_pods("alone")
        await shell.do("kill db-1 web-a alone web-c", "y")
        steps = [each["podAction"] for each in order_of(shell).recorded]
        assert [(each["matches"], each.get("filters")) for each in steps] == [
            ([{"statefulSet": {"name": "db", "namespace": "default"}}], [{"randomSample": {"size": 1}}]),
            ([{"deployment": {"name": "web", "namespace": "default"}}], [{"randomSample": {"size": 2}}]),
            ([{"field": {"namespace": "default", "selector": "metadata.name=alone"}}], None),
        ]

    @pytest.mark.parametrize(
        ("kind", "api_version", "matcher"),
        [
            ("StatefulSet", "apps/v1", {"statefulSet": {"name": "x", "namespace": "default"}}),
            ("DaemonSet", "apps/v1", {"daemonSet": {"name": "x", "namespace": "default"}}),
            ("ReplicaSet", "apps/v1", {"replicaSet": {"name": "x", "namespace": "default"}}),
            ("Job", "batch/v1", {"job": {"name": "x", "namespace": "default"}}),
            (
                "Rollout",
                "argoproj.io/v1alpha1",
                {
                    "owner": {
                        "kind": "Rollout",
                        "name": "x",
                        "namespace": "default",
                        "apiVersion": "argoproj.io/v1alpha1",
                    }
                },
            ),
        ],
    )
    async def test_each_kind_of_owner_has_its_matcher(self, shell, control, kind, api_version, matcher):
        """Kinds that the language has no word for are named as any object is."""
        owner = {"apiVersion": api_version, "kind": kind, "name": "x", "uid": "owner-1"}
        await control.create_pods("x-1", owner=owner)
        await shell.do("kill x-1", "y")
        [step] = order_of(shell).recorded
        assert step["podAction"]["matches"] == [matcher]

    async def test_a_pod_of_its_own_is_recorded_by_its_name(self, shell, control):
        """There is nothing else to call it."""
        await control.create_pods("alone")
        await shell.do("kill alone", "y")
        order = order_of(shell)
        assert (order.recorded, order.note) == ((), "")
        selector = {"namespace": "default", "selector": "metadata.name=alone"}
        assert order.step["podAction"]["matches"] == [{"field": selector}]


class TestSignals:
    """`kill POD SIGNAL`: the pod stays, a container's main process gets the signal."""

    async def create(self, control, name, **spec):
        container = {"name": "c", "image": "busybox"}
        body = {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}
        await control.server.api.create("pods", body, "default")
        await control.server.api.patch("pods", name, "default", {"status": RUNNING}, subresource="status")

    @pytest.mark.parametrize("line", ["SIGTERM", "TERM", "--signal term", "-s 15", "-s SIGTERM"])
    async def test_a_signal_has_many_names(self, shell, control, line):
        """A word of capitals is a signal, since no pod can be called so; anything else is said with `--signal`."""
        await self.create(control, "web")
        await shell.do(f"kill web {line}", "n")
        assert shell.questions == ["send SIGTERM to default/web? [y/N] "]
        assert "changes send SIGTERM to container c of pod default/web" in shell.words
        assert await control.pod_names() == ["web"]

    async def test_a_number_is_a_pod_and_no_signal(self, shell, control):
        """`kill 1 15` is about two pods: a signal that is a number is said to be one."""
        await control.create_pods("a")
        assert await shell.do("pods; kill 1 15 --yes") == 2
        assert "there is no pod number 15" in shell.errors
        assert await control.pod_names() == ["a"]

    async def test_an_unknown_signal_is_refused_with_those_there_are(self, shell, control):
        """The policy language says which there are."""
        await self.create(control, "web")
        assert await shell.do("kill web SIGWINCH --yes") == 2
        assert "'SIGWINCH'" in shell.errors
        assert "SIGTERM" in shell.errors

    async def test_what_the_kernel_shields_is_said_instead_of_tried(self, shell, control):
        """SIGKILL doesn't reach a container's first process: nothing to do, and the way out."""
        await self.create(control, "web")
        assert await shell.do("kill web SIGKILL") == 3
        assert "the kernel shields the main process of default/web from SIGKILL" in shell.words
        assert shell.questions == []

    async def test_signals_that_reload_expect_no_end(self, shell, control):
        """After SIGHUP a program goes on: nobody waits for its end."""
        await self.create(control, "web")
        await shell.do("kill web SIGHUP", "y")
        assert order_of(shell).step["podAction"]["actions"] == [
            {"killContainer": {"signal": "SIGHUP", "expectEnd": False}}
        ]

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("kill web SIGTERM --force", "--force goes without a signal"),
            ("kill web --container c", "go with a signal"),
            ("kill web --resume-after 5", "go with a signal"),
            ("kill web SIGSTOP", "resumeAfter"),
        ],
    )
    async def test_what_does_not_go_together_is_wrong_usage(self, shell, control, line, problem):
        """Said before anything is looked at."""
        await self.create(control, "web")
        assert await shell.do(f"{line} --yes") == 2
        assert problem in shell.errors

    async def test_signals_are_offered(self, shell):
        """With and without SIG, and whatever case they are typed in; a number says which it is."""
        for begun in ("SIGT", "T", "sigt", "t"):
            completer = CommandCompleter(shell.shell)
            offered = completer.get_completions(Document(f"kill web --signal {begun}"), CompleteEvent())
            assert [(each.text, each.display_meta_text) for each in offered] == [("SIGTERM", "15")]
