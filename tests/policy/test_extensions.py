"""What other packages add is found, and said by name where it is broken."""

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.policy.extensions import load_extensions
from seatrial.steps.registry import policy_model, step_types
from seatrial.steps.step_type import StepType

MODULE = """
from dataclasses import replace

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
    assert load_extensions("test.songs", StepType)["sing"].key == "sing"


def test_what_nobody_asks_for_is_not_loaded(install: Installer) -> None:
    """A package that is broken is in nobody's way who doesn't use it."""
    install(name="choir", entry="sing = singing_steps:STEP")
    install(name="opera", entry="shout = no_such_module:STEP")
    found = load_extensions("test.songs", StepType)
    assert list(found) == ["shout", "sing"]
    assert found["sing"].key == "sing"
    with pytest.raises(UsageError, match="can't load 'shout'"):
        found["shout"]


def test_a_step_of_another_package_becomes_part_of_policies(install: Installer) -> None:
    """A policy can use the step like a built-in one."""
    install(name="choir", entry="sing = singing_steps:STEP", group="seatrial.steps")
    step_types.cache_clear()
    policy_model.cache_clear()
    try:
        policy = policy_model().model_validate({"scenarios": [{"name": "one", "steps": [{"sing": {"song": "x"}}]}]})
        assert policy.scenarios[0].steps[0].key == "sing"
    finally:
        step_types.cache_clear()
        policy_model.cache_clear()


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
        load_extensions("test.songs", StepType)["sing"]
    assert "choir 1.2" in caught.value.message
    assert caught.value.hint == "upgrade or uninstall choir 1.2"


def test_two_packages_of_one_name(install: Installer) -> None:
    """Nobody has to guess which of two steps of one name runs."""
    install(name="choir", entry="sing = singing_steps:STEP")
    install(name="opera", entry="sing = singing_steps:NOTHING")
    with pytest.raises(UsageError, match="two packages define 'sing'") as caught:
        load_extensions("test.songs", StepType)
    assert "choir 1.2" in caught.value.message
    assert "opera 1.2" in caught.value.message
