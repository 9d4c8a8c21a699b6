"""A file becomes a policy, or an error that a person can act on."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import ConfigurationError
from seatrial.policy.document import LARGEST_BYTES
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy, Problem
from seatrial.steps.registry import policy_model

EXAMPLES = Path(__file__).parents[2] / "examples"
POLICIES = sorted(EXAMPLES.glob("*.yml"))
VALID = """\
config: {runStrategy: {runs: 1}}
scenarios:
- name: Kill half of the pods
  steps:
  - podAction:
      matches: [{labels: {selector: app=goldpinger, namespace: default}}]
      filters: [{randomSample: {ratio: 0.5}}]
      actions: [{kill: {force: true}}]
  - wait: {seconds: 1}
"""


def problems_of(source: bytes) -> tuple[Problem, ...]:
    """What is wrong with a policy; nothing, where it is valid."""
    try:
        load_policy(source, model=policy_model())
    except InvalidPolicy as error:
        return error.problems
    return ()


def test_a_valid_file(tmp_path: Path) -> None:
    """A file on the disk becomes the model of a policy."""
    file = tmp_path / "policy.yml"
    file.write_text(VALID)
    assert load_policy(file, model=policy_model()).scenarios[0].name == "Kill half of the pods"


def test_json_is_yaml() -> None:
    """A policy may be written as JSON."""
    assert load_policy(b'{"scenarios": []}', model=policy_model()).scenarios == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.yml", "No such file or directory"), (".", "Is a directory"), ("nul\0.yml", "embedded null")],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    """What keeps a file from being read is said in one line with the file's name."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_policy(tmp_path / name, model=policy_model(), name=name)
    assert caught.value.message.startswith("can't read ")
    assert caught.value.message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_files_that_may_not_be_read(tmp_path: Path) -> None:
    """A file without permission to read it says so."""
    file = tmp_path / "policy.yml"
    file.write_text(VALID)
    file.chmod(0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        load_policy(file, model=policy_model())


def test_endless_files_end(tmp_path: Path) -> None:
    """No more than the limit is read of a file, however long it is."""
    file = tmp_path / "large.yml"
    with file.open("wb") as large:
        large.truncate(LARGEST_BYTES * 1000)
    with pytest.raises(InvalidPolicy, match="1 problem") as caught:
        load_policy(file, model=policy_model())
    assert "larger than 2 MiB" in caught.value.details


@pytest.mark.parametrize("text", ["[]", "3", "text", "true", "- scenarios: []"])
def test_files_that_hold_no_map(text: str) -> None:
    """The top level is a map; what else stands there is named."""
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(text.encode(), model=policy_model())
    (problem,) = caught.value.problems
    assert "needs a map with the keys: config, scenarios" in problem.message


def test_flaws_of_the_text_make_a_policy_invalid() -> None:
    """A repeated key is an error also where every value is right."""
    with pytest.raises(InvalidPolicy):
        load_policy(b"scenarios: []\nscenarios: []\n", model=policy_model())


@given(st.data())
def test_a_damaged_policy_never_gives_a_traceback(data: st.DataObject) -> None:
    """Whatever slips into a policy, or falls out of it, the answer is a policy or a list of problems with places."""
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        removed = data.draw(st.integers(0, 12))
        added = data.draw(st.text(alphabet="ab1:-[]{}&*!|>'\"%#?,.~ \t\nkillé", max_size=6))
        text = text[:at] + added + text[at + removed :]
    lines = text.count("\n") + 1
    assert [each for each in problems_of(text.encode()) if not (1 <= each.line <= lines and each.column >= 1)] == []


@given(st.binary(max_size=100))
def test_any_bytes_are_a_policy_or_invalid(source: bytes) -> None:
    """Noise gives problems, never a traceback."""
    with pytest.raises(InvalidPolicy):
        load_policy(source, model=policy_model())


@pytest.mark.parametrize("example", POLICIES, ids=lambda path: path.stem)
def test_what_was_read_can_be_written_and_read_again(example: Path) -> None:
    """A policy as data is the policy: nothing is lost in models that were loaded because the file names them."""
    read = load_policy(example, model=policy_model())
    assert policy_model().model_validate(read.model_dump(mode="json"), by_name=False, by_alias=True) == read
