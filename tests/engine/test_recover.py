import asyncio
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from seatrial.engine.recover import Recovery
from seatrial.errors import ClusterError
from seatrial.runtime.events import EarlierRunFound, UndoDone, UndoFailed
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.liveness import SILENCE_SECONDS
from seatrial.runtime.process_identity import this_process
from seatrial.runtime.undo import UndoKind
from seatrial.runtime.world import World


class Cluster:
    """A client as far as recovery knows one: where it leads to, and that it is closed after use."""

    def __init__(self, server):
        self.server = server

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        return None


@pytest.fixture
async def left_behind(bench, tmp_path):
    """Writes down a run of this process with an undo for each name, and lets another journal look at it."""
    earlier = await Journal.open(tmp_path)

    async def write(*names, run="earlier", server="here"):
        await earlier.begin(RunEntry(id=run, policy="p", seed="1", server=server))
        for name in names:
            await earlier.write(run, bench.undo(name))

    yield write
    await earlier.close()


def rewrite(directory, **columns):
    """Changes what the journal says of the earlier runs' process."""
    words = ", ".join(f"{name} = ?" for name in columns)
    with sqlite3.connect(directory / "journal.sqlite3") as connection:
        connection.execute(f"UPDATE run SET {words} WHERE id <> 'run-1'", tuple(columns.values()))  # noqa: S608 -- the test's own columns
    connection.close()


def die(directory):
    """Lets the earlier runs' process have been another one with the same pid."""
    rewrite(directory, pid_started=this_process().began - 3600)


def heard(*, seconds_ago=0):
    """A heartbeat."""
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(timespec="milliseconds")


@pytest.fixture
def undoing_waits(monkeypatch):
    """Undos that say when they have begun, and wait until they are let go on."""

    @dataclass
    class Waits:
        begun: asyncio.Event = field(default_factory=asyncio.Event)
        go_on: asyncio.Event = field(default_factory=asyncio.Event)
        done: list[str] = field(default_factory=list)

    waits = Waits()

    async def run(args, world):
        waits.begun.set()
        await waits.go_on.wait()
        waits.done.append(args["name"])
        return ""

    monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: {"forget": UndoKind(kind="forget", run=run)})
    return waits


def recovery(bench, connect, *, hurry=None):
    context = bench.context
    return Recovery(
        journal=context.journal.journal,
        events=context.events,
        clock=bench.clock,
        connect=connect,
        hurry=hurry or asyncio.Event(),
    )


async def recovered(bench, *, here="here", hurry=None):
    """What recovery could not undo on the cluster `here`, where every run can be reached."""

    async def connect(run):
        return World(cluster=Cluster(run.server))

    return await recovery(bench, connect, hurry=hurry).at_start(server=here)


class Way:
    """A way to machines, as far as recovery knows one."""

    closed = False

    async def close(self):
        self.closed = True


async def test_what_was_kept_on_purpose_stays(bench, left_behind, tmp_path):
    """No start undoes it; who asks for that very run has it undone."""
    await left_behind("a")
    die(tmp_path)
    journal = bench.context.journal.journal
    await journal.keep("earlier")
    assert (await recovered(bench), bench.undone) == ([], [])

    async def connect(run):
        return World(cluster=Cluster(run.server))

    [run] = [each for each in await journal.runs() if each.entry.id == "earlier"]
    await recovery(bench, connect).finish(run)
    assert bench.undone == ["a"]


async def test_the_ways_to_machines_are_let_go_of(bench, left_behind, tmp_path):
    """What recovery opened to reach another run's machines does not stay open."""
    await left_behind("a")
    die(tmp_path)
    ways = Way(), Way()

    async def connect(run):
        return World(cluster=Cluster(run.server), machines=ways[0], executor=ways[1])

    await recovery(bench, connect).at_start(server="here")
    assert bench.undone == ["a"]
    assert [way.closed for way in ways] == [True, True]


async def test_a_run_that_lives_is_left_alone(bench, left_behind):
    """The process that wrote the undo still runs: what it did is its own to take back."""
    await left_behind("a")
    assert await recovered(bench) == []
    assert bench.undone == []


async def test_a_run_whose_pid_was_given_to_another_process_is_dead(bench, left_behind, tmp_path):
    """A process with the run's pid that began at another time is somebody else: the clean-up is finished."""
    await left_behind("a", "b")
    die(tmp_path)
    assert await recovered(bench) == []
    assert bench.undone == ["b", "a"]
    await bench.context.events.close()
    assert len(bench.events(UndoDone)) == 2


@pytest.mark.parametrize("elsewhere", [{"boot": "another"}, {"pid_namespace": "pid:[1]"}])
async def test_a_run_elsewhere_that_beats_is_left_alone(bench, left_behind, tmp_path, elsewhere):
    """On another host, or in another container with the same volume: its heart is watched until it beats."""
    await left_behind("a")
    rewrite(tmp_path, heartbeat=heard(), **elsewhere)
    looked = []

    async def sleep(seconds):
        looked.append(seconds)
        bench.clock._elapsed += seconds
        if len(looked) == 5:
            rewrite(tmp_path, heartbeat=heard())

    bench.clock.sleep = sleep
    assert await recovered(bench) == []
    assert (bench.undone, len(looked)) == ([], 5)
    await bench.context.events.close()
    [found] = bench.events(EarlierRunFound)
    assert found.note.startswith("perhaps still at work: process")


@pytest.mark.parametrize("ago", [0, -3600, 3600])
async def test_a_run_elsewhere_that_beats_no_more_is_dead(bench, left_behind, tmp_path, ago):
    """Its heartbeat stands still for as long as we look, whatever the other host's clock says."""
    await left_behind("a")
    rewrite(tmp_path, boot="another", heartbeat=heard(seconds_ago=ago))
    assert await recovered(bench) == []
    assert bench.undone == ["a"]
    assert sum(bench.clock.slept) == (0 if ago > 0 else SILENCE_SECONDS)


async def test_a_run_that_undoes_its_changes_while_we_look_is_left_alone(bench, left_behind, tmp_path):
    """It was alive, and has ended cleanly: there is nothing to do."""
    await left_behind("a")
    rewrite(tmp_path, boot="another", heartbeat=heard())

    async def sleep(seconds):
        await bench.context.journal.journal.forget("earlier")
        rewrite(tmp_path, finished=heard())

    bench.clock.sleep = sleep
    assert await recovered(bench) == []
    assert bench.undone == []


async def test_a_run_that_ended_with_its_clean_up_incomplete_is_tried_again(bench, left_behind, tmp_path):
    """Also while its process goes on with something else."""
    await left_behind("a")
    rewrite(tmp_path, finished=heard())
    assert await recovered(bench) == []
    assert bench.undone == ["a"]


async def test_of_two_recoveries_at_once_one_does_it(bench, left_behind, tmp_path, undoing_waits):
    """The other is told who, and undoes nothing."""
    await left_behind("a")
    die(tmp_path)
    first = asyncio.create_task(recovered(bench))
    await undoing_waits.begun.wait()
    assert await recovered(bench) == []
    undoing_waits.go_on.set()
    assert await first == []
    assert undoing_waits.done == ["a"]
    await bench.context.events.close()
    assert [event.note for event in bench.events(EarlierRunFound)] == ["", "another process is undoing them"]


async def test_a_recovery_that_is_cancelled_gives_the_run_back(bench, left_behind, tmp_path, undoing_waits):
    """Ctrl-C while an earlier run's changes are undone: the next start finds them again, at once."""
    await left_behind("a")
    die(tmp_path)
    first = asyncio.create_task(recovered(bench))
    await undoing_waits.begun.wait()
    first.cancel()
    await asyncio.wait({first})
    undoing_waits.go_on.set()
    assert await recovered(bench) == []
    assert undoing_waits.done == ["a"]


async def test_what_was_left_in_a_sandbox_of_its_own_is_gone(bench, left_behind, tmp_path):
    """An embedded cluster goes with its run: nothing is asked of it, nothing is told."""
    await left_behind("a")
    rewrite(tmp_path, disposable=1)
    die(tmp_path)
    assert await recovered(bench) == []
    assert bench.undone == []
    assert await bench.context.journal.journal.open_undos("earlier") == []
    await bench.context.events.close()
    assert bench.events(EarlierRunFound) == []


async def test_what_was_recovered_is_not_recovered_again(bench, left_behind, tmp_path):
    """A second recovery finds nothing left to do."""
    await left_behind("a")
    die(tmp_path)
    await recovered(bench)
    await recovered(bench)
    assert bench.undone == ["a"]


async def test_what_fails_on_this_cluster_is_handed_back_and_tried_the_next_time(bench, left_behind, tmp_path):
    """An undo that fails here makes this run's clean-up incomplete, and stays open."""
    await left_behind("a", "b")
    die(tmp_path)
    bench.undo_errors["b"] = ClusterError("refused")
    assert await recovered(bench) == ["forget b: refused"]
    bench.undo_errors.clear()
    assert await recovered(bench) == []
    assert bench.undone == ["a", "b"]


async def test_what_fails_on_another_cluster_is_only_told(bench, left_behind, tmp_path):
    """What was left elsewhere is no business of a run that works here: it is told, and stays open."""
    await left_behind("a", server="there")
    die(tmp_path)
    bench.undo_errors["a"] = ClusterError("refused")
    assert await recovered(bench, here="here") == []
    await bench.context.events.close()
    assert [(event.error, event.manual) for event in bench.events(UndoFailed)] == [("refused", "forget a by hand")]
    assert len(await bench.context.journal.journal.open_undos("earlier")) == 1


@pytest.mark.parametrize(("server", "is_here"), [("here", True), ("there", False)])
async def test_a_cluster_that_can_t_be_reached_is_told_for_each_change(bench, left_behind, tmp_path, server, is_here):
    """Without a way to the cluster each undo is told with the way to do it by hand, and none is lost."""
    await left_behind("a", "b", server=server)
    die(tmp_path)

    async def connect(run):
        raise ClusterError("no route to host")

    failures = await recovery(bench, connect).at_start(server="here")
    told = f"run earlier left changes on {server}, which can't be reached: no route to host"
    assert failures == ([told] if is_here else [])
    await bench.context.events.close()
    assert [event.manual for event in bench.events(UndoFailed)] == ["forget b by hand", "forget a by hand"]
    assert len(await bench.context.journal.journal.open_undos("earlier")) == 2


async def test_one_run_that_can_t_be_recovered_does_not_hide_the_others(bench, left_behind, tmp_path):
    """Every dead run gets its clean-up, whatever becomes of those before."""
    await left_behind("a", run="first")
    await left_behind("b", run="second")
    die(tmp_path)
    bench.undo_errors["b"] = ClusterError("refused")
    assert await recovered(bench) == ["forget b: refused"]
    assert bench.undone == ["a"]
