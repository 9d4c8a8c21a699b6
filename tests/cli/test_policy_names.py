"""What a policy is called: one name for one file."""

import os
from pathlib import Path

import pytest

from seatrial.cli.policy_names import policy_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("p.yml", "p.yml"),
        ("./p.yml", "p.yml"),
        ("a/../p.yml", "p.yml"),
        ("{here}/p.yml", "p.yml"),
        (Path("a/p.yml"), "a/p.yml"),
        ("{here}/a/p.yml", "a/p.yml"),
        ("../p.yml", "{above}/p.yml"),
        ("{here}-too/p.yml", "{here}-too/p.yml"),
        ("/dev/stdin", "/dev/stdin"),
        ("label mode (namespace default)", "label mode (namespace default)"),
    ],
)
def test_a_file_has_one_name_however_it_is_pointed_at(given, name, tmp_path, monkeypatch):
    """Its path from the working directory, or from the root."""
    monkeypatch.chdir(tmp_path)
    places = {"here": str(tmp_path), "above": str(tmp_path.parent)}
    file = given if isinstance(given, Path) else given.format(**places)
    assert policy_name(file) == name.format(**places)


def test_a_mounted_file_keeps_its_link(tmp_path, monkeypatch):
    """What the link of a ConfigMap leads to has another name after each update."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "p.yml").touch()
    (tmp_path / "p.yml").symlink_to(tmp_path / "..2026" / "p.yml")
    assert policy_name("p.yml") == "p.yml"


@pytest.mark.parametrize(("given", "name"), [("/policies/p.yml", "/policies/p.yml"), ("p.yml", "p.yml")])
def test_in_a_container_paths_are_absolute(given, name, monkeypatch):
    """The working directory is the root there, and everything below it."""
    monkeypatch.chdir(os.sep)
    assert policy_name(given) == name
