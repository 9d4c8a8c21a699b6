"""`record`: what was done by hand, written out as a policy."""

from pathlib import Path

import click

from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  record friday.yml
  # to look at it first
  record -
  # from the third thing on, as 'history' counts, without pauses
  record friday.yml --from 3 --no-waits --force
"""
_SHORTEST_NAME = 3
_LONGEST_NAME = 76  # of 80: those after the first have a number behind it


@click.command("record", epilog=_EPILOG)
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--from", "first", type=click.IntRange(min=1), default=1, metavar="N", help="Leave out what was before.")
@click.option("--name", metavar="NAME", help="What the scenario is called.  [default: the file's name]")
@click.option("--waits/--no-waits", default=True, help="Wait between steps as long as you did.  [default: waits]")
@click.option("--force", "-f", is_flag=True, help="Overwrite the file, if there is one.")
@click.pass_obj
async def record(shell: Shell, file: Path, first: int, name: str | None, waits: bool, force: bool) -> None:
    """Write what was done in this session to a file, as a policy; '-' shows it.

    It is one scenario, and one more for what was done after all had been taken back. What was refused, stopped, or
    found nothing is left out. 'seatrial autonomous --policy-file FILE' runs it.
    """
    import shlex

    from seatrial.by_hand.record import recording_of
    from seatrial.policy.wording import counted

    session = shell.session
    deeds = session.deeds[first - 1 :]
    if not deeds:
        raise click.UsageError(f"there is nothing to record{f' from {first} on' if first > 1 else ''}: see 'history'")
    context = session.context.cluster
    recording = recording_of(
        deeds,
        name=name or _name_of(file),
        cluster=f"{context.context_name} ({context.server})" if context.context_name else context.server,
        now=session.context.clock.now(),
        waits=waits,
    )
    if str(file) == "-":
        shell.output.line(recording.text.rstrip("\n"))
        return
    _write(file, recording.text, force=force)
    run = shlex.join(["seatrial", "autonomous", "--policy-file", str(file), *shell.settings.reached_by])
    shell.output.line(f"wrote {counted(recording.steps, 'step')} to {file}; run it: {run}")
    if recording.left_out:
        shell.output.line(f"left out, as stopped or come to nothing: {'; '.join(recording.left_out)}", "dim")


def _name_of(file: Path) -> str:
    """What a scenario may be called, after the file."""
    name = file.stem
    return name if _SHORTEST_NAME <= len(name) <= _LONGEST_NAME else "by hand"


def _write(file: Path, text: str, *, force: bool) -> None:
    from seatrial.errors import UsageError

    try:
        with file.expanduser().open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already", hint="another name, or --force to overwrite it") from None
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another place") from None
