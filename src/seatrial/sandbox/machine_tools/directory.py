"""The directory of a machine's own programs: small scripts that start them, first on the PATH of its commands."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAMES: Final = ("ip6tables", "iptables", "nft", "pgrep", "pkill", "stress-ng", "systemctl")
_PYTHON: Final = """#!/bin/sh
exec {python} -P -m {package} {name} "$@"
"""
# Options of sudo that stand before the command; none of them means anything where nobody becomes root.
_SUDO: Final = """#!/bin/sh
while :; do
  case $1 in
    --) shift; break;;
    -n|-E|-H|-k|-S|--non-interactive) shift;;
    -u|-g) shift 2;;
    *) break;;
  esac
done
exec "$@"
"""


def machine_environ(machine: Path, node_name: str) -> Mapping[str, str]:
    """What a command on a machine finds in its environment; writes the programs where they are not there.

    Args:
        machine: the machine's directory.
        node_name: what `NODE_NAME` says.
    """
    programs = machine / "bin"
    if not (programs / "sudo").exists():
        _write(programs)
    path = os.environ.get("PATH") or os.defpath
    return {
        **os.environ,
        "NODE_NAME": node_name,
        "PATH": f"{programs}{os.pathsep}{path}",
        "SEATRIAL_MACHINE": str(machine),
        "SEATRIAL_MACHINE_PID": str(os.getpid()),
    }


def _write(programs: Path) -> None:
    programs.mkdir(exist_ok=True, mode=0o700)
    python, package = shlex.quote(sys.executable), __package__
    scripts = {name: _PYTHON.format(python=python, package=package, name=name) for name in NAMES}
    # The last to be written tells that the others are there.
    for name, text in {**scripts, "sudo": _SUDO}.items():
        draft = programs / f".{name}"
        draft.write_text(text)
        draft.chmod(0o700)
        draft.rename(programs / name)
