"""What other packages add is found, and said by name where it is broken."""

from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.policy.extensions import Extensions
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.steps.registry import policy_model, step_types
from seatrial.steps.step_type import StepType

MODULE = """
from msgspec.structs import replace

from seatrial.policy.base import Model
from seatrial.steps.wait import STEP as WAIT

class Sing(Model):
    "Sing a song."
    song: str
    "Which."

STEP = replace(WAIT, key="sing", model=Sing)
NOTHING = 3
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Installer":
    """Installs packages for the length of a test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return Installer(tmp_path)


class Installer:
    """Writes packages as pip would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *, name: str, entry: str, group: str = "test.songs") -> Distribution:
        """Install a distribution with one entry point, such as `sing = singing_steps:STEP`."""
        module = entry.partition("= ")[2].partition(":")[0]
        if module == "singing_steps":
            (self.folder / "singing_steps.py").write_text(MODULE)
        metadata = self.folder / f"{name}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        return Distribution.at(metadata)


def test_a_step_of_another_package(install: Installer) -> None:
    """An entry point is all that a package needs to add a step."""
    install(name="choir", entry="sing = singing_steps:STEP")
    assert Extensions("test.songs", StepType)["sing"].key == "sing"


def test_what_nobody_asks_for_is_not_loaded(install: Installer) -> None:
    """A package that is broken is in nobody's way who doesn't use it."""
    install(name="choir", entry="sing = singing_steps:STEP")
    install(name="opera", entry="shout = no_such_module:STEP")
    found = Extensions("test.songs", StepType)
    assert list(found) == ["shout", "sing"]
    assert found["sing"].key == "sing"
    with pytest.raises(UsageError, match="can't load 'shout'"):
        found["shout"]


@pytest.fixture
def choir(install: "Installer") -> Iterator[None]:
    """A package that adds the step `sing`."""
    install(name="choir", entry="sing = singing_steps:STEP", group="seatrial.steps")
    step_types.cache_clear()
    policy_model.cache_clear()
    yield
    step_types.cache_clear()
    policy_model.cache_clear()


@pytest.mark.usefixtures("choir")
def test_a_step_of_another_package_becomes_part_of_policies() -> None:
    """A policy can use the step beside built-in ones."""
    steps = [{"wait": {"seconds": 1}}, {"sing": {"song": "x"}}]
    policy = policy_model().model_validate({"scenarios": [{"name": "one", "steps": steps}]})
    assert [step.key for step in policy.scenarios[0].steps] == ["wait", "sing"]
    assert policy_model().model_validate(policy.model_dump()) == policy


@pytest.mark.usefixtures("choir")
@pytest.mark.parametrize("step", ["{}", "{sin: {}}", "{wait: {seconds: 1}, sinng: {}}", "sing"])
def test_what_is_wrong_is_told_in_view_of_all_steps(step: str) -> None:
    """A step that doesn't exist, or none at all, is answered with those of other packages too."""
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(f"scenarios: [{{name: one, steps: [{step}]}}]".encode(), model=policy_model())
    assert "scale, sing, wait, waitFor" in caught.value.details


def test_what_is_built_in_cannot_be_replaced(install: "Installer") -> None:
    """A package that claims a built-in name is not taken instead, and said where all are looked through."""
    install(name="choir", entry="wait = singing_steps:STEP", group="seatrial.steps")
    found = Extensions("seatrial.steps", StepType)
    assert found["wait"].key == "wait"
    with pytest.raises(UsageError, match=r"two packages define 'wait' in seatrial\.steps: .*choir 1\.2"):
        list(found)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("sing = no_such_module:STEP", "No module named 'no_such_module'"),
        ("sing = singing_steps:MISSING", "MISSING"),
        ("sing = singing_steps:NOTHING", "is no StepType"),
    ],
)
def test_broken_packages_are_named(install: Installer, entry: str, reason: str) -> None:
    """The error names the package that has to be upgraded or removed, and why."""
    install(name="choir", entry=entry)
    with pytest.raises(UsageError, match=reason) as caught:
        Extensions("test.songs", StepType)["sing"]
    assert "choir 1.2" in caught.value.message
    assert caught.value.hint == "upgrade or uninstall choir 1.2"


def test_two_packages_of_one_name(install: Installer) -> None:
    """Nobody has to guess which of two steps of one name runs."""
    install(name="choir", entry="sing = singing_steps:STEP")
    install(name="opera", entry="sing = singing_steps:NOTHING")
    with pytest.raises(UsageError, match="two packages define 'sing'") as caught:
        Extensions("test.songs", StepType)["sing"]
    assert "choir 1.2" in caught.value.message
    assert "opera 1.2" in caught.value.message
