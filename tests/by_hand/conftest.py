"""Sessions by hand on an API server in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seatrial.by_hand.orders import Order
from seatrial.by_hand.session import HandSession
from seatrial.kube.client import Client
from seatrial.runtime.context import Context
from seatrial.runtime.events import EventStream, Record
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal
from seatrial.testing import FakeClock

RUN = "run-1"


class Bench:
    """A session with a journal on disk, what was published in it, and orders to give it."""

    def __init__(self, journal: Journal, cluster: Client, **options: object) -> None:
        self.records: list[Record] = []
        self.clock = FakeClock()
        self.hurry = asyncio.Event()
        self.stream = EventStream(self.clock)
        self.stream.subscribe(self.records.append)
        self.journal = journal
        context = Context(
            run_id=RUN,
            cluster=cluster,
            journal=RunJournal(journal, RUN),
            events=self.stream,
            randomness=Randomness(7),
            clock=self.clock,
        )
        self.session = HandSession(context, hurry=self.hurry, **options)  # type: ignore[arg-type]

    async def open_undos(self) -> list[str]:
        """What the journal's file says is to be undone, last first."""
        return [written.undo.description for written in await self.journal.open_undos(RUN)]


def cordon_order(name: str, **order: object) -> Order:
    """Cordon a node."""
    match = {"property": {"name": "name", "value": f"^{name}$"}}
    step = {"nodeAction": {"matches": [match], "actions": [{"cordon": {}}]}}
    return Order(title=f"cordon {name}", step=step, **order)  # type: ignore[arg-type]


def scale_order(replicas: int) -> Order:
    """Scale the Deployment `web`, and wait for what never comes: nobody makes pods here."""
    target = {"deployment": {"name": "web", "namespace": "default"}}
    return Order(title=f"scale web to {replicas}", step={"scale": {"target": target, "replicas": replicas}})


WAIT = Order(title="wait", step={"wait": {"seconds": 1}})


@asynccontextmanager
async def opened(directory: Path, cluster: Client, **options: object) -> AsyncIterator[Bench]:
    """A session, and its journal in that directory."""
    journal = await Journal.open(directory)
    await journal.begin(RunEntry(id=RUN, policy="by hand", seed="7", server=cluster.server))
    bench = Bench(journal, cluster, **options)
    try:
        yield bench
    finally:
        bench.hurry.set()
        await bench.session.close()
        await bench.stream.close()
        await journal.close()


@pytest.fixture
async def world(control) -> None:
    """On the API server of `control`: a Deployment `web` that wants three replicas, and the nodes a, b, c."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    for node in "abc":
        await control.server.api.create("nodes", {"metadata": {"name": node}})
    await control.server.api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")


@pytest.fixture
async def bench(control, world, tmp_path) -> AsyncIterator[Bench]:
    """A session there."""
    async with opened(tmp_path, control.cluster) as made:
        yield made


@pytest.fixture
def replicas(control):
    """How many replicas `web` wants, as the API server has it."""

    async def read() -> int:
        found = await control.server.api.get("deployments.apps", "web", "default")
        return int(found["spec"]["replicas"])

    return read


@pytest.fixture
def cordoned(control):
    """The names of the nodes that are cordoned."""

    async def read() -> list[str]:
        listed = await control.server.api.list("nodes", None)
        return sorted(each["metadata"]["name"] for each in listed.items if each["spec"].get("unschedulable"))

    return read
