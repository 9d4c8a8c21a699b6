import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from seatrial import __version__
from seatrial.errors import UsageError
from seatrial.runtime.events import (
    ObjectiveStatus,
    PauseStarted,
    PodKilled,
    PodRecovered,
    PodRef,
    RoundStarted,
    ScenarioStarted,
)
from seatrial.telemetry.metrics.prometheus import PrometheusReport, served
from seatrial.telemetry.metrics.scrapes import Scrapes
from seatrial.telemetry.metrics.table import METRICS
from tests.report.conftest import records_of
from tests.telemetry.meanings import JUDGED, RELOADED
from tests.telemetry.scraping import scrape, value

POD = PodRef(namespace="shop", name="web-1", uid="1")
KILL = PodKilled(pod=POD, force=True, duration_ms=1)

STATUSES = ("met", "violated", "undecided")
OF = {"scenario": "Kill half", "objective": "healing"}


@pytest.fixture
def report():
    return PrometheusReport()


def heard(report, *events):
    for record in records_of(events):
        report(record)


def test_counters_are_scraped_under_their_names(report):
    """Two kills of one pod are a 2 at /metrics, with PowerfulSeal's labels."""
    heard(report, KILL, KILL)
    with served(report, host="127.0.0.1", port=0) as port:
        assert value(scrape(port), "seal_pod_kills_total", status="success", namespace="shop", name="web-1") == 2


def test_recovery_times_are_a_histogram(report):
    """A replacement that was ready after 900 ms counts in the bucket up to 1 s and not in that up to 0.5 s."""
    heard(
        report,
        PodRecovered(
            pod=POD, replacement=POD, gone_ms=1, created_ms=2, scheduled_ms=3, running_ms=4, ready_ms=900
        ),
    )  # fmt: skip
    with served(report, host="127.0.0.1", port=0) as port:
        samples = scrape(port)
    buckets = {
        bound: value(samples, "seatrial_pod_recovery_seconds_bucket", moment="ready", le=bound)
        for bound in ("0.5", "1.0", "+Inf")
    }
    assert buckets == {"0.5": 0, "1.0": 1, "+Inf": 1}
    assert value(samples, "seatrial_pod_recovery_seconds_sum", moment="ready") == 0.9


def test_what_can_be_known_beforehand_is_there_from_the_start(report):
    """Zeros for both sources of empty matches, each verdict, both ends of an undo; the version; the process itself."""
    with served(report, host="127.0.0.1", port=0) as port:
        samples = scrape(port)
    assert [value(samples, "seal_empty_match_total", source=each) for each in ("pods", "nodes")] == [0, 0]
    assert value(samples, "seal_empty_filter_total") == 0
    assert value(samples, "seatrial_undos_total", result="failed") == 0
    assert value(samples, "seatrial_build_info", version=__version__) == 1
    assert value(samples, "process_resident_memory_bytes") > 0
    families = {name for name, _ in samples}
    assert {metric.name for metric in METRICS if not metric.labels and metric.kind == "counter"} <= families


def test_what_runs_is_a_level(report):
    """A scenario that began and did not end is in flight."""
    heard(report, ScenarioStarted(name="s", description=""))
    with served(report, host="127.0.0.1", port=0) as port:
        assert value(scrape(port), "seatrial_experiments_in_flight") == 1


def test_levels_stand_at_what_was_said_last(report):
    """Neither summed up nor left over: one 1 among the statuses of an objective, and bounds that are gone are gone."""
    heard(report, JUDGED, replace(JUDGED, status=ObjectiveStatus.MET, lower=None, upper=29))
    with served(report, host="127.0.0.1", port=0) as port:
        samples = scrape(port)
    statuses = {each: value(samples, "seatrial_objective_status", status=each, **OF) for each in STATUSES}
    assert statuses == {"met": 1, "violated": 0, "undecided": 0}
    assert value(samples, "seatrial_objective_lower_bound_seconds", **OF) is None
    assert value(samples, "seatrial_objective_upper_bound_seconds", **OF) == 29


def test_what_was_known_of_another_policy_is_gone(report):
    """No violated objective stays behind when its scenario is taken out of the policy's file."""
    heard(report, JUDGED, RELOADED)
    with served(report, host="127.0.0.1", port=0) as port:
        samples = scrape(port)
    assert [name for name, labels in samples if ("scenario", "Kill half") in labels] == []
    heard(report, JUDGED)
    with served(report, host="127.0.0.1", port=0) as port:
        assert value(scrape(port), "seatrial_objective_status", status="violated", **OF) == 1


def test_what_is_not_known_has_no_series(report):
    """No next round at 0, which would be in 1970: the series comes with a pause, and goes with the round."""
    name = "seatrial_next_round_timestamp_seconds"
    seen = []
    with served(report, host="127.0.0.1", port=0) as port:
        for event in (RoundStarted(number=1), PauseStarted(seconds=30), RoundStarted(number=2)):
            seen.append(value(scrape(port), name))
            heard(report, event)
        seen.append(value(scrape(port), name))
    begin = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    assert seen == [None, None, begin + 0.1 + 30, None]


def test_names_of_others_can_t_forge_series(report):
    """Quotes, line breaks and backslashes in a name stay in its label."""
    evil = 'x"} 1\nseal_pod_kills_total{status="\\'
    heard(report, PodKilled(pod=PodRef(namespace="n", name=evil, uid="1"), force=True, duration_ms=1))
    with served(report, host="127.0.0.1", port=0) as port:
        samples = scrape(port)
    kills = [labels for name, labels in samples if name == "seal_pod_kills_total"]
    assert [dict(labels)["name"] for labels in kills] == [evil]


def test_a_taken_port_is_an_error_before_anything_begins(report, unused_tcp_port):
    """The message has the address, the hint the flags."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", unused_tcp_port))
        other.listen()
        with pytest.raises(UsageError, match=f"can't serve metrics on 127.0.0.1:{unused_tcp_port}") as caught:
            served(report, host="127.0.0.1", port=unused_tcp_port).__enter__()
    assert "--prometheus-port" in caught.value.hint


def test_an_address_of_another_machine_is_an_error(report):
    """Nothing can listen at 192.0.2.1 here."""
    with pytest.raises(UsageError, match=r"192\.0\.2\.1:9000"):
        served(report, host="192.0.2.1", port=9000).__enter__()


def test_the_page_ends_with_the_block(report):
    """Afterwards the port is free, and no thread is left."""
    before = threading.active_count()
    with served(report, host="127.0.0.1", port=0) as port:
        scrape(port)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
    assert threading.active_count() <= before


def test_a_client_that_says_nothing_holds_nobody_up(report):
    """One connection is open and silent; another one is answered, and the end comes all the same."""
    with served(report, host="127.0.0.1", port=0) as port, socket.create_connection(("127.0.0.1", port)):
        assert value(scrape(port), "seatrial_experiments_in_flight") == 0


def test_whether_the_last_words_were_read_is_known(report):
    """Who waits is told of a scrape that begins from then on, and of none before."""
    with served(report, host="127.0.0.1", port=0) as port, ThreadPoolExecutor() as pool:
        scrape(port)
        assert not report.scrapes.wait(0.05)
        waiting = pool.submit(report.scrapes.wait, 60)
        scrape(port)
        assert waiting.result(60)


def test_a_scrape_that_began_before_the_end_does_not_count():
    """It is answered when the run is over, but with what was known when it came."""
    scrapes = Scrapes()
    application = scrapes.noting(lambda environ, start_response: [b"page"])
    early = application({}, None)
    assert not scrapes.wait(0)
    late = application({}, None)
    assert list(early) == [b"page"]
    early.close()
    assert not scrapes.wait(0)
    late.close()
    assert scrapes.wait(0)
