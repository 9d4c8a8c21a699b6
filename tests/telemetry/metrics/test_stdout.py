import io

from seatrial.runtime.events import PodKilled, PodRef, RunFinished, ScenarioStarted
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.metrics.stdout import StdoutReport
from tests.report.conftest import records_of


def printed(*events):
    stream = io.StringIO()
    report = StdoutReport(stream)
    for record in records_of(events):
        report(record)
    return stream.getvalue().splitlines()


def test_each_change_is_a_line():
    """A counter's growth, what a gauge changed by, what a histogram observed, what a level stands at."""
    kill = PodKilled(pod=PodRef(namespace="shop", name="web-1", uid="1"), force=True, duration_ms=1)
    finished = RunFinished(verdict=Verdict.PASSED, reasons=(), exit_code=0, duration_ms=1234.5, rounds=1)
    assert printed(kill, ScenarioStarted(name="s", description=""), finished) == [
        'metric seal_pod_kills_total{status="success",namespace="shop",name="web-1"} +1',
        "metric seatrial_experiments_in_flight +1",
        'metric seatrial_runs_total{verdict="passed"} +1',
        "metric seatrial_run_duration_seconds 1.2345",
        'metric seatrial_run_verdict{verdict="failed"} = 0',
        'metric seatrial_run_verdict{verdict="inconclusive"} = 0',
        'metric seatrial_run_verdict{verdict="passed"} = 1',
        "metric seatrial_run_finished_timestamp_seconds = 1893456000.300",
    ]


def test_control_characters_are_escaped():
    """A name that would clear the screen doesn't."""
    kill = PodKilled(pod=PodRef(namespace="n", name="evil\x1b[2J\n", uid="1"), force=True, duration_ms=1)
    [line] = printed(kill)
    assert line.isprintable()
