"""Which program a container runs: the pod's command and args over the image's ENTRYPOINT and CMD.

Kubernetes, "Define a Command and Arguments for a Container": `command` replaces both, `args` replaces CMD alone;
`$(NAME)` becomes the variable's value, an unknown one is left alone, `$$(NAME)` is a literal `$(NAME)`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from seatrial.sandbox.api import Object

_REFERENCE: Final = re.compile(r"\$\$|\$\(([^()]*)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace the `$(NAME)` of a text."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        return variables.get(name, match.group(0))

    return _REFERENCE.sub(value, text)


def resolve_command(
    container: Object, *, entrypoint: Sequence[str], cmd: Sequence[str], environ: Mapping[str, str]
) -> tuple[str, ...]:
    """The arguments of a container's process, its program first; empty when neither pod nor image name one."""
    command = [expand(word, environ) for word in container.get("command") or ()]
    args = [expand(word, environ) for word in container.get("args") or ()]
    if command:
        return (*command, *args)
    return (*entrypoint, *(args or cmd))
