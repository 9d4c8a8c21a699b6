"""The page about the command line: every command with its options, as `--help` tells them."""

from collections.abc import Iterator

import click

from seatrial.cli.main import seatrial

_INTRODUCTION = """# The command line

Written from the code by `make docs`; every command also tells this with `--help`.

Exit codes of every command: 0 success, 1 something failed, 2 wrong usage or an invalid policy, 3 inconclusive or the
cluster did not answer, 4 clean-up incomplete, 130 interrupted (after clean-up).
"""


def commands_page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, *_command(seatrial, root_context())]
    return "\n".join(parts).rstrip() + "\n"


def root_context() -> click.Context:
    """The context of `seatrial` itself, with its settings as in a run: a command keeps the help flags of its first."""
    return click.Context(seatrial, info_name="seatrial", **seatrial.context_settings)


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """A command and all commands below it, each with its context."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from walk(below, click.Context(below, info_name=name, parent=context))


def _command(root: click.Command, context: click.Context) -> Iterator[str]:
    for command, where in walk(root, context):
        level = "##" if where.parent is None or where.parent.parent is None else "###"
        yield from described(command, where, level=level)


def described(command: click.Command, where: click.Context, *, level: str) -> Iterator[str]:
    """A section about one command: what it does, how it is called, its options, examples."""
    usage = f"{where.command_path} {' '.join(command.collect_usage_pieces(where))}"
    yield f"{level} `{where.command_path}`\n"
    yield f"{_paragraphs(command.help)}\n"
    yield f"```\n{usage}\n```\n"
    yield from _options(command, where)
    if command.epilog:
        yield f"```\n{_unmarked(command.epilog)}\n```\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    explained = [(names, meaning) for names, meaning in records if meaning]  # arguments stand in the usage
    if explained:
        yield "| option | meaning |\n|---|---|"
        yield from (f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in explained)
        yield ""


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _unmarked(text: str) -> str:
    return "\n\n".join(part.replace("\b\n", "").replace("\b", "").strip("\n") for part in text.split("\n\n")).rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
