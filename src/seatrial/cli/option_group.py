"""Options that belong together: one value for the command, one section of its help; and flags that a variable may set.

A command that takes metrics, guardrails and machines would have forty parameters otherwise, and a help nobody reads.
"""

import functools
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FALSE = frozenset({"", "0", "false", "no", "off"})
_SECTION = "section"
_SECRETS = frozenset({"ssh_password", "store"})  # a store's address may hold a password
_SAID = frozenset({click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP})


def option_group(
    parameter: str, make: Callable[..., object], *options: Callable[[F], F], section: str = ""
) -> Callable[[F], F]:
    """Add options to a command; what `make` makes of their values is the command's argument `parameter`.

    `make` is called with the values by name, while the command's context is the current one. A `SectionedCommand`
    lists the options under `section` in its help.
    """

    def decorate(command: F) -> F:
        names: list[str] = []

        @functools.wraps(command)
        def grouped(**given: Any) -> Any:
            mine = {name: given.pop(name) for name in names}
            return command(**given, **{parameter: make(**mine)})

        before = len(getattr(grouped, "__click_params__", ()))
        for add in reversed(options):
            grouped = add(grouped)
        added = getattr(grouped, "__click_params__", [])[before:]
        for each in added:
            vars(each).setdefault(_SECTION, section)
        names += [each.name for each in added if each.expose_value]
        return grouped  # type: ignore[return-value] # it is the command with other parameters

    return decorate


def in_section(heading: str, *options: Callable[[F], F]) -> tuple[Callable[[F], F], ...]:
    """Options of a group that a `SectionedCommand` lists under a heading of their own."""

    def marked(add: Callable[[F], F]) -> Callable[[F], F]:
        @functools.wraps(add)
        def decorate(command: F) -> F:
            decorated = add(command)
            vars(getattr(decorated, "__click_params__", [])[-1])[_SECTION] = heading
            return decorated

        return decorate

    return tuple(marked(each) for each in options)


class SectionedCommand(click.Command):
    """A command whose help lists the options of each group under a heading of their own, the ungrouped ones first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        sections: dict[str, list[tuple[str, str]]] = {"": []}
        for each in self.get_params(ctx):
            if record := each.get_help_record(ctx):
                sections.setdefault(vars(each).get(_SECTION, ""), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading or "Options"):
                formatter.write_dl(records)


class VariableFlag(click.Option):
    """A flag whose variable counts as set unless it says `false`, `0`, `no`, `off` or nothing."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """What the variable says, in words that click takes for a truth value."""
        value = super().resolve_envvar_value(ctx)
        return None if value is None else str(value.strip().lower() not in _FALSE)


def flag(name: str, help_: str, *, variable: str | None = None) -> Callable[[F], F]:
    """A flag without a value, `variable` being its fallback."""
    return click.option(
        name, is_flag=True, cls=VariableFlag, envvar=variable, show_envvar=variable is not None, help=help_
    )


def is_given(name: str) -> bool:
    """Whether the command line itself (no variable, no file, no default) says that parameter."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def given_again(*, without: Collection[str]) -> list[str]:
    """The options that the command line or the option file says, as words for another command line.

    Passwords are left out, and the parameters that `without` names; what variables say is still there the next time.
    """
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        if not isinstance(option, click.Option) or name in without or name in _SECRETS:
            continue
        if context.get_parameter_source(name) in _SAID:
            words += _words_of(option, context.params[name])
    return words


def _words_of(option: click.Option, value: Any) -> list[str]:
    long = next((each for each in option.opts if each.startswith("--")), option.opts[0])
    if option.is_flag:
        return [long] if value else option.secondary_opts[:1]
    return [word for each in (value if option.multiple else [value]) for word in (long, str(each))]
