"""The run's metrics for a Pushgateway: jobs in CI are over before Prometheus scrapes them, so they leave them there.

Each push replaces what the last one of the same job and labels left. It is tried after each round and at the end; one
that fails is said once for each reason, and hurts nothing.
"""

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path, PurePath
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from prometheus_client.exposition import basic_auth_handler, push_to_gateway

from seatrial.errors import UsageError
from seatrial.policy.wording import printable
from seatrial.runtime.events import PauseStarted, Record, RunStarted
from seatrial.telemetry.metrics.prometheus import PrometheusReport
from seatrial.telemetry.metrics.table import METRICS

PASSWORD_VARIABLE = "SEATRIAL_PUSHGATEWAY_PASSWORD"  # noqa: S105 -- the name of a variable

_log = logging.getLogger("seatrial.metrics")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_TIMEOUT_SECONDS = 10
_LONGEST_ANSWER = 200
_LEAST_SECONDS_BETWEEN = 5
"""Rounds may be shorter than any scrape interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushgateway:
    """Where to push to: a URL, the job, the other labels of the group, and as whom.

    The group has a label `policy`, the name of the policy's file, unless `labels` have one.

    Raises:
        UsageError: there can't be such a one.
    """

    url: str
    job: str = "seatrial"
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Look at what it is made of before anything is touched."""
        _check_url(self.url)
        if not self.job:
            raise UsageError("the job of a Pushgateway's metrics needs a name")
        taken = {"job", *(label for metric in METRICS for label in metric.labels)}
        for label in self.labels:
            if not _LABEL.fullmatch(label):
                raise UsageError(
                    f"'{label}' is no name of a label", hint="letters, digits and _, such as: team=payments"
                )
            if label in taken:
                raise UsageError(f"the label '{label}' is Seatrial's own", hint="take another name, such as: team")


class PushgatewayReport:
    """A listener that keeps every metric, and pushes them."""

    def __init__(self, gateway: Pushgateway) -> None:
        self._gateway = gateway
        self._report = PrometheusReport(of_process=False)
        self._group: Mapping[str, str] | None = None
        self._pushed_at = float("-inf")
        self._problem = ""
        self._pushing = threading.Lock()

    def __call__(self, record: Record) -> None:
        """Count what an event means; push where a round is over."""
        self._report(record)
        match record.event:
            case RunStarted(policy=policy):
                self._group = {"policy": PurePath(policy).name, **self._gateway.labels}
            case PauseStarted() if record.monotonic - self._pushed_at >= _LEAST_SECONDS_BETWEEN:
                self._pushed_at = record.monotonic
                self._push()

    def close(self) -> None:
        """Push the last time; a run that never began leaves alone what the one before it left."""
        self._push()

    def _push(self) -> None:
        if self._group is None:
            return
        gateway = self._gateway
        with self._pushing:
            try:
                push_to_gateway(
                    gateway.url,
                    job=gateway.job,
                    registry=self._report.registry,
                    grouping_key=dict(self._group),
                    timeout=_TIMEOUT_SECONDS,
                    handler=partial(basic_auth_handler, username=gateway.user or None, password=gateway.password),
                )
            except (OSError, HTTPException) as error:
                self._say(_reason(error))
            else:
                self._say("")

    def _say(self, problem: str) -> None:
        """Once for each reason, and when it works again."""
        if problem and problem != self._problem:
            _log.warning("metrics could not be pushed to %s: %s", self._gateway.url, problem)
        elif self._problem and not problem:
            _log.info("metrics are pushed to %s again", self._gateway.url)
        self._problem = problem


def read_password(path: Path | None, environ: Mapping[str, str]) -> str:
    """The password: what a file has, else what `SEATRIAL_PUSHGATEWAY_PASSWORD` says, else nothing.

    Raises:
        UsageError: the file can't be read.
    """
    if path is None:
        return environ.get(PASSWORD_VARIABLE, "")
    try:
        return path.read_text().strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"can't read the Pushgateway's password from {path}: {reason}") from error


def parse_labels(given: tuple[str, ...]) -> dict[str, str]:
    """Labels from `name=value`.

    Raises:
        UsageError: one isn't of that form.
    """
    labels: dict[str, str] = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not value:
            raise UsageError(f"'{each}' is no label", hint="name and value, such as: team=payments")
        labels[name] = value
    return labels


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and parts.port != 0
    except ValueError:
        is_sound = False
        parts = urlsplit("")
    if parts.username is not None:
        raise UsageError(
            "the URL of the Pushgateway has a user in it",
            hint="--pushgateway-user names it, --pushgateway-password-file has the password",
        )
    if not is_sound:
        raise UsageError(f"'{url}' is no URL of a Pushgateway", hint="such as: http://pushgateway.example.com:9091")


def _reason(error: Exception) -> str:
    match error:
        case HTTPError(code=code, reason=reason):
            answer = error.read(_LONGEST_ANSWER).decode(errors="replace").strip()
            return printable(f"HTTP {code} {reason}" + (f": {answer.splitlines()[0]}" if answer else ""))
        case TimeoutError() | URLError(reason=TimeoutError()):
            return f"no answer within {_TIMEOUT_SECONDS} s"
        case URLError(reason=reason):
            return printable(str(reason))
        case _:
            return printable(str(error) or type(error).__name__)
