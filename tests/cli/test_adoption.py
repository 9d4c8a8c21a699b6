"""What follows a policy that is edited while its run lasts: guardrails, objectives, who is told."""

import aiohttp.web
import pytest
from msgspec.structs import replace

from seatrial.cli.adoption import adopted
from seatrial.engine.policy_file import ChangedPolicy
from seatrial.policy.load import load_policy
from seatrial.runtime.events import (
    GuardrailHeld,
    ObjectiveJudged,
    PodKilled,
    PolicyRejected,
    PolicyReloaded,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model
from tests.cli.endless_runs import POLICY


async def test_guardrails_that_are_edited_hold_from_the_next_round_on(endless):
    """No pod more is killed; those that the command line says can't be loosened so."""
    await endless.make_pods()
    await endless.until(lambda event: isinstance(event, PodKilled))
    endless.path.write_text(POLICY.replace("runStrategy", "guardrails: {maxPods: 0}\n  runStrategy"))
    held = await endless.until(lambda event: isinstance(event, GuardrailHeld))
    assert "1 pod" in held.reason
    since = len(endless.events)
    await endless.round_ends(Verdict.INCONCLUSIVE)
    assert not any(isinstance(event, PodKilled) for event in endless.events[since:])
    await endless.end()


OBJECTIVE = "  objectives: [{measurement: passed, ratio: true, above: 0.5, window: 200 runs}]\n"


async def test_objectives_can_be_asked_of_a_run_that_had_none(endless):
    """What was measured before counts for them; a scenario that does something else begins anew."""
    await endless.make_pods()
    for _ in range(2):
        await endless.round_ends(Verdict.PASSED)
    endless.path.write_text(POLICY + OBJECTIVE)
    judged = await endless.until(lambda event: isinstance(event, ObjectiveJudged))
    assert judged.samples >= 3
    since = len(endless.events)
    endless.path.write_text(POLICY.replace("force: true", "force: false") + OBJECTIVE)
    await endless.until(lambda event: isinstance(event, PolicyReloaded), since=since)
    since = len(endless.events)
    judged = await endless.until(lambda event: isinstance(event, ObjectiveJudged), since=since)
    assert judged.samples == 1
    await endless.end()


@pytest.fixture
async def receiver():
    """Somebody who is told; what came stands in its list."""
    came = []

    async def take(request):
        came.append(await request.json())
        return aiohttp.web.Response()

    application = aiohttp.web.Application()
    application.router.add_post("/told", take)
    runner = aiohttp.web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/told", came
    await runner.cleanup()


async def test_others_can_be_told_from_the_next_round_on(endless, receiver):
    """A channel that is added is told, knows the run, and its address is shown nowhere."""
    url, came = receiver
    await endless.make_pods()
    await endless.round_ends(Verdict.PASSED)
    channel = f"notify: [{{webhook: {{url: '{url}', on: [finished]}}}}]"
    endless.path.write_text(POLICY.replace("runStrategy", f"{channel}\n  runStrategy"))
    reloaded = await endless.until(lambda event: isinstance(event, PolicyReloaded))
    assert url not in f"{reloaded}"
    await endless.end()
    assert len(came) == 1
    assert endless.run_id in f"{came[0]}"


async def test_a_channel_whose_secret_is_missing_is_rejected(endless):
    """The run goes on as before, and says what is missing."""
    await endless.make_pods()
    await endless.round_ends(Verdict.PASSED)
    channel = "notify: [{webhook: {urlFrom: {env: NO_SUCH_VARIABLE}}}]"
    endless.path.write_text(POLICY.replace("runStrategy", f"{channel}\n  runStrategy"))
    rejected = await endless.until(lambda event: isinstance(event, PolicyRejected))
    assert "NO_SUCH_VARIABLE" in rejected.problems[0]
    await endless.round_ends(Verdict.PASSED)
    await endless.end()


async def test_the_command_lines_guardrails_outlive_every_edit(recorder, tmp_path):
    """A policy that says nothing of guardrails doesn't lift those of the flags."""
    policy = load_policy(POLICY.encode(), model=policy_model())
    changed = ChangedPolicy(policy, policy, tmp_path / "p.yml", POLICY, ("nothing",))
    told = []

    async def notify(channels):
        told.append(channels)

    context = await adopted(changed, recorder.context, guardrails=Guardrails(most_pods=2), notify=notify)
    assert context.settings == replace(recorder.context.settings, guardrails=Guardrails(most_pods=2))
    assert told == []  # nobody else is to be told than before
