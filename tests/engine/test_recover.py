import asyncio
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from seatrial.engine.recover import recover
from seatrial.errors import ClusterError
from seatrial.runtime.events import UndoDone, UndoFailed
from seatrial.runtime.journal import Journal, RunEntry


class Cluster:
    """A client as far as recovery knows one: where it leads to, and that it is closed."""

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
    rewrite(directory, pid_started=psutil.Process().create_time() - 3600)


async def recovered(bench, *, here="here", hurry=None):
    """What recovery could not undo on the cluster `here`, where every run can be reached."""

    async def connect(run):
        return Cluster(run.server)

    context = replace(bench.context, cluster=Cluster(here))
    return await recover(context.journal.journal, context, connect, hurry=hurry or asyncio.Event())


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


async def test_a_run_whose_process_is_a_zombie_is_dead(bench, left_behind, tmp_path):
    """A process that ended and that its parent has not collected yet undoes nothing any more."""
    await left_behind("a")
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        rewrite(tmp_path, pid=child.pid, pid_started=psutil.Process(child.pid).create_time())
        assert await recovered(bench) == []
    assert bench.undone == ["a"]


async def test_a_run_of_another_host_is_left_alone(bench, left_behind, tmp_path):
    """Whether a process of another machine lives can't be seen from here."""
    await left_behind("a")
    die(tmp_path)
    rewrite(tmp_path, host="elsewhere")
    await recovered(bench)
    assert bench.undone == []


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

    context = replace(bench.context, cluster=Cluster("here"))
    failures = await recover(context.journal.journal, context, connect, hurry=asyncio.Event())
    told = f"run earlier left changes on {server}, which can't be reached: no route to host"
    assert failures == ([told] if is_here else [])
    await bench.context.events.close()
    assert [event.manual for event in bench.events(UndoFailed)] == ["forget b by hand", "forget a by hand"]
    assert len(await context.journal.journal.open_undos("earlier")) == 2


async def test_one_run_that_can_t_be_recovered_does_not_hide_the_others(bench, left_behind, tmp_path):
    """Every dead run gets its clean-up, whatever becomes of those before."""
    await left_behind("a", run="first")
    await left_behind("b", run="second")
    die(tmp_path)
    bench.undo_errors["b"] = ClusterError("refused")
    assert await recovered(bench) == ["forget b: refused"]
    assert bench.undone == ["a"]
