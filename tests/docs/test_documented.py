"""What a user can meet has documentation, and the reference is what the code says."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest

import seatrial
from seatrial.cli.main import seatrial as command_line
from seatrial.policy.documentation import documentation_of
from seatrial.reference import pages
from seatrial.reference.commands import root_context, walk
from seatrial.reference.event_log import event_kinds
from seatrial.reference.language import models
from seatrial.runtime import events
from seatrial.runtime.events import Event
from seatrial.shell.command_table import COMMANDS as SHELL_COMMANDS
from seatrial.shell.command_table import by_section, group

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file())
MODULES = sorted(
    info.name for info in pkgutil.walk_packages(seatrial.__path__, "seatrial.") if "__main__" not in info.name
)
COMMANDS = list(walk(command_line, root_context()))


@pytest.fixture(scope="module", name="reference")
def _reference():
    """The pages that `make docs` would write: making them takes seconds."""
    return pages()


def test_every_module_says_what_it_is():
    """Each module has a docstring."""
    assert [name for name in MODULES if not (importlib.import_module(name).__doc__ or "").strip()] == []


def test_the_reference_is_what_the_code_says(reference):
    """`make docs` would change no page in docs/reference, and there is no other page."""
    committed = {page.name: page.read_text() for page in (ROOT / "docs" / "reference").iterdir()}
    assert committed == reference


@pytest.mark.parametrize(("command", "context"), COMMANDS, ids=lambda each: getattr(each, "command_path", ""))
def test_every_command_and_flag_is_explained(command, context, reference):
    """Each command has a help text, an option for each parameter says what it does, and the reference has them all."""
    page = reference["command-line.md"]
    assert command.help
    assert f"`{context.command_path}`" in page
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert all(f"`{name}" in page or f", {name}" in page for name in parameter.opts), parameter.opts


@pytest.mark.parametrize("name", SHELL_COMMANDS)
def test_every_command_of_the_shell_is_explained_with_examples(name, reference):
    """Each has a help text, a sentence for each option, examples that call it, and a place in the reference."""
    root = click.Context(group, info_name="", **group.context_settings)
    command = group.get_command(root, name)
    assert command.name == name
    assert command.help
    assert [each.name for each in command.params if isinstance(each, click.Option) and not each.help] == []
    examples = (command.epilog or "").partition("Examples:\n")[2].splitlines()
    assert [line for line in examples if re.match(rf"\s*{name}\b", line)]
    assert f"### `{name}`\n" in reference["shell.md"]


def test_help_of_the_shell_lists_every_command_once():
    """Each command has a section of `help`, and a summary that fits a window of 80 columns."""
    listed = [name for names in by_section().values() for name in names]
    assert sorted(listed) == sorted(SHELL_COMMANDS)
    assert [name for name, entry in SHELL_COMMANDS.items() if len(entry.summary) > 56] == []


@pytest.mark.parametrize(("title", "model"), models(), ids=lambda each: each if isinstance(each, str) else "")
def test_every_key_of_the_language_is_explained(title, model, reference):
    """Each step, action, matcher, filter and option has a sentence, and the reference has them all."""
    page = reference["policy.md"]
    assert model.__doc__
    assert f"## {title}\n" in page
    for name, field in model.model_fields.items():
        assert documentation_of(model).get(name), f"{model.__name__}.{name}"
        assert f"| `{field.alias or name}` |" in page


def test_the_page_of_events_has_every_kind():
    """A topic that is added to the package of events is one of the page's, too."""
    exported = [getattr(events, name) for name in events.__all__]
    kinds = {each for each in exported if isinstance(each, type) and issubclass(each, Event)} - {Event}
    assert set(event_kinds()) == kinds


@pytest.mark.parametrize("kind", event_kinds(), ids=lambda kind: kind.__name__)
def test_every_event_is_explained(kind):
    """Each event of the log has a docstring of its own."""
    assert kind.__dict__.get("__doc__")
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link of a page names a file, and every anchor a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            headings = {_anchor(line) for line in file.read_text().splitlines() if line.startswith("#")}
            assert anchor in headings, target


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_shown_somewhere(example):
    """A page tells about each example."""
    assert any(f"{example.relative_to(ROOT)}" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*/*.md")), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_is_in_the_list_of_pages(page):
    """Whoever begins at docs/README.md finds it."""
    assert f"({page.relative_to(ROOT / 'docs')})" in (ROOT / "docs" / "README.md").read_text()


def test_every_test_says_what_it_specifies():
    """Each test function has a docstring: the tests read as the specification."""
    silent = []
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and node.name.startswith("test_") and not ast.get_docstring(node):
                silent.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert silent == []


def _anchor(heading):
    text = heading.lstrip("#").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
