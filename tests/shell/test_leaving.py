"""However a shell ends, what was done in it is taken back, unless it was told to keep it."""

import asyncio
import re
import signal
import sqlite3

import psutil
import pytest

from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.process_identity import this_process
from seatrial.runtime.undo import Undo
from tests.cli.programs import seatrial
from tests.programs import Process

_LIMIT_SECONDS = 60


@pytest.fixture
async def nodes(control):
    """Nodes a and b; answers which of them are cordoned."""
    for name in "ab":
        await control.server.api.create("nodes", {"metadata": {"name": name}})

    async def cordoned():
        listed = await control.server.api.list("nodes", None)
        return "".join(each["metadata"]["name"] for each in listed.items if each["spec"].get("unschedulable"))

    return cordoned


@pytest.fixture
def known(control, tmp_path):
    """Where the program finds the cluster and its journal."""
    return ["--kubeconfig", str(control.directory / "kubeconfig"), "--state-dir", str(tmp_path / "state")]


@pytest.fixture
def start(tmp_path, known):
    """Starts a shell that takes lines from a pipe; what still runs at the end is killed."""
    started = []

    def begin(*arguments):
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        started.append(Process(["interactive", *known, *arguments], environ=environ))
        return started[-1]

    yield begin
    for each in started:
        each.__exit__()


async def until(read, wanted):
    """Return when what is read is as wanted."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while await read() != wanted:  # noqa: ASYNC110 -- the API server is asked
            await asyncio.sleep(0.02)


async def both_cordoned(shell, nodes):
    """Do two things, and wait until they are done."""
    type_(shell, "cordon a --yes; cordon b --yes")
    await until(nodes, "ab")
    type_(shell, "history -o json")
    lines = []
    while "]" not in lines:
        lines.append((await asyncio.to_thread(shell.stdout.readline)).rstrip())
        assert lines[-1] or shell.poll() is None


def type_(shell, line):
    """Type a line."""
    shell.stdin.write(f"{line}\n")
    shell.stdin.flush()


async def said(shell):
    """All that it still says, and its exit code."""
    output, errors = await asyncio.to_thread(shell.communicate, "", _LIMIT_SECONDS)
    return output, errors, shell.returncode


def guardians(tmp_path):
    """The processes that watch over sessions of this test."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if "seatrial.by_hand.guardian_process" in command and str(tmp_path / "state") in command:
            found.append(process)
    return found


@pytest.mark.parametrize("way", ["exit", "end of input", signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_what_was_done_is_taken_back(start, nodes, tmp_path, way):
    """By who leaves and by who is told to stop; then nobody has to watch over it any more."""
    shell = start()
    await both_cordoned(shell, nodes)
    [guardian] = guardians(tmp_path)
    if way == "exit":
        type_(shell, "exit")
    elif way != "end of input":
        shell.send_signal(way)
    output, errors, code = await said(shell)
    assert (await nodes(), code) == ("", 0 if isinstance(way, str) else 130)
    assert output.index("uncordon node b") < output.index("uncordon node a"), errors
    assert not guardian.is_running()
    assert not (tmp_path / "state" / "guardian.log").exists()


async def test_what_a_killed_shell_did_is_taken_back_at_once(start, nodes, known, tmp_path):
    """Without another Seatrial: the guardian does it, tells its log, and leaves nothing to recover."""
    shell = start()
    await both_cordoned(shell, nodes)
    [guardian] = guardians(tmp_path)
    shell.kill()
    await until(nodes, "")
    await asyncio.to_thread(psutil.wait_procs, [guardian], _LIMIT_SECONDS)
    assert "all undone: 2" in (tmp_path / "state" / "guardian.log").read_text()
    done = await seatrial("recover", "--list", *known)
    assert "no run in this journal left anything behind" in done.output


async def test_the_guardian_and_another_seatrial_keep_out_of_each_others_way(start, nodes, known, tmp_path):
    """Whoever claims the run undoes it, the other leaves it alone or finds nothing left; nothing fails."""
    shell = start()
    await both_cordoned(shell, nodes)
    watching = guardians(tmp_path)
    shell.kill()
    _, errors, code = await said(start("-c", "nodes"))
    assert (code, errors) == (0, "")
    await asyncio.to_thread(psutil.wait_procs, watching, _LIMIT_SECONDS)
    assert await nodes() == ""
    assert "NOT undone" not in (tmp_path / "state" / "guardian.log").read_text()
    assert "no run in this journal left anything" in (await seatrial("recover", "--list", *known)).output


_POLICY = """
config: {runStrategy: {runs: 1}}
scenarios:
  - name: cordon and wait
    steps:
      - nodeAction:
          matches: [{property: {name: name, value: b}}]
          actions: [{cordon: {}}]
      - wait: {seconds: 3600}
"""


async def test_a_policy_that_a_killed_shell_was_running_is_cleaned_up_too(start, nodes, tmp_path):
    """It is a run of its own beside the session, and somebody watches over each."""
    policy = tmp_path / "policy.yml"
    policy.write_text(_POLICY)
    shell = start()
    type_(shell, "cordon a --yes")
    await until(nodes, "a")
    type_(shell, f"run {policy} --yes")
    await until(nodes, "ab")
    watching = guardians(tmp_path)
    assert len(watching) == 2
    shell.kill()
    await until(nodes, "")
    await asyncio.to_thread(psutil.wait_procs, watching, _LIMIT_SECONDS)


async def test_nobody_watches_over_a_session_that_changes_nothing(start, nodes, tmp_path):
    """The guardian comes with the first change, and not before."""
    shell = start()
    type_(shell, "nodes -o json")
    while "]" not in await asyncio.to_thread(shell.stdout.readline):
        assert shell.poll() is None
    assert guardians(tmp_path) == []


async def test_what_is_kept_stays_and_can_be_taken_back(start, nodes, known):
    """The shell says how; the next run leaves it alone, `recover --list` knows it, `recover --run` takes it back."""
    shell = start()
    await both_cordoned(shell, nodes)
    type_(shell, "exit --keep")
    output, errors, code = await said(shell)
    assert (code, errors, await nodes()) == (0, "", "ab")
    [run] = re.findall(r"2 changes; take back: seatrial recover --run (\w+)", output)
    nothing = start("-c", "nodes")
    assert (await said(nothing))[2] == 0
    assert await nodes() == "ab"
    assert "kept on purpose" in (await seatrial("recover", "--list", *known)).output
    done = await seatrial("recover", "--run", run, *known)
    assert (done.code, await nodes()) == (0, "")


async def test_a_session_that_was_told_to_keep_from_the_start_keeps_also_when_it_is_killed(
    start, nodes, known, tmp_path
):
    """`--keep` means what was done, however the shell ends; nobody watches over it."""
    shell = start("--keep")
    await both_cordoned(shell, nodes)
    assert guardians(tmp_path) == []
    shell.kill()
    shell.wait(_LIMIT_SECONDS)
    done = await seatrial("recover", *known)
    assert (done.code, await nodes()) == (0, "ab")
    [run] = re.findall(r"seatrial recover --run (\w+)", done.output)
    assert (await seatrial("recover", "--run", run, *known)).code == 0
    assert await nodes() == ""


async def test_keeping_with_nothing_done_says_nothing(start):
    """There is nothing to take back."""
    shell = start("-c", "exit --keep")
    assert await said(shell) == ("", "", 0)


async def test_what_can_t_be_taken_back_is_exit_code_4(control, start, nodes, known):
    """It is said what is left, and what takes it back when the reason is gone."""
    api, group = control.server.api, {"apiGroup": "rbac.authorization.k8s.io"}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    await api.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "all"}, "rules": rules})
    plural = "clusterrolebindings.rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {**group, "kind": "ClusterRole", "name": "all"},
        "subjects": [{**group, "kind": "User", "name": "jane"}],
    }
    await api.create(plural, binding)
    await (await control.connect_as("jane")).close()
    shell = start("--kubeconfig", str(control.directory / "jane.kubeconfig"))
    await both_cordoned(shell, nodes)
    await api.delete(plural, "jane")
    type_(shell, "exit")
    output, errors, code = await said(shell)
    assert (code, await nodes()) == (4, "ab")
    assert "NOT undone" in output
    assert "error: clean-up is incomplete: uncordon node b: " in errors
    assert "hint: when the reason is gone: seatrial recover" in errors
    await api.create(plural, binding)
    assert (await seatrial("recover", *known)).code == 0
    assert await nodes() == ""


async def test_what_an_earlier_run_left_and_can_t_be_undone_is_exit_code_4(control, start, tmp_path):
    """As after a run of a policy: somebody has to act on it."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    journal = await Journal.open(state)
    kubeconfig = str(control.directory / "kubeconfig")
    server = control.cluster.server
    await journal.begin(RunEntry(id="died", policy="p", seed="1", server=server, kubeconfig=kubeconfig))
    await journal.write("died", Undo(kind="of a plugin", description="mend it", manual="mend"))
    await journal.close()
    with sqlite3.connect(state / "journal.sqlite3") as connection:
        connection.execute("UPDATE run SET pid_started = ?", (this_process().began - 60,))
    connection.close()
    _, errors, code = await said(start("-c", "nodes"))
    assert code == 4
    assert "clean-up is incomplete: mend it: don't know how to undo 'of a plugin'" in errors


async def test_nothing_of_a_sandbox_is_kept(shell, tmp_path):
    """It is gone with its shell: whoever asks to keep something is told so, before it is too late."""
    shell.session.is_disposable = True
    assert await shell.do("exit --keep") == 2
    assert "it goes with the shell" in shell.errors
    assert not shell.shell.is_leaving
    done = await seatrial("interactive", "--sandbox", "--keep", "--state-dir", tmp_path / "state", "-c", "exit")
    assert (done.code, done.output) == (2, "")
    assert "--sandbox goes without --keep" in done.errors


@pytest.mark.parametrize("name", ["exit", "quit"])
async def test_both_names_leave(shell, name):
    """`exit`, as in PowerfulSeal, and what else fingers know."""
    assert await shell.do(name) == 0
    assert shell.shell.is_leaving
