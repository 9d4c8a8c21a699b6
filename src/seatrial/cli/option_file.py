"""Options from a YAML file, `seatrial --config FILE COMMAND`: a key for each, called like its flag without the dashes.

One file may serve several commands: a key that only another command knows is left out.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from seatrial.errors import ConfigurationError


def defaults_from(file: str, context: click.Context) -> dict[str, Any]:
    """What the file says for the command that was called, by the names of its parameters.

    Raises:
        ConfigurationError: the file can't be read, is no map, or has a key that no command knows.
    """
    said = _read(Path(file))
    group = context.command
    assert isinstance(group, click.Group)  # noqa: S101 -- for the type checker
    known = _parameters(group, str(context.invoked_subcommand), context)
    if unknown := [key for key in said if key not in known]:
        _refuse_strangers(file, unknown, group, context)
    return {str(known[key].name): _value(file, known[key], key, said[key]) for key in said if key in known}


def _value(file: str, option: click.Option, key: str, value: Any) -> Any:
    """The value as click takes it: many where the flag may be given again, else one."""
    values = value if isinstance(value, list) and option.multiple else [value]
    if not all(isinstance(each, str | int | float) for each in values):
        kind = "a text, a number, true or false" + (", or a list of these" if option.multiple else "")
        raise ConfigurationError(f"{file}: the value of '{key}' is none that the flag takes", hint=f"it is {kind}")
    return values if option.multiple else values[0]


def _refuse_strangers(file: str, keys: list[str], group: click.Group, context: click.Context) -> None:
    everywhere = {key for name in group.list_commands(context) for key in _parameters(group, name, context)}
    for key in keys:
        if key not in everywhere:
            meant = get_close_matches(key, everywhere, n=1)
            hint = f"did you mean '{meant[0]}'?" if meant else "keys are called like flags, without the dashes"
            raise ConfigurationError(f"{file}: no command has an option '{key}'", hint=hint)


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        said = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"can't read {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ConfigurationError(f"{file} is nested too deeply") from None
    if said is None:
        return {}
    if not isinstance(said, dict) or not all(isinstance(key, str) for key in said):
        raise ConfigurationError(f"{file} is no map of options", hint="a line reads 'prometheus-port: 9001'")
    return said


def _parameters(group: click.Group, name: str, context: click.Context) -> dict[str, click.Option]:
    """The options of a command, by what a file calls them."""
    command = group.get_command(context, name)
    options = [each for each in command.params if isinstance(each, click.Option)] if command else []
    return {key: each for each in options for key in _keys(each)}


def _keys(option: click.Option) -> Iterator[str]:
    for name in option.opts:
        if name.startswith("--"):
            yield name.removeprefix("--")
