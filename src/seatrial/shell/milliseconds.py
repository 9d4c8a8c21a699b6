"""Short times as people type them: `250ms`, `1.5s`, or a number, which is milliseconds."""

import re

import click

_FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|)")
_UNITS = {"ms": 1.0, "": 1.0, "s": 1000.0}


class Milliseconds(click.ParamType[int]):
    """Whole milliseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a time.

        Raises:
            click.BadParameter: it is none.
        """
        if isinstance(value, int):
            return value
        found = _FORM.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no time such as 250ms or 1.5s", param, ctx)
        return round(float(found[1]) * _UNITS[found[2]])


MILLISECONDS = Milliseconds()
