import asyncio
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from seatrial.errors import StateError
from seatrial.runtime.liveness import HEARTBEAT_SECONDS, SILENCE_SECONDS, Liveness, Sighting, heartbeat
from seatrial.runtime.process_identity import ProcessIdentity, _began, this_process


def seen(process, *, ago=0.0, ended=False):
    beat = datetime.now(UTC) - timedelta(seconds=ago)
    return Sighting(process=process, heartbeat=beat.isoformat(timespec="milliseconds"), ended=ended)


ELSEWHERE = [
    pytest.param({"boot": "another boot"}, id="before a restart, or another host"),
    pytest.param({"namespace": "pid:[1]"}, id="another container of this host"),
]


def test_this_process_lives():
    """It is found by its pid and by when it began."""
    assert seen(this_process()).liveness is Liveness.ALIVE


def test_a_process_that_lives_is_alive_however_old_its_heartbeat():
    """It may have been stopped for an hour, and goes on when it is continued: what it changed is its own."""
    assert seen(this_process(), ago=3600).liveness is Liveness.ALIVE


def test_a_pid_that_was_given_to_another_process_is_dead():
    """The same number, but begun at another time."""
    assert seen(replace(this_process(), began=this_process().began - 1)).is_dead


def test_a_process_that_was_not_collected_is_dead():
    """A zombie undoes nothing any more."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = replace(this_process(), pid=child.pid, began=_began(child.pid))
        assert seen(identity).liveness is Liveness.ALIVE
        assert child.stdin
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert seen(identity).is_dead


def test_a_run_that_said_that_it_ended_is_dead_though_its_process_lives():
    """A program that runs policies one after another is not at work on the ones before."""
    assert seen(this_process(), ended=True).is_dead


@pytest.mark.parametrize("change", ELSEWHERE)
def test_where_we_can_t_look_the_heartbeat_speaks(change):
    """Recent: it may live. Silent for longer than it would be: it is dead."""
    process = replace(this_process(), **change)
    assert seen(process, ago=SILENCE_SECONDS - 5).liveness is Liveness.UNSEEN
    assert seen(process, ago=SILENCE_SECONDS + 5).is_dead


@pytest.mark.parametrize("change", ELSEWHERE)
def test_a_process_elsewhere_with_our_pid_is_not_us(change):
    """Containers that share a volume all have a process 1, and hosts may share a name."""
    assert not replace(this_process(), **change).is_visible


def test_a_heartbeat_leaves_room_for_some_that_are_late():
    """A busy disk or loop may delay a few without a run being taken for dead."""
    assert SILENCE_SECONDS >= 5 * HEARTBEAT_SECONDS


def test_what_is_seen_is_told_in_words():
    """With the process and the host, to look for it."""
    process = ProcessIdentity(host="box", boot="b", namespace="n", pid=7, began=1)
    assert "perhaps still at work: process 7 on box; last heard of at" in str(seen(process))
    assert str(seen(this_process())).startswith(f"still at work: process {os.getpid()} on ")


@pytest.mark.looptime
async def test_it_beats_while_the_block_runs():
    """Every few seconds, and not after its end."""
    beats = []

    async def beat():
        beats.append(asyncio.get_running_loop().time())

    async with heartbeat(beat):
        await asyncio.sleep(3 * HEARTBEAT_SECONDS + 1)
    await asyncio.sleep(60)
    assert len(beats) == 3


@pytest.mark.looptime
async def test_a_disk_that_fails_does_not_end_the_run_and_is_said_once(caplog):
    """The beats go on, for the disk may come back."""
    beats = 0

    async def beat():
        nonlocal beats
        beats += 1
        raise StateError("no space left")

    with caplog.at_level(logging.WARNING, logger="seatrial"):
        async with heartbeat(beat):
            await asyncio.sleep(4 * HEARTBEAT_SECONDS + 1)
    assert beats == 4
    assert [record.getMessage() for record in caplog.records] == [
        "no heartbeat: no space left; another host may take this run for dead"
    ]
