"""`seatrial notify test`: who would be told, tried out."""

import json

from tests.cli.programs import seatrial
from tests.telemetry.notifications.receivers import receiving, status

POLICY = """
config:
  notify:
  - webhook: {{url: "{one}/hook", name: on call}}
  - webhook: {{url: "{two}/path-that-is-secret", on: [finished]}}
scenarios: []
"""


async def test_each_channel_is_told_once_and_its_answer_shown(write):
    """Whatever a channel wants to hear of; the exit code tells whether all took it."""
    async with receiving() as one, receiving(status(404, "no hook /path-that-is-secret")) as two:
        policy = write(POLICY.format(one=one.url, two=two.url))
        done = await seatrial("notify", "test", "--policy-file", policy)
        assert (done.code, done.errors) == (1, "")
        assert done.output == (
            "on call: taken: 200 thanks\nwebhook 2 (127.0.0.1): NOT taken: answered 404 no hook ***\n"
        )
        [call] = one.calls
        assert "This is a test of Seatrial's notifications; nothing is wrong." in call.json["text"]
        assert len(two.calls) == 1


async def test_one_channel_by_its_name_for_programs(write):
    """`--channel` and JSON."""
    async with receiving() as one, receiving() as two:
        policy = write(POLICY.format(one=one.url, two=two.url))
        arguments = ("notify", "test", "--policy-file", policy, "--channel")
        done = await seatrial(*arguments, "on call", "--output", "json")
        assert (done.code, two.calls) == (0, [])
        assert json.loads(done.output) == {"channels": [{"channel": "on call", "taken": True, "answer": "200 thanks"}]}
        missing = await seatrial(*arguments, "nobody")
        assert (missing.code, "has no channel 'nobody'" in missing.errors) == (2, True)


async def test_a_policy_that_tells_nobody_is_said_to(write):
    """Nothing to test is no success."""
    done = await seatrial("notify", "test", "--policy-file", write("scenarios: []"))
    assert done.code == 2
    assert "has nothing under config.notify" in done.errors


async def test_what_is_missing_is_said_in_a_line(write):
    """A variable that is not set: one line and a hint, and nobody is told."""
    policy = write("config: {notify: [{webhook: {urlFrom: {env: NOWHERE_TO_BE_FOUND}}}]}\nscenarios: []\n")
    done = await seatrial("notify", "test", "--policy-file", policy)
    assert done.code == 2
    assert done.errors == (
        "error: the environment variable NOWHERE_TO_BE_FOUND is not set\nhint: config.notify reads a secret from it\n"
    )
