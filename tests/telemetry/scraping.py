"""Runs a policy with both collectors, and tells what they say of it: a page scraped, and datagrams received."""

import socket
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from seatrial.cli.session import SessionOptions, run_session
from seatrial.steps.registry import policy_model
from seatrial.telemetry.metrics.dogstatsd import DatadogReport
from seatrial.telemetry.metrics.prometheus import PrometheusReport, served

OF_THE_AGENT = ("DD_DOGSTATSD_URL", "DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_ENTITY_ID", "DD_TAGS")


@contextmanager
def agent(monkeypatch):
    """A UDP socket where the environment says that Datadog's agent listens."""
    for name in OF_THE_AGENT:
        monkeypatch.delenv(name, raising=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listening.settimeout(30)
        monkeypatch.setenv("DD_AGENT_HOST", "127.0.0.1")
        monkeypatch.setenv("DD_DOGSTATSD_PORT", str(listening.getsockname()[1]))
        yield listening


def receive(listening, *, until=None, count=0):
    """The lines that came: so many, or until one that begins so (which is left out)."""
    lines = []
    while until is not None or len(lines) < count:
        for line in listening.recv(65536).decode().splitlines():
            if until is not None and line.startswith(until):
                return lines
            # Without the container's id, which the library adds where it can tell it.
            lines.append(line.partition("|c:")[0])
    return lines


def scrape(port):
    """All samples of the page at that port, by name and sorted labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples, name, /, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


@dataclass(frozen=True)
class Told:
    """What the collectors said of a run."""

    result: object
    scraped: dict
    sent: list

    @property
    def seal(self):
        """PowerfulSeal's counters that grew: name, values of the labels, count."""
        return {
            (name, *dict(labels).values()): count
            for (name, labels), count in self.scraped.items()
            if name.startswith("seal_") and not name.endswith("_created") and count
        }

    @property
    def seal_sent(self):
        """The same as Datadog was told, each name under PowerfulSeal's prefix."""
        sums = {}
        for line in self.sent:
            name, _, rest = line.removeprefix("powerfulseal.").partition(":")
            amount, kind, *tags = rest.split("|")
            if kind != "c" or name.startswith("seatrial_"):
                continue
            labels = sorted(tag.split(":", 1) for tag in (tags[0].removeprefix("#").split(",") if tags else []))
            key = (f"seal_{name}", *(each for _, each in labels))
            sums[key] = sums.get(key, 0) + float(amount)
        return sums


async def run_and_scrape(monkeypatch, options: SessionOptions, *scenarios, **config) -> Told:
    """Run scenarios once, scrape the page after that, and read what the agent received."""
    policy = {"config": {"runStrategy": {"runs": 1}, **config}, "scenarios": list(scenarios)}
    given = replace(options, policy=policy_model().model_validate(policy))
    with agent(monkeypatch) as listening:
        prometheus, datadog = PrometheusReport(), DatadogReport()
        with served(prometheus, host="127.0.0.1", port=0) as port:
            result = await run_session(given, [prometheus, datadog])
            datadog.close()
            scraped = scrape(port)
        sent = receive(listening, until="powerfulseal.seatrial_run_duration_seconds")
    return Told(result, scraped, sent)
