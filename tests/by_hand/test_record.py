"""What was done by hand, as a policy: readable, valid, and the same steps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.by_hand.deeds import Deed, Standing
from seatrial.by_hand.orders import Order
from seatrial.by_hand.record import _dumped, recording_of
from seatrial.policy.document import read_document
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.runtime.verdict import PASSED, failed, not_carried_out, nothing_to_do
from seatrial.steps.registry import policy_model
from tests.by_hand.conftest import cordon_order, scale_order

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def deed(number, order, *, at=0.0, took=0.0, outcome=PASSED, standing=Standing.STANDS, undone=None):
    """Something that was done some seconds after noon, and undone some seconds after that."""
    made = Deed(number, order, begun=NOON + timedelta(seconds=at))
    made.ended = made.begun + timedelta(seconds=took)
    made.outcome, made.standing = outcome, standing
    if undone is not None:
        made.undone, made.standing = NOON + timedelta(seconds=undone), Standing.UNDONE
    return made


def recorded(*deeds, **options):
    """The text of those deeds' policy."""
    return recording_of(deeds, name="by hand", cluster="staging (https://x:6443)", now=NOON, **options).text


def wait_order(seconds):
    """A pause."""
    return Order(title=f"wait {seconds} s", step={"wait": {"seconds": seconds}})


def test_it_reads_as_somebody_would_write_it():
    """A comment says when and where, each step has its command above it, one round, blocks, no quotes without need."""
    order = Order(
        title="kill shop/web-7d4b9 at once",
        step={"podAction": {"matches": [{"field": {"namespace": "shop", "selector": "metadata.name=web-7d4b9"}}]}},
        recorded=(
            {
                "podAction": {
                    "matches": [{"deployment": {"name": "web", "namespace": "shop"}}],
                    "filters": [{"randomSample": {"size": 1}}],
                    "actions": [{"kill": {"force": True}}],
                }
            },
        ),
        note="any one of Deployment web: the pod itself is gone",
    )
    assert recorded(deed(1, order), deed(2, scale_order(5), at=12.4)) == (
        "# Recorded from what was done by hand, 2030-01-01 12:00 UTC, on staging (https://x:6443).\n"
        "config:\n"
        "  runStrategy:\n"
        "    runs: 1\n"
        "scenarios:\n"
        "  - name: by hand\n"
        "    steps:\n"
        "      # kill shop/web-7d4b9 at once\n"
        "      # any one of Deployment web: the pod itself is gone\n"
        "      - podAction:\n"
        "          matches:\n"
        "            - deployment:\n"
        "                name: web\n"
        "                namespace: shop\n"
        "          filters:\n"
        "            - randomSample:\n"
        "                size: 1\n"
        "          actions:\n"
        "            - kill:\n"
        "                force: true\n"
        "      - wait:\n"
        "          seconds: 12\n"
        "      # scale web to 5\n"
        "      - scale:\n"
        "          target:\n"
        "            deployment:\n"
        "              name: web\n"
        "              namespace: default\n"
        "          replicas: 5\n"
    )


def test_it_is_the_policy_of_these_steps():
    """What is read back has the steps that were done, and runs once."""
    text = recorded(deed(1, scale_order(5)), deed(2, cordon_order("a"), at=1))
    policy = load_policy(text.encode(), model=policy_model())
    assert policy.config.run_strategy.runs == 1
    [scenario] = policy.scenarios
    assert (scenario.name, [step.key for step in scenario.steps]) == ("by hand", ["scale", "nodeAction"])
    assert scenario.steps[0].spec.replicas == 5


@pytest.mark.parametrize(("gap", "seconds"), [(0.4, None), (1.0, None), (1.6, 2), (90.2, 90)])
def test_what_passed_between_two_of_them_passes_in_the_policy(gap, seconds):
    """From the end of one to the beginning of the next, where that is more than a second."""
    deeds = deed(1, cordon_order("a"), took=30), deed(2, cordon_order("b"), at=30 + gap)
    read = read_document(recorded(*deeds).encode()).value
    waits = [step["wait"]["seconds"] for step in read["scenarios"][0]["steps"] if "wait" in step]
    assert waits == ([] if seconds is None else [seconds])
    assert "wait" not in recorded(*deeds, waits=False)


def test_what_came_to_nothing_is_left_out_and_said():
    """What was refused, stopped or found nothing is no step; what failed or changed something is."""
    stopped = not_carried_out("stopped")
    recording = recording_of(
        [
            deed(1, wait_order(1), outcome=not_carried_out("refused"), standing=Standing.FOR_GOOD),
            deed(2, wait_order(2), outcome=nothing_to_do("no pods"), standing=Standing.FOR_GOOD),
            deed(3, wait_order(3), outcome=stopped, standing=Standing.UNDONE),
            deed(4, wait_order(4), outcome=None, standing=Standing.BEING_DONE),
            deed(5, wait_order(5), outcome=failed("it did not answer"), standing=Standing.FOR_GOOD),
            deed(6, wait_order(6), outcome=not_carried_out("its proof was not seen"), standing=Standing.STANDS),
        ],
        name="by hand", cluster="x", now=NOON, waits=False,
    )  # fmt: skip
    assert (recording.steps, recording.left_out) == (2, ["wait 1 s", "wait 2 s", "wait 3 s", "wait 4 s"])
    assert (
        "# Left out, as stopped or come to nothing: 4 commands (wait 1 s; wait 2 s; wait 3 s; wait 4 s).\n"
        in recording.text
    )
    steps = read_document(recording.text.encode()).value["scenarios"][0]["steps"]
    assert steps == [{"wait": {"seconds": 5}}, {"wait": {"seconds": 6}}]


def test_nothing_at_all_is_a_policy_too():
    """Where all came to nothing there is a scenario without steps."""
    text = recorded(deed(1, wait_order(1), outcome=not_carried_out("refused"), standing=Standing.FOR_GOOD))
    assert load_policy(text.encode(), model=policy_model()).scenarios[0].steps == ()


def scenarios(text):
    """The scenarios of a policy: their names, and how their steps are called."""
    read = load_policy(text.encode(), model=policy_model()).scenarios
    return {each.name: [step.key for step in each.steps] for each in read}


def test_what_was_done_after_all_was_taken_back_is_another_scenario():
    """A scenario takes back at its end: the next one finds what the next command found."""
    text = recorded(
        deed(1, cordon_order("a"), undone=5),
        deed(2, wait_order(1), at=6, took=1, standing=Standing.FOR_GOOD),
        deed(3, scale_order(5), at=9, undone=20),
        deed(4, cordon_order("a"), at=10, undone=19),
        deed(5, cordon_order("a"), at=30),
    )
    assert scenarios(text) == {
        "by hand": ["nodeAction"],
        "by hand 2": ["wait", "wait", "wait", "scale", "nodeAction"],
        "by hand 3": ["wait", "nodeAction"],
    }
    assert "taken back by hand" not in text


def test_what_was_taken_back_while_something_stood_is_marked():
    """In a policy it is taken back at the end: whoever reads it is told of the difference."""
    text = recorded(deed(1, scale_order(5)), deed(2, cordon_order("a"), undone=1), deed(3, cordon_order("b"), at=2))
    assert text.count("      # taken back by hand before the next; a scenario takes back at its end\n") == 1
    assert list(scenarios(text)) == ["by hand"]


def test_what_was_taken_back_at_last_is_as_in_any_scenario():
    """There is nothing to say."""
    text = recorded(deed(1, scale_order(5), undone=9), deed(2, cordon_order("a"), undone=8))
    assert "taken back by hand" not in text
    assert list(scenarios(text)) == ["by hand"]


def test_comments_are_one_thing_and_the_steps_another():
    """A title with line ends or control characters is no YAML of its own."""
    order = Order(title="exec 'a\n- wait: 5\x1b[31m'", step={"wait": {"seconds": 1}})
    text = recorded(deed(1, order))
    assert "      # exec 'a - wait: 5\\u001b[31m'\n" in text
    assert load_policy(text.encode(), model=policy_model()).scenarios[0].steps[0].spec.seconds == 1


def test_a_payload_is_a_block():
    """What has several lines is written in several lines."""
    order = Order(title="apply", step={"kubectl": {"action": "apply", "payload": "kind: Pod\nmetadata: {}\n"}})
    text = recorded(deed(1, order))
    assert "          payload: |\n            kind: Pod\n            metadata: {}\n" in text
    assert (
        load_policy(text.encode(), model=policy_model()).scenarios[0].steps[0].spec.payload
        == order.step["kubectl"]["payload"]
    )


def test_a_name_that_no_scenario_may_have_is_refused():
    """Before anything is written."""
    with pytest.raises(InvalidPolicy):
        recording_of([deed(1, wait_order(1))], name="x", cluster="x", now=NOON)


_texts = st.text() | st.sampled_from(
    ["on", "1e3", "0o17", "0x1F", "1_000", "~", "null", "2026-01-01", "1:30", "a: b", "#", ""]
)
_data = st.recursive(
    _texts | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.from_regex(r"[a-z][a-zA-Z]{0,9}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-zA-Z]{0,9}", fullmatch=True), _data, min_size=1, max_size=3))
def test_whatever_a_step_says_is_read_back_as_it_was(data):
    """What YAML 1.1 and 1.2 read differently is quoted, blanks and control characters are kept."""
    assert read_document(_dumped(data).encode()).value == data
