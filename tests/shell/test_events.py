"""`events`: what components tell, newest last, what is told again counted."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from tests.by_hand.live.conftest import until
from tests.shell.rows import documented_keys
from tests.shell.test_watch import stopped

BACK_OFF = "Back-off restarting failed container"


@pytest.fixture
def tell(control):
    """Has a component tell something of a pod."""

    async def told(name, *, at="2026-01-02T03:04:05Z", namespace="default", **more):
        event = {
            "metadata": {"name": name},
            "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "web-1"},
            "type": "Normal", "reason": "Started", "message": "Container started", "count": 1,
            "firstTimestamp": at, "lastTimestamp": at, "source": {"component": "kubelet"},
        }  # fmt: skip
        await control.server.api.create("events", {**event, **more}, namespace)

    return told


async def test_the_newest_stands_last(shell, tell):
    """Whatever they are called."""
    await tell("a", at="2026-01-02T05:00:00Z", reason="Killing", message="Stopping container")
    await tell("b", at="2026-01-02T04:00:00Z")
    assert await shell.do("events") == 0
    assert [line.split()[2] for line in shell.shown.splitlines()[1:]] == ["Started", "Killing"]
    assert "pod default/web-1" in shell.shown


async def test_what_is_told_again_is_one_line_that_counts(shell, tell):
    """Within one Event, and over several that say the same."""
    warning = {"type": "Warning", "reason": "BackOff", "message": BACK_OFF}
    await tell("a", **warning, count=4)
    await tell("b", **warning, at="2026-01-02T06:00:00Z")
    await tell("c", **{**warning, "message": "another"})
    assert await shell.do("events -o json") == 0
    rows = json.loads(shell.shown)
    assert list(rows[0]) == documented_keys("events")
    assert [(row["message"], row["times"]) for row in rows] == [("another", 1), (BACK_OFF, 5)]
    assert (rows[1]["first"], rows[1]["last"]) == ("2026-01-02T03:04:05Z", "2026-01-02T06:00:00Z")
    shell.forget()
    await shell.do("events")
    assert "5x" in shell.shown


async def test_warnings_alone_can_be_asked_for(shell, tell):
    """Then those that are none are left out; where there are none, that is said."""
    await tell("a")
    assert await shell.do("events --warnings") == 0
    assert "no warnings in namespace default" in shell.shown
    await tell("b", type="Warning", reason="BackOff", message=BACK_OFF)
    await until(lambda: shell.shell.live.events.get("default", "b") is not None)
    shell.forget()
    assert await shell.do("events -w") == 0
    assert "BackOff" in shell.shown
    assert "Started" not in shell.shown


async def test_those_of_another_namespace_or_of_all_can_be_asked_for(shell, control, tell):
    """As with pods."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await tell("a", namespace="shop")
    await tell("b", reason="Pulled", message="Container image pulled")
    assert await shell.do("events shop") == 0
    assert ("shop/web-1" in shell.shown, "Pulled" in shell.shown) == (True, False)
    assert await shell.do("events --all") == 0
    assert "Pulled" in shell.shown


async def test_what_is_told_from_here_on_follows(shell, tell):
    """The list first, then a line for each that comes, until Ctrl-C; those that are not wanted stay out."""
    await tell("a", type="Warning", reason="Unhealthy", message="Readiness probe failed")
    following = asyncio.create_task(shell.do("events --warnings -f"))
    await until(lambda: "Unhealthy" in shell.shown)
    await tell("b")
    await tell("c", type="Warning", reason="BackOff", message=BACK_OFF)
    await until(lambda: f"pod default/web-1: BackOff: {BACK_OFF}" in shell.shown)
    assert "Started" not in shell.shown
    assert shell.shown.count("Unhealthy") == 1
    await stopped(following)


async def test_following_may_end_by_itself(shell, tell):
    """After `--for` seconds, for which it has to follow; for programs it is lines of JSON."""
    assert await shell.do("events --for 1") == 2
    await tell("a")
    assert await shell.do("events -f --for 0.1 -o json") == 0
    assert [json.loads(line)["reason"] for line in shell.shown.splitlines()] == ["Started"]


async def test_a_column_that_is_none_leaves_nothing_behind(shell, tell):
    """What could not begin is not followed."""
    await tell("a")
    assert await shell.do("events -f --sort nonsense") == 2
    await tell("b", reason="BackOff")
    await until(lambda: shell.shell.live.events.get("default", "b") is not None)
    assert shell.shown == ""


async def test_a_long_list_is_shown_at_once_where_more_follows(shell, tell):
    """The pager shows what it has when the command has ended, which this one does not."""
    pages = []
    shell.output.pager = SimpleNamespace(take=pages.append)
    await tell("a")
    following = asyncio.create_task(shell.do("events -f"))
    await until(lambda: "Started" in shell.shown)
    assert pages == []
    await stopped(following)
    assert await shell.do("events") == 0
    assert "Started" in pages[0]
