"""Commands on nodes and machines: what they ask, hit and refuse; on an API server and a cloud in memory."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.by_hand.deeds import Standing
from seatrial.kube.objects import ZONE_LABEL, Node
from seatrial.kube.resources import NODES, PODS
from seatrial.machines.driver import MachineState
from seatrial.remote.executor import NoExecutor
from seatrial.runtime.guardrails import Guardrails
from seatrial.shell.command_table import COMMANDS
from tests.actions.nodes.local_machine import LocalMachine
from tests.machines.made import MemoryCloud, machine

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
ALL_UP = {"i-a": "UP", "i-b": "UP", "i-c": "UP"}


class Cloud(MemoryCloud):
    """One that can pause machines, too."""

    async def pause(self, machine_id):
        self._become(machine_id, MachineState.UNKNOWN)


@pytest.fixture
async def cloud(shell, control):
    """Nodes a and b in west-1, c of the control plane in east-1; each is Ready and has a machine."""
    for name, zone in (("a", "west-1"), ("b", "west-1"), ("c", "east-1")):
        labels = {ZONE_LABEL: zone, **({CONTROL_PLANE: ""} if name == "c" else {})}
        metadata = {"name": name, "labels": labels}
        await control.cluster.create(NODES, {"metadata": metadata, "spec": {"providerID": f"memory:///{name}"}})
        conditions = [{"type": "Ready", "status": "True"}]
        await control.cluster.patch(NODES, name, {"status": {"conditions": conditions}}, subresource="status")
    machines = Cloud(*(machine(f"i-{name}", provider_id=f"memory:///{name}") for name in "abc"))
    shell.session.context = replace(shell.session.context, machines=machines)
    return machines


@pytest.fixture
def local(shell, cloud, tmp_path):
    """Commands on every machine run on this one, with few programs; `id` says that nobody is root."""
    machine = LocalMachine(tmp_path)
    machine.link("ls")
    machine.write("id", "#!/bin/sh\necho 1000\n")
    machine.write("sudo", '#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\nAS_ROOT=yes exec "$@"\n')
    shell.session.context = replace(shell.session.context, executor=machine)
    return machine


async def node(control, name):
    return await control.cluster.get(NODES, name, type=Node)


async def taints(control, name):
    return [f"{each.key}={each.value}:{each.effect}" for each in (await node(control, name)).spec.taints]


@pytest.mark.parametrize(
    "command", ["start", "stop", "reboot", "pause", "delete", "cordon", "uncordon", "drain", "stop --force", "start -y"]
)
async def test_a_bare_command_hits_nothing(shell, cloud, command):
    """In PowerfulSeal a bare stop stopped everything; here it is a mistake, and the hint says how to mean all."""
    assert await shell.do(command) == 2
    assert "which nodes? none were named, so none are hit" in shell.errors
    assert "'all'" in shell.errors
    assert (shell.questions, shell.session.deeds) == ([], [])
    assert cloud.states() == ALL_UP


async def test_a_zone_is_stopped_once_somebody_says_yes_and_undo_starts_it(shell, cloud):
    """What would be stopped is shown, and asked for by name; no is no."""
    assert await shell.do("stop west-1", "n") == 3
    assert cloud.states() == ALL_UP
    assert shell.questions == ["stop zone west-1 (a, b)? [y/N] "]
    assert "stop machine i-a of node a, start it again at clean-up" in shell.words
    assert await shell.do("stop west-1", "y") == 0
    assert cloud.states() == {"i-a": "DOWN", "i-b": "DOWN", "i-c": "UP"}
    assert await shell.do("undo") == 0
    assert cloud.states() == ALL_UP


async def test_numbers_are_those_of_the_last_list(shell, cloud):
    """As `nodes` numbers them, whatever it left out."""
    assert await shell.do("stop 2 -y") == 2
    assert "there is no node number 2" in shell.errors
    assert await shell.do("nodes west-1; stop 2 -y") == 0
    assert cloud.states() == {**ALL_UP, "i-b": "DOWN"}


async def test_the_control_plane_is_stopped_only_by_name(shell, cloud):
    """Its zone, its role and all meet the guardrail before anybody is asked; who types its name may."""
    for said in ("east-1", "control-plane", "all", "up"):
        assert await shell.do(f"stop {said}", "y") == 3
    assert "maxControlPlane" in shell.words
    assert (shell.questions, cloud.states()) == ([], ALL_UP)
    assert "done all the same" not in shell.words
    assert await shell.do("stop c", "y") == 0
    assert "1 of 1 node of the control plane would be down: done all the same, for the nodes are named" in shell.words
    assert cloud.states() == {**ALL_UP, "i-c": "DOWN"}


@pytest.mark.parametrize("line", ["start all", "uncordon a"])
async def test_nodes_that_are_as_they_are_to_be_are_nothing_to_ask_about(shell, cloud, line):
    """Why is said of each."""
    assert await shell.do(line) == 3
    assert "nothing to do: nothing was done" in shell.errors
    assert "node a" in shell.words
    assert (shell.questions, shell.session.deeds) == ([], [])


async def test_start_says_what_it_leaves_alone(shell, cloud, control):
    """Only machines that are down are started; their nodes are waited for."""
    assert await shell.do("start down -y") == 3
    assert "there is no such node: state DOWN" in shell.errors
    await cloud.stop("i-a")
    assert await shell.do("start a,b", "y") == 0
    assert cloud.states() == ALL_UP
    assert "node b: its machine is UP" in shell.words
    assert shell.session.deeds[-1].standing is Standing.FOR_GOOD


async def test_reboot_and_pause(shell, cloud, control):
    """By force where that is said, which the question says too."""
    assert await shell.do("reboot a --force", "y") == 0
    assert shell.questions == ["reboot a by force? [y/N] "]
    assert "rebooted machine i-a of node a, by force" in shell.words
    assert await shell.do("pause b", "y") == 0
    assert cloud.states() == {**ALL_UP, "i-b": "UNKNOWN"}
    assert await shell.do("undo all") == 0
    assert cloud.states() == ALL_UP


async def test_cordon_taint_and_uncordon(shell, control, cloud):
    """Each is a change of the node's fields, and taken back by undo, the last first."""
    assert await shell.do("cordon a; taint b chaos=on:NoSchedule; uncordon a", "y", "y", "y") == 0
    assert shell.questions == ["cordon a? [y/N] ", "taint b with chaos=on:NoSchedule? [y/N] ", "uncordon a? [y/N] "]
    assert not (await node(control, "a")).spec.unschedulable
    assert "chaos=on:NoSchedule" in await taints(control, "b")
    assert await shell.do("undo") == 0
    assert (await node(control, "a")).spec.unschedulable
    assert await shell.do("undo all") == 0
    assert not (await node(control, "a")).spec.unschedulable
    assert "chaos=on:NoSchedule" not in await taints(control, "b")


@pytest.mark.parametrize("taint", ["chaos", "chaos=on", "chaos:Never", ":NoSchedule", "a=b=c:d:NoSchedule"])
async def test_what_is_no_taint_is_refused(shell, cloud, taint):
    """It is read as kubectl reads it."""
    assert await shell.do(f"taint a {taint} -y") == 2
    assert shell.session.deeds == []


async def test_a_drain_evicts_what_the_plan_showed(shell, control, cloud):
    """Pods that nothing replaces are a reason to refuse, unless --force is given."""
    for name in ("web-1", "web-2"):
        pod = {"metadata": {"name": name}, "spec": {"nodeName": "a", "containers": [{"name": "c", "image": "i"}]}}
        await control.cluster.create(PODS, pod, namespace="default")
    assert await shell.do("drain a -y") == 3
    assert "pods that no controller replaces" in shell.words
    assert not (await node(control, "a")).spec.unschedulable
    assert await shell.do("drain a --force --grace 0 --timeout 30", "y") == 0
    assert await control.pod_names() == []
    assert (await node(control, "a")).spec.unschedulable
    assert await shell.do("undo") == 0
    assert not (await node(control, "a")).spec.unschedulable


async def test_a_machine_is_deleted_once_its_name_is_typed_in_full(shell, cloud):
    """A yes is no answer to that, and nothing is left to be undone."""
    for answer in ("y", "yes", "A", ""):
        assert await shell.do("delete a", answer) == 3
    assert cloud.states() == ALL_UP
    assert shell.questions[0] == "a will be gone for good. Type its name in full: "
    shell.forget()
    assert await shell.do("delete a,b", "a", "b") == 0
    assert cloud.states() == {"i-c": "UP"}
    assert "for good: nothing brings it back" in shell.words
    assert [deed.standing for deed in shell.session.deeds] == [Standing.FOR_GOOD]
    assert await shell.do("undo") == 0
    assert cloud.states() == {"i-c": "UP"}


async def test_a_line_does_not_answer_for_who_can_be_asked(shell, cloud):
    """With --confirm, and in a shell that answers yes to everything: a line is easily called back from the history."""
    assert await shell.do("delete a --confirm a", "") == 3
    shell.shell.settings = replace(shell.shell.settings, assume_yes=True)
    assert await shell.do("delete a --confirm a", "y") == 3
    assert shell.questions == ["a will be gone for good. Type its name in full: "] * 2
    assert cloud.states() == ALL_UP


@pytest.mark.parametrize("words", ["all", "a,all", "ALL"])
async def test_all_machines_are_never_deleted(shell, cloud, words):
    """It is refused before anything is looked at."""
    assert await shell.do(f"delete {words} --confirm a") == 2
    assert cloud.states() == ALL_UP


async def test_a_script_deletes_what_it_names_in_full(shell, cloud):
    """Each node by --confirm; there is no --yes."""
    shell.front.is_interactive = False
    assert await shell.do("delete west-1 --confirm a") == 3
    assert "b has to be named in full, so nothing was done" in shell.errors
    assert cloud.states() == ALL_UP
    assert await shell.do("delete west-1 --confirm a --confirm b") == 0
    assert cloud.states() == {"i-c": "UP"}
    # Run again, the policy that is recorded of it deletes nothing else that is in that zone by then.
    [deed] = shell.session.deeds
    assert (deed.order.recorded, deed.order.step["nodeAction"]["filters"]) == (
        (),
        [{"property": {"name": "name", "value": "^(a|b)$"}}],
    )


async def test_a_driver_that_deletes_nothing_refuses(shell, cloud):
    """Before any name is asked for."""
    cloud.can = frozenset()
    assert await shell.do("delete a", "a") == 3
    assert (shell.questions, cloud.states()) == ([], ALL_UP)


async def test_a_recorded_policy_says_what_was_said(shell, cloud):
    """A zone is a zone in the policy; the nodes that it had on that day are not in it."""
    assert await shell.do("stop west-1 -y; cordon c -y") == 0
    stopped, cordoned = (deed.order for deed in shell.session.deeds)
    zone = {"property": {"name": "az", "value": "^west-1$"}}
    [step] = stopped.recorded
    assert step["nodeAction"]["matches"] == [zone]
    assert "filters" not in step["nodeAction"]
    assert cordoned.recorded == ()
    assert cordoned.step["nodeAction"]["matches"] == [{"property": {"name": "name", "value": "^c$"}}]


async def test_what_was_stopped_a_moment_ago_counts_for_guardrails(shell, cloud):
    """Until it is undone or started, and to the preview, too: the cluster has not missed it yet."""
    guarded = replace(shell.session.context.settings, guardrails=Guardrails(most_of_zone=0.5))
    shell.session.context = replace(shell.session.context, settings=guarded)
    assert await shell.do("stop a", "y") == 0
    shell.forget()
    assert await shell.do("stop b", "y") == 3
    assert "2 of 2 nodes of zone west-1 would be out of service" in shell.words
    assert shell.questions == []
    assert await shell.do("undo; stop b", "y") == 0
    assert cloud.states() == {**ALL_UP, "i-b": "DOWN"}
    assert await shell.do("start b; stop a", "y", "y") == 0
    assert cloud.states() == {**ALL_UP, "i-a": "DOWN"}


async def test_a_plan_writes_nothing(shell, control, local):
    """Of no command that can be planned: no object of the cluster, no machine, nothing on a machine."""
    local.link("touch")
    shell.shell.settings = replace(shell.shell.settings, assume_yes=True)
    await control.create_pods("web")
    await control.server.api.create(
        "deployments.apps", {"metadata": {"name": "web"}, "spec": _two_of("web")}, "default"
    )
    given = {
        "kill": "web", "evict": "web", "scale": "deployment/web 1", "clone": "web --latency 1s",
        "probe": "http://127.0.0.1:9/x --method delete", "taint": "a x=y:NoExecute", "drain": "a --force",
        **dict.fromkeys(("exec", "sudo", "kubectl", "etcdctl", "docker", "crictl"), "a touch written"),
    }  # fmt: skip
    revision = (await control.cluster.list(PODS)).resource_version
    for name, entry in COMMANDS.items():
        if entry.is_order:
            assert await shell.do(f"plan {name} {given.get(name, 'b')}") in {0, 3}, name
    assert (await control.cluster.list(PODS)).resource_version == revision
    assert (cloud_of(shell).states(), shell.session.deeds, shell.questions) == (ALL_UP, [], [])
    assert not (local.directory / "written").exists()


def cloud_of(shell):
    return shell.session.context.machines


def _two_of(name):
    container = {"name": "c", "image": "busybox", "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    return {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}


# Commands


async def test_what_a_command_wrote_is_shown_node_by_node(shell, local):
    """All lines of it; its words are joined by blanks, and the machine's shell reads them."""
    counting = "i=0; while [ $i -lt 12 ]; do i=$((i+1)); echo line $i; done"
    assert await shell.do(f"exec a,b '{counting}'", "y") == 0
    assert shell.questions == ["run 'i=0; while [ $i -lt 12 ]; do i=$((i+1)); echo line $i; done' on a, b? [y/N] "]
    assert shell.words.count("exit code 0") == 2
    lines = [line.strip() for line in shell.shown.splitlines()]
    assert [line for line in lines if line.startswith("line ")] == [f"line {number}" for number in range(1, 13)] * 2
    shell.forget()
    assert await shell.do("exec -y a echo 'a   b' c") == 0
    assert "a b c" in [line.strip() for line in shell.shown.splitlines()]


async def test_a_command_that_fails_anywhere_makes_it_fail(shell, local):
    """Exit code 1, with the node and its code; where it could not be carried there, 3."""
    assert await shell.do("exec west-1 'echo oh; exit 7' -y", "y") == 1
    assert "failed: the command ended with 7 on node a: oh" in shell.words
    local.refuses = "no way there"
    assert await shell.do("exec -y a true") == 3
    assert "no exit code: no way there" in shell.words


async def test_options_after_the_subset_belong_to_the_command(shell, local):
    """Ours stand before it: a -y, an -h or a --timeout of the command is the command's."""
    assert await shell.do("exec a ls -y", "n") == 3
    assert shell.questions == ["run 'ls -y' on a? [y/N] "]
    assert await shell.do("exec -y --timeout 5 a echo -h --help --timeout") == 0
    assert "-h --help --timeout" in shell.words
    assert "Usage" not in shell.shown


async def test_sudo_makes_a_command_roots_where_it_is_not(shell, local):
    """By sudo without a password; as root there is no need of one, as in containers that have none."""
    assert await shell.do("sudo -y a \"sh -c 'echo root: $AS_ROOT'\"") == 0
    assert "root: yes" in shell.words
    local.write("id", "#!/bin/sh\necho 0\n")
    local.write("sudo", "#!/bin/sh\nexit 1\n")
    shell.forget()
    assert await shell.do("sudo -y a echo I am root") == 0
    assert "I am root" in shell.words


async def test_all_of_a_command_line_is_roots(shell, local):
    """Not its first command alone: what comes after a semicolon, and what undoes it, too."""
    local.link("touch")
    say = 'echo "$AS_ROOT by $1" >> said'
    local.write("say", f"#!/bin/sh\n{say}\n")
    assert await shell.do("sudo -y --undo 'true; say undo' a 'true; say it'; undo") == 0
    assert (local.directory / "said").read_text() == "yes by it\nyes by undo\n"


@pytest.mark.parametrize(
    ("program", "as_root"), [("kubectl", ""), ("etcdctl", ""), ("docker", "yes"), ("crictl", "yes")]
)
async def test_programs_get_their_words_as_they_were_typed(shell, local, program, as_root):
    """Each word is one argument, whatever is in it; docker and crictl run as root."""
    local.write(program, '#!/bin/sh\nfor each in "$@"; do echo "<$each>"; done; echo "root: $AS_ROOT."\n')
    assert await shell.do(f"{program} -y a get 'two words' '$HOME' --all -o wide") == 0
    assert "<get> <two words> <$HOME> <--all> <-o> <wide>" in shell.words
    assert f"root: {as_root}." in shell.words


async def test_a_program_that_is_not_there_is_a_failure(shell, local):
    """Not found is 127 to a shell, and 1 to who asked."""
    assert await shell.do("crictl -y a ps") == 1
    assert "ended with 127 on node a" in shell.words


async def test_a_command_may_say_what_undoes_it(shell, local):
    """On the same machines, when it is taken back."""
    local.link("touch")
    local.link("rm")
    assert await shell.do("exec -y --undo 'rm -f broken' a touch broken") == 0
    assert (local.directory / "broken").exists()
    assert [deed.standing for deed in shell.session.deeds] == [Standing.STANDS]
    assert await shell.do("undo") == 0
    assert not (local.directory / "broken").exists()


async def test_a_command_that_is_stopped_is_not_called_undone(shell, local):
    """Nothing takes it back, and it may run on: neither what is shown nor the history says otherwise."""
    begun = asyncio.Event()

    async def run_on(_node, _command, **_how):
        begun.set()
        await asyncio.Event().wait()

    local.run = run_on
    doing = asyncio.create_task(shell.do("exec -y a sleep 1000"))
    await begun.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    await shell.shell.caught_up()
    [deed] = shell.session.deeds
    assert (deed.standing, deed.outcome.reasons) == (Standing.FOR_GOOD, ("stopped",))
    assert "a no exit code: interrupted; it may run on" in shell.words


async def test_what_a_command_wrote_stays_as_wide_as_it_is(shell, local):
    """A table is not folded, tabs are blanks, and nothing in it is acted on by the terminal."""
    wide = "NAME" + "  x" * 40
    local.write("table", f"#!/bin/sh\necho '{wide}'\nprintf 'a\\tb\\033[31m\\n'\n")
    assert await shell.do("exec -y a table") == 0
    lines = shell.shown.splitlines()
    assert wide in lines
    assert "a       b\\u001b[31m" in lines


async def test_an_undo_may_run_by_itself(shell, local):
    """By a timer on the machine, which needs to know what to run."""
    assert await shell.do("exec -y --expires-after 600 a touch broken") == 2
    assert "needs 'undo'" in shell.errors
    assert await shell.do("plan exec --undo 'rm -f broken' --expires-after 600 a touch broken") == 0
    assert "at clean-up or after 600 s: rm -f broken" in shell.words


async def test_a_command_needs_words(shell, local):
    """A SUBSET alone, or nothing, is a mistake."""
    for line in ("exec", "exec a", "sudo a", "exec -y", "kubectl"):
        assert await shell.do(line) == 2
    assert shell.session.deeds == []


async def test_a_command_for_nobody_is_refused(shell, local):
    """A word that means no node hits none."""
    assert await shell.do("exec -y nobody uname") == 2
    assert "is called 'nobody'" in shell.errors


async def test_an_executor_that_is_missing_is_said(shell, cloud):
    """With what would give one."""
    shell.session.context = replace(shell.session.context, executor=NoExecutor())
    assert await shell.do("exec -y a uname") == 3
    assert "--execution-mode" in shell.words + shell.errors
