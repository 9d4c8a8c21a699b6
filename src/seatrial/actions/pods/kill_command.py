"""The shell command that kills a container on its machine: the user's own, or that of the container's runtime.

PowerfulSeal knew docker only (`sudo docker kill -s {signal} {container_id}`). `crictl`, the command of containerd and
CRI-O, has nothing that sends a signal, but it tells the container's main process.
"""

import shlex
import string
from typing import Final

from seatrial.actions.machine_shell import as_root, script
from seatrial.errors import UsageError

_FIELDS = frozenset({"signal", "container_id"})
# $1 is the signal, $2 the container. Programs of the runtime may lie beside the path that sudo sets.
_PATH = "PATH=$PATH:/usr/local/bin:/usr/sbin; "
_BY_DOCKER: Final = _PATH + 'docker kill -s "$1" "$2"'
_BY_CRICTL: Final = _PATH + (
    'pid=$(crictl inspect --output go-template --template "{{.info.pid}}" "$2")'
    ' && [ "$pid" -gt 1 ] && kill -s "${1#SIG}" "$pid"'
)
_BY_RUNTIME: Final = {"docker": _BY_DOCKER, "containerd": _BY_CRICTL, "cri-o": _BY_CRICTL}


class KillCommand:
    """A command with `{signal}` and `{container_id}` in it, as PowerfulSeal has it; an empty one is the runtime's own.

    Raises:
        UsageError: it has no `{container_id}`, or something else in braces.
    """

    def __init__(self, template: str = "") -> None:
        self._template = template
        if template and not _is_complete(template):
            raise UsageError(
                f"the kill command '{template}' can't be filled in",
                hint="it needs {container_id}, may have {signal}, and other braces stand twice: {{ }}",
            )

    def filled_in(self, container: str, signal: str) -> str:
        """The command for a container, by its id as the kubelet reports it (`containerd://3f2c...`).

        Raises:
            UsageError: nobody here knows how its runtime kills, and no command is given.
        """
        runtime, _, container_id = container.partition("://")
        if self._template:
            return self._template.format(signal=shlex.quote(signal), container_id=shlex.quote(container_id))
        if runtime not in _BY_RUNTIME:
            raise UsageError(
                f"how containers of {runtime or 'an unknown runtime'} are killed is not known",
                hint="say it: --ssh-kill-command",
            )
        return as_root(script(_BY_RUNTIME[runtime], signal, container_id))


def _is_complete(template: str) -> bool:
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError:
        return False
    return "container_id" in fields and fields <= _FIELDS
