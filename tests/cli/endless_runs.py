"""A run without an end for tests of what happens while it lasts: edits, outages, other credentials."""

import asyncio
from functools import partial
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from seatrial.cli.session import FollowedFile, SessionOptions, run_session
from seatrial.engine.halt_mark import set_mark
from seatrial.kube.client import connect
from seatrial.policy.load import load_policy
from seatrial.runtime.events import RoundStarted, RunStarted, ScenarioFinished
from seatrial.runtime.halt import HaltMark
from seatrial.runtime.verdict import Verdict
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.slo.digest import digest_of
from seatrial.steps.registry import policy_model
from seatrial.storage.recorder import Recorder
from seatrial.storage.store import open_store

POLICY = """
config:
  runStrategy: {minSecondsBetweenRuns: 0.3, maxSecondsBetweenRuns: 0.3}
scenarios:
- name: Kill one
  steps:
  - podAction:
      matches: [{labels: {selector: app=web, namespace: default}}]
      filters: [{randomSample: {size: 1}}]
      actions: [{kill: {force: true}}]
"""


class Endless:
    """A run without an end on the API server of this process, which a test takes away and brings back."""

    def __init__(self, control) -> None:
        self.control = control
        self.server = control.server
        self.path = control.directory / "policy.yml"
        self.path.write_text(POLICY)
        content = self.path.read_bytes()
        self.options = SessionOptions(
            policy=load_policy(content, model=policy_model()),
            policy_name="p.yml",
            kubeconfig=control.directory / "kubeconfig",
            state_directory=control.directory / "state",
            recovery_timeout_seconds=0,
            followed=FollowedFile(self.path, content),
        )
        self.events = []
        self._heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.store = open_store(None, state=control.directory)
        digests = {each.name: digest_of(each) for each in self.options.policy.scenarios}
        recorder = Recorder(self.store, policy_text=POLICY, digests=digests)
        options = replace(self.options, store=self.store)
        self.run = asyncio.create_task(run_session(options, [self._hear, recorder]))

    def _hear(self, record) -> None:
        self.events.append(record.event)
        self._loop.call_soon_threadsafe(self._heard.set)

    async def until(self, condition, *, since: int = 0):
        """The first event since then of which that is true."""
        async with asyncio.timeout(60):
            while True:
                self._heard.clear()
                if found := next((each for each in self.events[since:] if condition(each)), None):
                    return found
                await self._heard.wait()

    async def round_ends(self, verdict: Verdict) -> None:
        """Return when a round that begins from here on has come to that."""
        since = len(self.events)
        begun = await self.until(lambda event: isinstance(event, RoundStarted), since=since)
        await self.until(
            lambda event: isinstance(event, ScenarioFinished) and event.verdict is verdict,
            since=self.events.index(begun, since),
        )

    @property
    def run_id(self) -> str:
        return next(event.run_id for event in self.events if isinstance(event, RunStarted))

    async def comes_back(self) -> None:
        """Another API server at the same address, as after a restart with an empty store."""
        port = urlsplit(self.server.url).port
        self.control.directory.joinpath("again").mkdir(exist_ok=True)
        config = ApiServerConfig(
            host="127.0.0.1", port=port, directory=self.control.directory / "again", service_cidr="127.255.128.0/17"
        )
        self.server = ApiServer(config, self.control.authority)
        await self.server.start()

    async def make_pods(self) -> None:
        for number in range(100):
            spec = {"containers": [{"name": "c", "image": "busybox"}]}
            body = {"metadata": {"name": f"web-{number}", "labels": {"app": "web"}}, "spec": spec}
            await self.server.api.create("pods", body, "default")

    async def end(self):
        """Halt it, which it sees by the watch that it has by then, and stop the server."""
        mark = HaltMark(by="jane", since="2030-01-01T12:00:00+00:00", reason="enough")
        async with await connect(kubeconfig=self.options.kubeconfig) as client:
            await set_mark(client, mark, namespace="default")
        result = await asyncio.wait_for(self.run, 60)
        if self.server is not self.control.server:
            await self.server.stop()
        return result


@pytest.fixture
async def endless(control, monkeypatch):
    """Its client is less patient than others, so that an outage need not last for half a minute."""
    monkeypatch.setattr("seatrial.cli.session.connect", partial(connect, timeout_seconds=1.0))
    made = Endless(control)
    yield made
    if not made.run.done():
        made.run.cancel()
        await asyncio.wait({made.run})
    made.store.close()
