import asyncio
import os
import signal
import sqlite3
import threading

import pytest
from msgspec.structs import replace

from seatrial.cli.session import SessionOptions, _absolute, own_identity, run_session
from seatrial.engine.halt_mark import set_mark
from seatrial.errors import Interrupted
from seatrial.runtime.context import Identity
from seatrial.runtime.events import (
    Preparing,
    RunFinished,
    RunHalted,
    RunStarted,
    ScenarioFinished,
    StepFinished,
    StepStarted,
    StopRequested,
    UndoDone,
    UndoFailed,
)
from seatrial.runtime.halt import HaltMark
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.process_identity import this_process
from seatrial.runtime.undo import Undo
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model


def policy(seconds=0, **config):
    config.setdefault("runStrategy", {"runs": 1})
    scenario = {"name": "waits", "steps": [{"wait": {"seconds": seconds}}]}
    return policy_model().model_validate({"config": config, "scenarios": [scenario]})


class Heard:
    """A listener that keeps every event, and sends this process a signal when it hears a kind of event."""

    def __init__(self, *, signal_at=None):
        self.events = []
        self._signal_at = signal_at

    def __call__(self, record):
        self.events.append(record.event)
        if self._signal_at is not None and self._signal_at(record.event):
            os.kill(os.getpid(), signal.SIGINT)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def options(control):
    """A run on the API server of this process, with a state directory of its own."""
    return SessionOptions(
        policy=policy(),
        policy_name="p.yml",
        kubeconfig=control.directory / "kubeconfig",
        state_directory=control.directory / "state",
    )


async def leave_behind(options, server):
    """Writes down an earlier run on that server whose process is gone, with an undo that nobody knows how to do."""
    options.state_directory.mkdir()
    journal = await Journal.open(options.state_directory)
    await journal.begin(RunEntry(id="old", policy="p", seed="1", server=server, kubeconfig=str(options.kubeconfig)))
    await journal.write("old", Undo(kind="lost", description="find the thing", manual="look for it"))
    await journal.close()
    with sqlite3.connect(journal.path) as connection:
        connection.execute("UPDATE run SET pid_started = ?", (this_process().began - 3600,))
    connection.close()


async def test_a_run_begins_runs_and_ends(options):
    """The listeners hear who runs what, where and with which seed, and how it ended; the journal has it too."""
    heard = Heard()
    result = await run_session(replace(options, seed=7), [heard])
    assert (result.verdict, result.exit_code) == (Verdict.PASSED, 0)
    [started] = heard.of(RunStarted)
    assert (started.policy, started.seed, started.rounds) == ("p.yml", "7", 1)
    assert isinstance(heard.events[-1], RunFinished)
    with sqlite3.connect(options.state_directory / "journal.sqlite3") as connection:
        assert connection.execute("SELECT id, verdict FROM run").fetchall() == [(started.run_id, "passed")]
    connection.close()


@pytest.mark.parametrize(
    ("flag", "written", "seed"), [(8, 7, "8"), (None, 7, "7"), (None, "seven", "seven"), (0, 7, "0")]
)
async def test_the_seed_of_the_flag_wins_over_the_policys(options, flag, written, seed):
    """The flag, also where it is 0, then the policy."""
    heard = Heard()
    await run_session(replace(options, policy=policy(seed=written), seed=flag), [heard])
    assert heard.of(RunStarted)[0].seed == seed


async def test_a_run_that_is_interrupted_is_inconclusive(options):
    """Ctrl-C in the middle of a step: the exit code says it was interrupted, the verdict that nothing was shown."""
    heard = Heard(signal_at=lambda event: isinstance(event, StepStarted))
    result = await run_session(replace(options, policy=policy(600)), [heard])
    assert (result.verdict, result.exit_code, result.interrupted) == (Verdict.INCONCLUSIVE, 130, True)
    assert result.reasons == ("stopped by SIGINT in round 1",)
    assert heard.of(StopRequested) == [StopRequested(reason="SIGINT", hurry=False)]
    assert [event.verdict for event in heard.of(ScenarioFinished)] == [Verdict.INCONCLUSIVE]


async def test_before_the_run_begins_an_interrupt_ends_it_at_once(options):
    """Ctrl-C while the sandbox starts: nothing ran, and that is what is said; nothing is left of it."""
    heard = Heard(signal_at=lambda event: event == Preparing(what="starting a sandbox"))
    with pytest.raises(Interrupted, match="stopped before the run began"):
        await run_session(replace(options, kubeconfig=None, sandbox=True), [heard])
    assert heard.of(RunStarted) == []
    assert list(options.state_directory.glob("sandboxes/*")) == []


async def test_an_interrupt_while_the_sandbox_goes_down_keeps_the_result(options):
    """The run is over and has passed: Ctrl-C during what comes after it changes nothing, and nothing is left."""
    heard = Heard(signal_at=lambda event: event == Preparing(what="taking the sandbox down"))
    result = await run_session(replace(options, kubeconfig=None, sandbox=True), [heard])
    assert (result.verdict, result.exit_code) == (Verdict.PASSED, 0)
    assert len(heard.of(StopRequested)) == 1
    assert list(options.state_directory.glob("sandboxes/*")) == []


async def test_what_an_earlier_run_left_on_this_cluster_makes_clean_up_incomplete(options, control):
    """A recovery that fails here: somebody has to act, so the exit code is 4 though the run passed its steps."""
    await leave_behind(options, control.cluster.server)
    heard = Heard()
    result = await run_session(options, [heard])
    assert result.exit_code == 4
    assert result.undo_failures == ("find the thing: don't know how to undo 'lost'",)
    assert [event.manual for event in heard.of(UndoFailed)] == ["look for it"]


async def test_what_an_earlier_run_left_on_another_cluster_is_only_said(options):
    """The run's own cluster is clean: exit code 0, and what is left elsewhere is told with what to do."""
    await leave_behind(options, "https://elsewhere:6443")
    heard = Heard()
    result = await run_session(options, [heard])
    assert (result.exit_code, result.undo_failures) == (0, ())
    [event] = heard.of(UndoFailed)
    assert (event.description, event.manual) == ("find the thing", "look for it")
    assert "instead" in event.error


async def test_what_is_loaded_and_not_ready_in_time_ends_the_run(options, control):
    """The reason names it, the hint says what to do, no scenario runs, and what was there before is put back."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await control.server.api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")
    loaded = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {**spec, "replicas": 3},
    }  # fmt: skip
    heard = Heard()
    given = replace(options, manifests=(loaded,), load_timeout_seconds=0.05)
    result = await run_session(given, [heard])
    assert result.exit_code == 3
    assert result.reasons[0].startswith("not ready within 0.05 s: Deployment web (look at its pods")
    assert heard.of(StepStarted) == []
    after = await control.server.api.get("deployments.apps", "web", "default")
    assert after["spec"]["replicas"] == 1
    assert "labels" not in after["metadata"]


async def test_a_listener_that_stands_still_does_not_hold_the_run_up(options):
    """The run goes on to its end while one listener hangs on its first event; the others hear everything."""
    release, heard = threading.Event(), Heard(signal_at=None)

    def hangs(record):
        release.wait(60)

    class Releases(Heard):
        def __call__(self, record):
            super().__call__(record)
            if isinstance(record.event, RunFinished):
                release.set()

    releases = Releases()
    result = await run_session(options, [hangs, heard, releases])
    assert result.exit_code == 0
    assert heard.events == releases.events


def test_where_it_runs_is_what_the_downward_api_says(monkeypatch):
    """POD_NAME, POD_NAMESPACE and HOST_IP; outside of a cluster nothing."""
    for name in ("POD_NAME", "POD_NAMESPACE", "HOST_IP"):
        monkeypatch.delenv(name, raising=False)
    assert own_identity() == Identity()
    for name in ("POD_NAME", "POD_NAMESPACE", "HOST_IP"):
        monkeypatch.setenv(name, name.lower())
    assert own_identity() == Identity(pod_name="pod_name", pod_namespace="pod_namespace", host_ip="host_ip")


def test_a_list_of_kubeconfigs_means_the_same_from_another_directory(monkeypatch, tmp_path):
    """The journal has absolute paths, each for itself; nothing stays nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/jane")
    assert _absolute("a:/b::~/c") == f"{tmp_path}/a:/b:/home/jane/c"
    assert _absolute("") == ""


MARK = HaltMark(by="jane@desk", since="2030-01-01T12:00:00+00:00", reason="incident 4711")


async def test_a_halt_ends_a_run_in_the_middle_of_a_step(options, control):
    """The step ends, clean-up runs, the verdict is inconclusive and says who halted it and why: exit code 3."""
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    class Announces(Heard):
        def __call__(self, record):
            super().__call__(record)
            if isinstance(record.event, StepStarted):
                loop.call_soon_threadsafe(begun.set)

    heard = Announces()
    loaded = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": {}}
    task = asyncio.create_task(run_session(replace(options, policy=policy(600), manifests=(loaded,)), [heard]))
    await begun.wait()
    assert await control.server.api.get("configmaps", "made", "default")
    await set_mark(control.cluster, MARK, namespace="default")
    await let_go(control, "made")
    result = await task
    assert (result.verdict, result.exit_code, result.interrupted) == (Verdict.INCONCLUSIVE, 3, False)
    assert result.reasons == (f"{MARK} (in round 1)",)
    assert heard.of(RunHalted) == [RunHalted(by=MARK.by, since=MARK.since, reason=MARK.reason)]
    assert len(heard.of(UndoDone)) == 1


async def let_go(control, name):
    """Does what the garbage collector does for an object that is deleted in the foreground."""
    listed = await control.server.api.list("configmaps", "default")
    async for event in control.server.api.watch("configmaps", "default", resource_version=listed.resource_version):
        if event.object["metadata"]["name"] == name and event.object["metadata"].get("deletionTimestamp"):
            await control.server.api.patch("configmaps", name, "default", {"metadata": {"finalizers": None}})
            return


async def test_while_experiments_are_halted_none_begins(options, control):
    """No step runs; that is no interruption of this run, but no verdict on the system either."""
    await set_mark(control.cluster, MARK, namespace="default")
    heard = Heard()
    result = await run_session(options, [heard])
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert heard.of(StepFinished) == []
    assert str(MARK) in result.reasons[0]


async def test_the_mark_is_looked_for_where_the_command_line_says(options, control):
    """`--halt-namespace`: another namespace's mark is nobody's business."""
    await set_mark(control.cluster, MARK, namespace="default")
    result = await run_session(replace(options, halt_namespace="kube-system"), [])
    assert result.exit_code == 0
