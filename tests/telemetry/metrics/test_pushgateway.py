import logging
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec.structs import replace

from seatrial.errors import UsageError
from seatrial.runtime.events import PauseStarted, RoundStarted, RunFinished, RunStarted, ScenarioFinished
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.metrics import pushgateway
from seatrial.telemetry.metrics.pushgateway import Pushgateway, PushgatewayReport, parse_labels, read_password
from tests import monitoring_servers
from tests.report.conftest import records_of

pytestmark = pytest.mark.skipif(
    monitoring_servers.find("pushgateway") is None, reason="no pushgateway: python -m tests.monitoring_servers"
)

STARTED = RunStarted(run_id="abc", policy="kill-half.yml", seed="7", server="https://127.20.0.1:6443", rounds=2)
FAILED = ScenarioFinished(name="Kill half", verdict=Verdict.FAILED, reasons=("r",), duration_ms=1500)
PASSED = replace(FAILED, verdict=Verdict.PASSED, reasons=())
ENDED = RunFinished(verdict=Verdict.FAILED, reasons=("r",), exit_code=1, duration_ms=1000, rounds=1)
# What bcrypt makes of the password "secret".
WEB_CONFIG = "basic_auth_users: {jane: $2b$04$GgOt83SXwFdYuzT76MgcMOeNS0wkNNoiNzjGawzipv1Q6wSMwt8yO}\n"


@pytest.fixture(scope="module", name="gateway")
def _gateway():
    with monitoring_servers.running_pushgateway() as server:
        yield server


def pushed_by(target, *events, apart_seconds=0.1):
    report = PushgatewayReport(target)
    for record in records_of(events):
        report(replace(record, monotonic=record.sequence * apart_seconds))
    return report


def groups(gateway):
    """What lies at the gateway: metrics by name, by the labels of their group."""
    return {
        tuple(sorted(each["labels"].items())): {name: value for name, value in each.items() if isinstance(value, dict)}
        for each in gateway.get("/api/v1/metrics")["data"]
    }


def values(group, name):
    return {
        tuple(sorted(each["labels"].items())): float(each["value"])
        for each in group.get(name, {"metrics": []})["metrics"]
    }


def test_a_run_leaves_its_metrics_when_it_ends(gateway):
    """In a group of the job, the policy and the labels that were given; without the series of the process itself."""
    target = Pushgateway(url=gateway.url, job="nightly", labels={"team": "payments"})
    pushed_by(target, STARTED, RoundStarted(number=1), FAILED, ENDED).close()
    group = groups(gateway)[("job", "nightly"), ("policy", "kill-half.yml"), ("team", "payments")]
    verdicts = values(group, "seatrial_run_verdict")
    assert {dict(labels)["verdict"]: value for labels, value in verdicts.items()} == {
        "passed": 0, "failed": 1, "inconclusive": 0
    }  # fmt: skip
    assert "seal_scenario_runs_total" in group
    assert not [name for name in group if name.startswith(("process_", "python_"))]


def test_what_is_pushed_replaces_what_was_there(gateway):
    """The next run of the job has passed: nothing is left of the scenario that only the last one had."""
    target = Pushgateway(url=gateway.url, job="replaced")
    other = replace(PASSED, name="Another one")
    pushed_by(target, STARTED, FAILED).close()
    pushed_by(target, STARTED, other).close()
    group = groups(gateway)[("job", "replaced"), ("policy", "kill-half.yml")]
    runs = values(group, "seal_scenario_runs_total")
    assert [(dict(labels)["name"], dict(labels)["result"], value) for labels, value in runs.items()] == [
        ("Another one", "success", 1)
    ]


def test_policies_do_not_replace_each_other(gateway):
    """Each has a group of its own, unless a label `policy` says otherwise."""
    target = Pushgateway(url=gateway.url, job="several")
    pushed_by(target, STARTED, PASSED).close()
    pushed_by(target, replace(STARTED, policy="a/b c.yml"), PASSED).close()
    pushed_by(Pushgateway(url=gateway.url, job="several", labels={"policy": "all"}), STARTED, PASSED).close()
    assert {dict(labels)["policy"] for labels in groups(gateway) if dict(labels)["job"] == "several"} == {
        "kill-half.yml", "b c.yml", "all"
    }  # fmt: skip


def test_a_long_run_pushes_after_its_rounds(gateway):
    """Without waiting for its end; rounds that follow each other closely are pushed together."""
    target = Pushgateway(url=gateway.url, job="long")
    group = (("job", "long"), ("policy", "kill-half.yml"))
    pause = PauseStarted(seconds=0)
    report = pushed_by(target, STARTED, RoundStarted(number=1), PASSED, pause, PASSED, pause)
    assert list(values(groups(gateway)[group], "seal_scenario_runs_total").values()) == [1]
    report.close()
    assert list(values(groups(gateway)[group], "seal_scenario_runs_total").values()) == [2]
    pushed_by(target, STARTED, PASSED, pause, PASSED, PASSED, pause, apart_seconds=4)
    assert list(values(groups(gateway)[group], "seal_scenario_runs_total").values()) == [3]


def test_a_run_that_never_began_leaves_what_is_there(gateway):
    """Nothing is pushed: the last result is still the last result."""
    PushgatewayReport(Pushgateway(url=gateway.url, job="never")).close()
    assert not [labels for labels in groups(gateway) if dict(labels)["job"] == "never"]


def test_a_gateway_that_is_not_there_hurts_nothing(unused_tcp_port, caplog):
    """It is said once for each reason; and the run goes on."""
    target = Pushgateway(url=f"http://127.0.0.1:{unused_tcp_port}")
    pause = PauseStarted(seconds=9)
    pushed_by(target, STARTED, PASSED, pause, PASSED, pause, apart_seconds=10).close()
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"metrics could not be pushed to {target.url}: [Errno 111] Connection refused"


def test_a_gateway_that_never_answers_does_not_hold_up_the_end(monkeypatch, caplog):
    """It is waited for a while; then that is said, and the run is over."""
    monkeypatch.setattr(pushgateway, "_TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = Pushgateway(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        pushed_by(target, STARTED, PASSED).close()
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"metrics could not be pushed to {target.url}: no answer within 0.2 s"


def test_a_password_goes_nowhere_else(gateway, caplog):
    """A gateway that sends pushes on to another host: they aren't sent there, and it is said."""
    with redirecting_to(gateway.url) as url:
        pushed_by(Pushgateway(url=url, job="sent on", user="jane", password="secret"), STARTED, PASSED).close()
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"metrics could not be pushed to {url}: HTTP 307")
    assert not [labels for labels in groups(gateway) if dict(labels)["job"] == "sent on"]


@contextmanager
def redirecting_to(target):
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", f"{target}{self.path}")
            self.end_headers()

        def log_message(self, *arguments):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def guarded(tmp_path):
    """A gateway that asks for a password."""
    (tmp_path / "web.yml").write_text(WEB_CONFIG)
    with monitoring_servers.running_pushgateway(options=[f"--web.config.file={tmp_path / 'web.yml'}"]) as server:
        yield server


def test_a_gateway_that_asks_for_a_password(guarded, caplog):
    """With the right one metrics get there; without, it is said, and the password isn't."""
    right = Pushgateway(url=guarded.url, user="jane", password="secret")
    pushed_by(right, STARTED, PASSED).close()
    assert not caplog.records
    pushed_by(Pushgateway(url=guarded.url, user="jane", password="guessed"), STARTED, PASSED).close()
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"metrics could not be pushed to {guarded.url}: HTTP 401 Unauthorized: Unauthorized"
    assert "secret" not in repr(right)


def test_it_is_said_when_a_gateway_is_back(guarded, caplog):
    """After a push that failed, the first that works."""
    caplog.set_level(logging.INFO)
    report = PushgatewayReport(Pushgateway(url=guarded.url, user="jane", password="guessed"))
    report(records_of([STARTED])[0])
    report._push()
    report._gateway = Pushgateway(url=guarded.url, user="jane", password="secret")
    report.close()
    assert caplog.records[-1].getMessage() == f"metrics are pushed to {guarded.url} again"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": "pushgateway:9091"}, "no URL of a Pushgateway"),
        ({"url": "ftp://pushgateway"}, "no URL of a Pushgateway"),
        ({"url": "http://"}, "no URL of a Pushgateway"),
        ({"url": "http://host:99999"}, "no URL of a Pushgateway"),
        ({"url": "http://jane:secret@host"}, "has a user in it"),
        ({"url": "http://host", "job": ""}, "needs a name"),
        ({"url": "http://host", "labels": {"a-b": "c"}}, "'a-b' is no name of a label"),
        ({"url": "http://host", "labels": {"__name__": "c"}}, "no name of a label"),
        ({"url": "http://host", "labels": {"scenario": "c"}}, "Seatrial's own"),
        ({"url": "http://host", "labels": {"job": "c"}}, "Seatrial's own"),
    ],
    ids=["no scheme", "ftp", "no host", "port", "user", "job", "label", "reserved", "ours", "job as label"],
)
def test_what_can_not_be_pushed_to_is_an_error_before_anything_begins(given, message):
    """The message says what is wrong, and repeats no password."""
    with pytest.raises(UsageError, match=message) as caught:
        Pushgateway(**given)
    assert "secret" not in str(caught.value)


def test_labels_are_names_and_values():
    """`name=value`; a value may have another `=`."""
    assert parse_labels(("team=payments", "query=a=b")) == {"team": "payments", "query": "a=b"}
    for wrong in ("team", "team="):
        with pytest.raises(UsageError, match=f"'{wrong}' is no label"):
            parse_labels((wrong,))


def test_the_password_comes_from_a_file_or_the_environment(tmp_path):
    """The file wins, without the line break at its end; one that isn't there is an error."""
    environ = {"SEATRIAL_PUSHGATEWAY_PASSWORD": "from the environment"}
    path = tmp_path / "password"
    path.write_text("from a file\n")
    assert read_password(path, environ) == "from a file"
    assert read_password(None, environ) == "from the environment"
    assert read_password(None, {}) == ""
    with pytest.raises(UsageError, match="can't read the Pushgateway's password from /nowhere: No such file"):
        read_password(Path("/nowhere"), environ)
