"""`sh` of images that hold programs of their own: `sh -c "iptables ... && iptables ..."` finds them.

The host's shell knows nothing of programs that exist only inside the sandbox. So a script that is nothing but their
commands, one after the other, is carried out here; every other goes to the host's shell.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence

from seatrial.sandbox.images.registry import Program

_SPECIAL = re.compile(r"[$`|<>(){}*?~#\[\]]|!(?! )|&(?!&)(?<!&&)")
_SEPARATORS = re.compile(r"\s*(&&|;|\n)\s*")

Command = tuple[str, list[str]]
"""What joins a command to the one before it, and its words."""


def run(argv: Sequence[str], environ: Mapping[str, str], programs: Mapping[str, Program]) -> int:
    """Be a shell with these programs at hand."""
    script = argv[2] if len(argv) == 3 and argv[1] in ("-c", "-ec", "-xc") else ""
    commands = plain_commands(script, programs)
    if not commands:
        os.execve("/bin/sh", ["sh", *argv[1:]], dict(environ))  # noqa: S606 -- the container's command is a shell
    code = 0
    for joint, words in commands:
        if code and (joint == "&&" or argv[1] == "-ec"):
            break
        code = programs[words[0].rpartition("/")[2]](words, environ)
    return code


def plain_commands(script: str, programs: Mapping[str, Program]) -> list[Command]:
    """The commands of a script that needs no shell to be understood; empty for any other."""
    if _SPECIAL.search(script):
        return []
    pieces = ["", *_SEPARATORS.split(script.strip().rstrip(";"))]
    found = []
    for joint, text in zip(pieces[::2], pieces[1::2], strict=True):
        try:
            words = shlex.split(text)
        except ValueError:
            return []
        words = words[1:] if words[:1] == ["sudo"] else words
        if not words or words[0].rpartition("/")[2] not in programs:
            return []
        found.append((joint, words))
    return found
