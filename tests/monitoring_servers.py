"""Prometheus, Alertmanager, Pushgateway for the tests: those of this machine, else Debian's; `make test` fetches them.

    python -m tests.monitoring_servers

They run on loopback, each with a directory of its own, at a pace for tests: Prometheus scrapes and evaluates every
second. `alerting` puts them together: metrics in, notifications out, at a receiver that a test reads.

    with monitoring_servers.alerting(targets=["127.0.0.1:9000"]) as monitoring:
        alert = monitoring.receiver.wait_for("SeatrialObjectiveViolated")
"""

import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.debian_packages import DebianPackage, DownloadError, put, take

T = TypeVar("T")

INSTALLED = Path(sys.prefix) / "monitoring"
RULES = Path(__file__).parents[1] / "deploy" / "monitoring" / "seatrial-alerts.yml"
PATIENCE_SECONDS = 60
"""How long these wait for what has to come: long, since machines that run tests are busy."""

_START_SECONDS = 30

_PACKAGES = (
    (
        DebianPackage(
            "prometheus",
            "2.42.0+ds-5+deb12u1",
            "pool/main/p/prometheus",
            {
                "amd64": "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55",
                "arm64": "ca131aa102390083398afbc80be9c8dd1dda78f9f92154fc00df8f7f1f4556e9",
            },
        ),
        ("usr/bin/prometheus", "usr/bin/promtool"),
    ),
    (
        DebianPackage(
            "prometheus-alertmanager",
            "0.25.0-1+b4",
            "pool/main/p/prometheus-alertmanager",
            {
                "amd64": "4fb9aed15cfe8e0c32408e643ab32a1e41ee87d2cc26f18aeba928b1b0b98ae7",
                "arm64": "c8d60025df09a6525a4ce29d6a656d244e2626fa597ad22d6e4d466979e95937",
            },
        ),
        ("usr/bin/prometheus-alertmanager", "alertmanager/default.tmpl", "alertmanager/email.tmpl"),
    ),
    (
        DebianPackage(
            "prometheus-pushgateway",
            "1.5.1-2+b5",
            "pool/main/p/prometheus-pushgateway",
            {
                "amd64": "f779c46f571ea0c341630e4b36c1d608d46bb08c5658de99966c5c2e49486b9d",
                "arm64": "7ba8c9cc1af1d24eb9f30239bc8406451bf59627c173aa59c1fd186ad32fd5de",
            },
        ),
        ("usr/bin/prometheus-pushgateway",),
    ),
)

HOW_TO_GET = "no Prometheus, Alertmanager or Pushgateway on this machine: python -m tests.monitoring_servers"

# Debian's Alertmanager has the directory of its templates built in, which only an installed package has: it is given
# another one of the same length, relative to where it is started.
_BUILT_IN = b"/usr/share/prometheus/alertmanager"
_INSTEAD = b"./" * 12 + b"templates/"

PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "pushgateway": ("prometheus-pushgateway", "pushgateway"),
}
"""What there is, and the names that Debian and others give the programs."""


class NoServerError(Exception):
    """A server can't be started here; the message says why."""


def find(program: str) -> str | None:
    """Where a program is."""
    path = f"{INSTALLED}:{os.environ.get('PATH', os.defpath)}"
    return next((found for name in PROGRAMS[program] if (found := shutil.which(name, path=path))), None)


def are_there() -> bool:
    """Whether all of them are."""
    return all(find(program) for program in PROGRAMS)


def _require(program: str) -> str:
    if found := find(program):
        return found
    raise NoServerError(f"there is no {program} on this machine: python -m tests.monitoring_servers")


def promtool(*arguments: str | Path, standard_input: str = "") -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own checker; what it says is in the result's `stdout` and `stderr`."""
    command = [_require("promtool"), *map(str, arguments)]
    return subprocess.run(
        command, input=standard_input, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@dataclass(frozen=True)
class Server:
    """A server that runs: where it answers, its directory, its process."""

    url: str
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def get(self, path: str, **query: str) -> Any:
        """What it answers at a path, JSON read."""
        url = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 -- a URL of loopback
            return json.load(answer)


class Prometheus(Server):
    """A Prometheus that runs."""

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives at this moment.

        Raises:
            AssertionError: it is no expression; the message is Prometheus'.
        """
        try:
            result: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {json.load(error)['error']}") from error
        return result

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives, as soon as there are any."""
        return wait_until(lambda: self.query(expression), what=f"{expression} has no series", server=self)

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = self.get("/api/v1/alerts")["data"]["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


@contextmanager
def running_prometheus(
    *,
    targets: Sequence[str],
    rules: Sequence[Path] = (),
    alertmanager: str | None = None,
    job: str = "seatrial",
    honor_labels: bool = False,
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes these addresses (`host:port`) each second, with these files of rules.

    Raises:
        NoServerError: none can be started here.
    """
    scraping = {"job_name": job, "honor_labels": honor_labels, "static_configs": [{"targets": list(targets)}]}
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [scraping],
    }
    if alertmanager:
        address = alertmanager.removeprefix("http://")
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
    with _directory() as directory:
        (directory / "config.yml").write_text(yaml.safe_dump(config))
        options = [
            f"--config.file={directory / 'config.yml'}", f"--storage.tsdb.path={directory / 'data'}",
            "--storage.tsdb.min-block-duration=2h", "--log.level=warn",
        ]  # fmt: skip
        with _started("prometheus", options, directory, ready="/-/ready") as server:
            yield Prometheus(server.url, server.directory, server.process)


@contextmanager
def running_alertmanager(*, config: dict[str, Any]) -> Iterator[Server]:
    """An Alertmanager with this configuration; `telling` makes one.

    Raises:
        NoServerError: none can be started here.
    """
    with _directory() as directory:
        (directory / "config.yml").write_text(yaml.safe_dump(config))
        options = [
            f"--config.file={directory / 'config.yml'}", f"--storage.path={directory / 'data'}",
            "--cluster.listen-address=", "--log.level=warn",
        ]  # fmt: skip
        with _started("alertmanager", options, directory, ready="/-/ready") as server:
            yield server


def telling(webhook: str) -> dict[str, Any]:
    """A configuration of Alertmanager that hands each alert to a webhook within a second."""
    pace = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    receiver = {"name": "test", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
    return {"route": {"receiver": "test", "group_by": ["..."], **pace}, "receivers": [receiver]}


@contextmanager
def running_pushgateway(*, options: Sequence[str] = ()) -> Iterator[Server]:
    """A Pushgateway.

    Raises:
        NoServerError: none can be started here.
    """
    with _directory() as directory, _started("pushgateway", ["--log.level=warn", *options], directory) as server:
        yield server


class Receiver:
    """What Alertmanager sent to a webhook: alerts, in the order in which they came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._alerts: list[dict[str, Any]] = []
        self._came = threading.Condition()

    def take(self, message: dict[str, Any]) -> None:
        """Keep what was sent."""
        with self._came:
            self._alerts += message["alerts"]
            self._came.notify_all()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What came so far."""
        with self._came:
            return list(self._alerts)

    def wait_for(self, name: str, *, status: str = "firing") -> dict[str, Any]:
        """The first alert of that name and status (`firing` or `resolved`), as soon as it comes."""

        def is_it(alert: dict[str, Any]) -> bool:
            return bool(alert["labels"]["alertname"] == name and alert["status"] == status)

        def found() -> dict[str, Any] | None:
            return next(filter(is_it, self._alerts), None)

        with self._came:
            alert = self._came.wait_for(found, timeout=2 * PATIENCE_SECONDS)
            assert alert, f"no alert {name} came that is {status}, but {self._alerts}"
            return alert


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A webhook that takes what Alertmanager sends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.take(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing: what came is looked at."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Monitoring:
    """Prometheus, the Alertmanager that it tells, and the receiver that hears of it."""

    prometheus: Prometheus
    alertmanager: Server
    receiver: Receiver


@contextmanager
def alerting(*, targets: Sequence[str], rules: Sequence[Path] = (RULES,)) -> Iterator[Monitoring]:
    """Prometheus that scrapes these addresses (`host:port`) with our rules, an Alertmanager, and a webhook, together.

    Raises:
        NoServerError: one of them can't be started here.
    """
    with (
        receiving() as receiver,
        running_alertmanager(config=telling(receiver.url)) as alertmanager,
        running_prometheus(targets=targets, rules=rules, alertmanager=alertmanager.url) as prometheus,
    ):
        yield Monitoring(prometheus, alertmanager, receiver)


def wait_until(look: Callable[[], T], *, what: str, server: Server | None = None) -> T:
    """What a look finds, as soon as it finds something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, f"{what}\n{server.log if server else ''}"
        time.sleep(0.1)
    return found


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="monitoring-") as name:
        yield Path(name)


@contextmanager
def _started(program: str, options: Sequence[str], directory: Path, *, ready: str = "/-/ready") -> Iterator[Server]:
    """A server at a port that it chooses, until the block ends."""
    command = [_require(program), "--web.listen-address=127.0.0.1:0", *options]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=Path(command[0]).parent, stdout=log, stderr=log)
    try:
        server = Server(_address(process, directory), directory, process)
        wait_until(lambda: _answers(f"{server.url}{ready}"), what=f"{program} is not ready", server=server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], directory: Path) -> str:
    """Where a server listens: the kernel knows, whatever it logs."""
    import psutil

    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        for each in psutil.Process(process.pid).net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN:
                return f"http://127.0.0.1:{each.laddr.port}"
        time.sleep(0.05)
    raise NoServerError(f"a server can't be started here: {(directory / 'log').read_text(errors='replace').strip()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_START_SECONDS) as answer:  # noqa: S310 -- a URL of loopback
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.UNAUTHORIZED  # it is up, and asks for a password
    except (urllib.error.URLError, ConnectionError):
        return False


def install(directory: Path = INSTALLED) -> None:
    """Fetch, check and unpack the servers."""
    for package, files in _PACKAGES:
        content = package.fetch()
        take(content, [file for file in files if not file.endswith(".tmpl")], directory)
        take(content, [file for file in files if file.endswith(".tmpl")], directory / _INSTEAD.decode())
    alertmanager = directory / "prometheus-alertmanager"
    put(alertmanager.read_bytes().replace(_BUILT_IN, _INSTEAD), alertmanager)


def main() -> int:
    """Install the servers where one is missing."""
    if are_there():
        return os.EX_OK
    try:
        install()
    except (DownloadError, subprocess.TimeoutExpired, lzma.LZMAError, tarfile.TarError) as error:
        print(f"Prometheus could not be had: {error}", file=sys.stderr)  # noqa: T201 -- a command's output
        return os.EX_UNAVAILABLE
    for program in PROGRAMS:
        print(f"{program}: {find(program)}")  # noqa: T201 -- likewise
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
