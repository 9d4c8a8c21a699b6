import asyncio
from datetime import datetime, timedelta

import pytest
import trustme

from seatrial.actions.alerts.alertmanager import Address
from seatrial.actions.alerts.mute import END_SILENCE, end_of
from seatrial.engine.unwind import unwind
from seatrial.errors import AlertmanagerError
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import AlertsMuted, FaultProven, ProofMissing, UndoWritten
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import PASSED, Verdict
from seatrial.steps.alert_manager import STEP, AlertManagerAction
from seatrial.steps.registry import policy_model
from tests.steps.alertmanager_server import AlertmanagerServer


@pytest.fixture
async def server():
    running = await AlertmanagerServer().start()
    yield running
    await running.stop()


@pytest.fixture
async def context(recorder):
    """The context of a run that stands in its journal, at the time of day that the server has."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    recorder.clock.now = SystemClock().now
    return recorder.context


def spec(*urls, mute=None, **others):
    targets = [{"url": url} for url in urls]
    return AlertManagerAction.model_validate({"targets": targets, "actions": [{"mute": mute}], **others})


async def undo(context):
    await unwind(context.journal.newer_than(0), context, hurry=asyncio.Event())
    return context.journal.failures


async def test_all_alerts_are_silenced_and_heard_again_at_the_end(server, context):
    """A quarter of an hour by default, over every alert; clean-up ends it."""
    assert await STEP.run(spec(server.url), context) == PASSED
    [silence] = server.silences.values()
    assert silence["matchers"] == [{"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}]
    assert silence["createdBy"].startswith("seatrial run-1 ")
    left = datetime.fromisoformat(silence["endsAt"]) - server.now()
    assert timedelta(seconds=800) < left <= timedelta(seconds=900)
    assert server.states() == ["active"]
    assert await undo(context) == []
    assert server.states() == ["expired"]


async def test_several_alertmanagers_and_a_slash_at_the_end(server, context):
    """Each target is silenced, one that is named twice once."""
    other = await AlertmanagerServer().start()
    assert await STEP.run(spec(server.url, other.url, f"{server.url}/"), context) == PASSED
    assert (server.states(), other.states()) == (["active"], ["active"])
    assert await undo(context) == []
    assert (server.states(), other.states()) == (["expired"], ["expired"])
    await other.stop()


async def test_without_auto_unmute_the_silence_ends_by_itself(server, context):
    """Nothing is left to undo; the silence has its own end."""
    await STEP.run(spec(server.url, mute={"duration": 60, "autoUnmute": False}), context)
    assert context.journal.mark == 0
    [silence] = server.silences.values()
    assert datetime.fromisoformat(silence["endsAt"]) - server.now() <= timedelta(seconds=60)


async def test_the_undo_knows_the_silence_before_it_has_an_id(server, context):
    """Whatever became of the request: the undo ends what this step created, and nothing else; twice does no harm."""
    await STEP.run(spec(server.url), context)
    await STEP.run(spec(server.url), context)
    first, second = reversed(context.journal.newer_than(0))
    assert await END_SILENCE.run(first.undo.args, context.world) == ""
    assert server.states() == ["expired", "active"]
    assert await END_SILENCE.run(first.undo.args, context.world) == ""
    assert await END_SILENCE.run({**second.undo.args, "createdBy": "seatrial never sent"}, context.world) == ""
    assert server.states() == ["expired", "active"]


async def test_clean_up_waits_for_an_alertmanager_that_fails_for_a_while(server, context):
    """A busy or broken Alertmanager may do as asked a little later; so may one that is away."""
    await STEP.run(spec(server.url), context)
    server.fail = 1
    assert await undo(context) == []
    assert server.states() == ["expired"]


async def test_clean_up_does_not_wait_for_what_will_not_pass(context):
    """Where it is not let in, a person has to act: that is said at once, with the command."""
    closed = await AlertmanagerServer(user="u", password="p").start()
    await context.write_undo(end_of(Address(url=closed.url), "seatrial run-1 x"))
    [problem] = await undo(context)
    assert "401" in problem
    assert len(closed.asked) == 1
    await closed.stop()


async def test_the_silence_is_found_among_many(server, context):
    """A list of silences that comes in many pieces is read to its end."""
    await STEP.run(spec(server.url), context)
    [own] = server.silences.values()
    others = {f"other {number}": {**own, "createdBy": "x" * 5000, "id": str(number)} for number in range(200)}
    server.silences = {**others, own["id"]: own}
    assert await undo(context) == []
    assert server.states().count("expired") == 1


async def test_a_clock_that_is_behind_begins_the_silence_at_once(context):
    """The start lies in the past, which Alertmanager makes its own present."""
    late = await AlertmanagerServer(behind=timedelta(minutes=5)).start()
    await STEP.run(spec(late.url), context)
    assert late.states() == ["active"]
    await late.stop()


async def test_a_silence_that_is_not_active_is_no_proof(recorder, context):
    """Where Alertmanager's clock is far behind, the silence is pending: said, with what to look at."""
    late = await AlertmanagerServer(behind=timedelta(hours=1)).start()
    assert await STEP.run(spec(late.url), context) == PASSED
    [missing] = [each for each in await recorder.events() if isinstance(each, ProofMissing)]
    assert "is pending: compare its clock" in missing.reason
    await late.stop()


async def test_what_is_done_is_told_without_the_password(recorder, context):
    """User and password in the URL authenticate, and appear in no event, description or command."""
    guarded = await AlertmanagerServer(user="seal", password="s3cret").start()
    url = guarded.url.replace("://", "://seal:s3cret@")
    assert await STEP.run(spec(url), context) == PASSED
    [written] = context.journal.newer_than(0)
    assert written.undo.manual.startswith("amtool --alertmanager.url=http://localhost:")
    assert await undo(context) == []
    events = list(await recorder.events())
    kinds = [type(each) for each in events]
    assert kinds[:3] == [UndoWritten, AlertsMuted, FaultProven]
    assert "s3cret" not in repr(events) + written.undo.manual + written.undo.description
    assert guarded.states() == ["expired"]
    await guarded.stop()


async def test_wrong_credentials_are_said(context):
    """What the server answered, without the password that it didn't like."""
    guarded = await AlertmanagerServer(user="seal", password="right").start()
    outcome = await STEP.run(spec(guarded.url.replace("://", "://seal:wrong@")), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "answered POST silences with 401: Unauthorized" in outcome.reasons[0]
    assert "wrong" not in outcome.reasons[0]
    await guarded.stop()


async def test_certificates_are_verified_unless_told_otherwise(context):
    """An authority that nobody trusts is refused; `insecure` takes it, at the end as well."""
    import ssl

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    server = await AlertmanagerServer().start(tls)
    outcome = await STEP.run(spec(server.url), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "is not trusted" in outcome.reasons[0]
    assert await STEP.run(spec(server.url, insecure=True), context) == PASSED
    [_, second] = reversed(context.journal.newer_than(0))
    assert await END_SILENCE.run(second.undo.args, context.world) == ""
    assert server.states() == ["expired"]
    await server.stop()


async def test_a_target_that_worked_is_left_alone_by_a_retry(server, context):
    """Retries go on where the step got stuck."""
    other = await AlertmanagerServer().start()
    other.fail = 2
    retries = {"retriesCount": {"count": 3, "sleep": 1}}
    assert await STEP.run(spec(server.url, other.url, retries=retries), context) == PASSED
    assert [path for method, path in server.asked if method == "POST"] == ["silences"]
    assert (server.states(), other.states()) == (["active"], ["active"])
    await other.stop()


async def test_without_retries_a_failure_is_inconclusive(server, context):
    """An Alertmanager that can't be silenced is no finding about the system; the step's own undo still works."""
    server.fail = 1
    outcome = await STEP.run(spec(server.url), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.ends_scenario
    assert "with 500" in outcome.reasons[0]
    assert await undo(context) == []


async def test_an_alertmanager_that_is_gone_can_t_be_unmuted(server, context):
    """The undo fails and names the command for a person."""
    await STEP.run(spec(server.url), context)
    [written] = context.journal.newer_than(0)
    await server.stop()
    with pytest.raises(AlertmanagerError, match="can't reach http://localhost"):
        await END_SILENCE.run(written.undo.args, context.world)
    await server.start()


async def test_the_proxy_of_the_targets_scheme_is_used(server, context):
    """`proxies.http` for http, with or without a scheme of its own; at the end, too."""
    asked = []

    async def proxy(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split()[:2])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        proxies = {"http": f"127.0.0.1:{port}", "https": "127.0.0.1:1"}
        outcome = await STEP.run(spec(server.url, proxies=proxies), context)
        assert "with 403" in outcome.reasons[0]
        assert len(await undo(context)) == 1
    assert asked[0] == [b"POST", f"{server.url}/silences".encode()]
    assert asked[1] == [b"GET", f"{server.url}/silences".encode()]
    assert server.asked == []


async def test_a_server_that_is_no_alertmanager_is_said(context):
    """A page where JSON should be."""

    async def page(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<h1>")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(page, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        outcome = await STEP.run(spec(f"http://127.0.0.1:{port}/api/v2"), context)
    assert "answered what no Alertmanager would" in outcome.reasons[0]


@pytest.mark.parametrize(("targets", "actions"), [([], [{"mute": {}}]), (["x"], [])])
async def test_nothing_to_do_is_inconclusive(server, context, targets, actions):
    """No targets, no actions: nothing was muted, and that is said."""
    urls = [{"url": server.url} for _ in targets]
    outcome = await STEP.run(AlertManagerAction.model_validate({"targets": urls, "actions": actions}), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert server.asked == []


async def test_a_plan_asks_nobody(server, context):
    """Who would be muted, and for how long."""
    planned = await STEP.plan(spec(server.url.replace("://", "://seal:s3cret@"), mute={"duration": 60}), context)
    assert planned.summary == "mute 1 Alertmanager"
    assert planned.changes == (f"silence all alerts of {server.url} for 60 s, ended with the scenario",)
    assert server.asked == []


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        ("{targets: [{url: 'http://am:9093'}], actions: [{mute: }]}", "targets[0].url"),
        ("{targets: [{url: 'http:///api/v2'}], actions: [{mute: }]}", "targets[0].url"),
        ("{targets: [{url: 'http://am/api/v2'}], actions: [{mute: {duration: 59}}]}", "mute.duration"),
        ("{targets: [{url: 'http://am/api/v2'}], actions: [{mute: {duration: 86401}}]}", "mute.duration"),
        ("{targets: [{url: 'http://am/api/v2'}], actions: [{shout: }]}", "actions[0]"),
    ],
)
def test_what_is_wrong_in_a_policy_is_said(step, wrong):
    """The place of each mistake."""
    text = f"scenarios: [{{name: one, steps: [{{alertManagerAction: {step}}}]}}]"
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(text.encode(), model=policy_model())
    assert any(wrong in problem.path for problem in caught.value.problems), caught.value.problems
