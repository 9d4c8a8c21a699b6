import asyncio
import json

import pytest

from seatrial.errors import ClusterError
from seatrial.probes import goldpinger
from seatrial.probes.goldpinger import Goldpinger, run
from seatrial.probes.http_route import Answer
from seatrial.runtime.events import MeshSampled
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import Verdict
from tests.probes.conftest import Answers, listening


def graph(*, whole):
    """Goldpinger's answer about two instances, of which one can't reach the other unless the graph is whole."""
    results = {"a": {"OK": True, "response-time-ms": 1}, "b": {"OK": whole, "response-time-ms": 1}}
    instance = {"OK": True, "response": {"podResults": results}}
    return {"text": json.dumps({"responses": {"a": instance}}), "content_type": "application/json"}


GONE = ClusterError("the API server is gone")
WHOLE, BROKEN, DOWN, NONSENSE = graph(whole=True), graph(whole=False), {"status": 500}, {"text": "<html>"}


class Watching:
    """The observer, from its first look to its end."""

    def __init__(self, on_cluster, answers, **given):
        spec = Goldpinger.model_validate({"service": {"name": "web"}, "interval": 600, **given})
        self.answers = answers
        self.observation = Observation()
        self.task = asyncio.create_task(run(spec, on_cluster.context, self.observation))

    async def begun(self):
        await asyncio.wait_for(self.observation.begun.wait(), 30)

    async def end(self):
        self.observation.ending.set()
        return await asyncio.wait_for(self.task, 30)


@pytest.fixture
async def watch(on_cluster, make_service):
    """Begins to watch a goldpinger that gives these answers in turn, and waits for the first look."""
    address = await make_service()
    servers = []

    async def begin(*given, **options):
        answers = Answers(*given)
        server = listening(answers.answer, host=address, port=8080)
        await server.__aenter__()
        servers.append(server)
        made = Watching(on_cluster, answers, **options)
        await made.begun()
        return made

    yield begin
    for server in servers:
        await server.__aexit__(None, None, None)


async def samples(on_cluster):
    return [event for event in await on_cluster.events() if isinstance(event, MeshSampled)]


async def test_it_looks_before_the_first_step_and_after_the_last(on_cluster, watch):
    """However short the scenario: a first look, and a last one when it ends, without waiting for the interval."""
    watching = await watch(WHOLE)
    assert (await watching.end()).passed
    assert [request[:2] for request in watching.answers.requests] == [("GET", "/check_all")] * 2
    assert [(sample.instances, sample.pairs, sample.failed) for sample in await samples(on_cluster)] == [(1, 2, ())] * 2


async def test_the_first_look_counts_even_if_nothing_answers(on_cluster, watch):
    """A mesh that is down already is something seen: the scenario may begin."""
    watching = await watch(DOWN, WHOLE)
    assert (await watching.end()).passed
    assert [sample.error for sample in await samples(on_cluster)] == ["/check_all answered 500", ""]


async def test_it_looks_again_and_again(watch):
    """Between the first and the last look it looks at every interval."""
    watching = await watch(WHOLE, interval=0.001)
    await asyncio.wait_for(watching.answers.fifth.wait(), 30)
    assert (await watching.end()).passed


async def test_without_whole_within_it_only_watches(watch):
    """A graph that is broken to the end fails nothing where nothing is expected of it."""
    assert (await (await watch(BROKEN)).end()).passed


async def test_a_graph_that_is_whole_again_in_time_passes(on_cluster, watch):
    """After the end it looks until the graph is whole, and no longer."""
    watching = await watch(WHOLE, BROKEN, DOWN, WHOLE, interval=10, wholeWithin=60)
    assert (await watching.end()).passed
    assert on_cluster.clock.slept == [10, 10]
    assert len(watching.answers.requests) == 4


async def test_a_graph_that_is_not_whole_in_time_fails(on_cluster, watch):
    """When the time is over the last look decides, with a call that fails as an example."""
    outcome = await (await watch(WHOLE, BROKEN, interval=10, wholeWithin=30)).end()
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == (
        "goldpinger at default/web was not whole again within 30 s: 1 of 2 calls fail, such as a -> b",
    )
    assert sum(on_cluster.clock.slept) == 30


async def test_a_goldpinger_that_goes_away_for_good_fails(watch):
    """It answered before: that it answers no more is a failure of the system under test."""
    outcome = await (await watch(WHOLE, DOWN, interval=10, wholeWithin=30)).end()
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons[0].endswith("/check_all answered 500")


@pytest.mark.parametrize(("said", "reason"), [(DOWN, "/check_all answered 500"), (NONSENSE, "what can't be read")])
@pytest.mark.parametrize("expected", [{}, {"wholeWithin": 30}])
async def test_a_goldpinger_that_never_answered_shows_nothing(watch, said, reason, expected):
    """What was never seen is inconclusive, whatever was expected."""
    outcome = await (await watch(said, interval=10, **expected)).end()
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].startswith("goldpinger at default/web never answered: ")
    assert reason in outcome.reasons[0]


class Route:
    """A way to goldpinger that comes to one of these ends at each look, and stays at the last."""

    def __init__(self, *ends):
        self._ends = list(ends)

    async def send(self, *_method_and_path, **_options):
        end = self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]
        if isinstance(end, Exception):
            raise end
        return Answer(status=200, body=end["text"].encode(), latency_ms=1.0)


@pytest.mark.parametrize(
    ("ends", "verdict"), [((WHOLE, GONE, WHOLE), Verdict.PASSED), ((WHOLE, GONE), Verdict.INCONCLUSIVE)]
)
async def test_an_api_server_that_fails_hides_the_graph_and_breaks_nothing(on_cluster, monkeypatch, ends, verdict):
    """Where the way leads through it, looks are missed; only when the last one is too nothing can be said."""

    async def route(*_where, **_options):
        return Route(*ends)

    monkeypatch.setattr(goldpinger, "route_to_service", route)
    watching = Watching(on_cluster, None, interval=10, wholeWithin=30)
    await watching.begun()
    outcome = await watching.end()
    assert outcome.verdict is verdict
    assert [sample.error for sample in await samples(on_cluster)][:2] == ["", "can't look: the API server is gone"]


async def test_a_goldpinger_that_is_not_there_has_no_first_look(on_cluster):
    """Without its Service the observer ends at once, and its first look never comes."""
    watching = Watching(on_cluster, None)
    with pytest.raises(ClusterError, match="web"):
        await watching.task
    assert not watching.observation.begun.is_set()
