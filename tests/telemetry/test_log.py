import io
import json
import logging
from datetime import UTC, datetime

import pytest

from seatrial.runtime.events import (
    CommandOutput,
    MeshSampled,
    ObjectiveJudged,
    ObjectiveStatus,
    PodKilled,
    PodRef,
    ScenarioStarted,
    UndoFailed,
)
from seatrial.telemetry.log import LogReport, configure_logging
from seatrial.telemetry.log_lines import with_fields
from tests.report.conftest import records_of


@pytest.fixture(autouse=True)
def restored():
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


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


def mesh(*failed, instances=3, error=""):
    return MeshSampled(instances=instances, pairs=9, failed=failed, slowest_ms=1, error=error)


def test_only_changes_of_the_mesh_are_logged():
    """Samples that show what the last one showed appear with `--verbose` only; each scenario begins anew."""
    started = ScenarioStarted(name="s", description="")
    many = [mesh()] * 5 + [mesh("a -> b")] * 5 + [mesh(instances=2)] * 5 + [mesh()] * 5 + [started] + [mesh()] * 5
    assert logged(many, log_format="json").count("mesh_sampled") == 5
    assert logged(many, log_format="json", verbose=1).count("mesh_sampled") == 25


def test_calls_one_by_one_are_not_logged():
    """They are as many as there are instances times instances: the report shows them."""
    sample = MeshSampled(instances=1, pairs=1, failed=(), slowest_ms=1, names=("a",), calls_ms=((1.0,),))
    line = json.loads(logged([sample], log_format="json"))
    assert line["slowest_ms"] == 1
    assert not {"names", "calls_ms"} & set(line)


def test_a_mesh_that_does_not_answer_is_a_warning():
    """Once, as long as it stays silent for the same reason."""
    lines = logged([mesh(), mesh(error="refused"), mesh(error="refused"), mesh()], log_format="json").splitlines()
    assert [json.loads(line)["level"] for line in lines] == ["info", "warning", "info"]


def test_what_commands_write_is_logged_for_those_who_want_all_of_it():
    """What a command came to is logged at its end."""
    line = CommandOutput(id="1", name="n1", line="half done")
    assert logged([line], log_format="json") == ""
    assert json.loads(logged([line], log_format="json", verbose=1))["line"] == "half done"


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


def text_line(level, message, *, terminal=False, **given):
    """What a module's logger writes as text."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    configure_logging(log_format="text", stream=stream)
    logging.getLogger("seatrial.kube").log(level, message, **given)
    return stream.getvalue()


def test_a_text_line_has_time_level_message_and_fields():
    """Fields follow in their order; a value with blanks or quotes stands in quotes."""
    line = text_line(
        logging.WARNING, "pod_killed", extra=with_fields({"pod": "n/p", "why": "it was due", "force": True})
    )
    time, rest = line.split(" ", 1)
    assert datetime.fromisoformat(time).tzinfo is UTC
    assert rest.split() == ["[warning", "]", "pod_killed", "pod=n/p", "why='it", "was", "due'", "force=True"]


def test_a_terminal_gets_colours_unless_they_are_not_wanted():
    """They say the level; `plain` (NO_COLOR) takes them away."""
    assert "\x1b[33mwarning" in text_line(logging.WARNING, "slow", terminal=True)
    assert "\x1b" not in text_line(logging.WARNING, "slow")
    stream = io.StringIO()
    stream.isatty = lambda: True
    configure_logging(log_format="text", plain=True, stream=stream)
    logging.getLogger("seatrial").error("x")
    assert "\x1b" not in stream.getvalue()


def test_a_traceback_comes_with_its_line():
    """Below a line of text; as `exception` in JSON."""
    lines = text_line(logging.ERROR, "it failed", exc_info=ValueError("broken")).splitlines()
    assert lines[0].endswith("it failed")
    assert lines[-1] == "ValueError: broken"
    stream = io.StringIO()
    configure_logging(log_format="json", stream=stream)
    logging.getLogger("seatrial").error("it failed", exc_info=ValueError("broken"))
    assert json.loads(stream.getvalue())["exception"].endswith("ValueError: broken")


def test_of_the_libraries_only_warnings_are_logged():
    """In the same form as Seatrial's own."""
    stream = io.StringIO()
    configure_logging(log_format="json", verbose=1, stream=stream)
    logging.getLogger("aiohttp").info("chatter")
    logging.getLogger("aiohttp").warning("trouble")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("trouble", "warning")


@pytest.mark.parametrize(
    ("status", "previous", "problem", "level"),
    [
        (ObjectiveStatus.VIOLATED, ObjectiveStatus.MET, "", "warning"),
        (ObjectiveStatus.VIOLATED, None, "", "warning"),
        (ObjectiveStatus.VIOLATED, ObjectiveStatus.VIOLATED, "", "info"),
        (ObjectiveStatus.UNDECIDED, ObjectiveStatus.MET, "the disk is full", "warning"),
        (ObjectiveStatus.MET, ObjectiveStatus.VIOLATED, "", "info"),
    ],
)
def test_an_objective_that_becomes_violated_is_a_warning(status, previous, problem, level):
    """Not again after each round; that nobody can tell is one, too."""
    judged = ObjectiveJudged(
        objective="o", status=status, text="o: said", measurement="t", limit=1.0, confidence=0.95, window="30d",
        samples=1, previous=previous, problem=problem,
    )  # fmt: skip
    assert json.loads(logged([judged], log_format="json"))["level"] == level
