import io
import json
import logging

import pytest
import structlog

from seatrial.runtime.events import MeshSampled, PodKilled, PodRef, UndoFailed
from seatrial.telemetry.log import LogReport, configure_logging
from tests.report.conftest import records_of


@pytest.fixture(autouse=True)
def restored():
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def logged(events, **options):
    stream = io.StringIO()
    configure_logging(stream=stream, **options)
    report = LogReport()
    for record in records_of(events):
        report(record)
    return stream.getvalue()


KILL = PodKilled(pod=PodRef(namespace="n", name="p", uid="1"), force=True, duration_ms=1.23)


def test_an_event_is_a_line_of_json():
    """Name, place, fields, level and time; a pod is NAMESPACE/NAME."""
    line = json.loads(logged([KILL], log_format="json"))
    assert line.pop("timestamp")
    assert line == {
        "event": "pod_killed", "level": "info", "round": 1, "scenario": "Kill half", "step": 0,
        "pod": "n/p", "force": True, "replaced": True, "duration_ms": 1.23,
    }  # fmt: skip


def test_an_event_is_a_line_of_text():
    """The same for people, without colours where there is no terminal."""
    line = logged([KILL], log_format="text")
    assert "pod_killed" in line
    assert "pod=n/p" in line
    assert "\x1b[" not in line


def test_what_must_be_acted_on_is_an_error():
    """A failed undo is logged as an error, also when silent."""
    event = UndoFailed(description="d", error="e", manual="m")
    assert json.loads(logged([event], log_format="json", silent=True))["level"] == "error"


def test_silent_leaves_the_rest_out():
    """`--silent` logs errors only."""
    assert logged([KILL], log_format="json", silent=True) == ""


def test_a_healthy_graph_is_said_to_those_who_ask():
    """Samples with nothing to report appear with `--verbose` only."""
    sample = MeshSampled(instances=3, pairs=9, failed=(), slowest_ms=1)
    assert logged([sample], log_format="json") == ""
    assert "mesh_sampled" in logged([sample], log_format="json", verbose=1)


def test_lines_of_the_modules_come_in_the_same_form():
    """What a module logs itself is a line of the same kind."""
    stream = io.StringIO()
    configure_logging(log_format="json", stream=stream)
    logging.getLogger("seatrial.kube").warning("slow %s", "server")
    assert json.loads(stream.getvalue())["event"] == "slow server"


def test_control_characters_of_names_don_t_reach_a_terminal():
    """In text lines a name's control characters are written as escapes; JSON escapes them itself."""
    kill = PodKilled(pod=PodRef(namespace="n", name="evil\x1b[2Jname\u202e", uid="1"), force=True, duration_ms=1)
    line = logged([kill], log_format="text")
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "evil" in line
    assert json.loads(logged([kill], log_format="json"))["pod"] == "n/evil\x1b[2Jname\u202e"
