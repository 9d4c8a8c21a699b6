"""`systemctl` of a machine: one service, the kubelet, which its init starts, stops and restarts when it dies."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from seatrial.sandbox.kubelet import control

_SERVICE: Final = "kubelet"
# As systemctl(1) has them: not active, not loaded.
_INACTIVE, _NOT_LOADED = 3, 5
_ACTIVE_STATES: Final = {"running": "active", "restarting": "activating", "stopped": "inactive"}
_LOOK_AGAIN_SECONDS: Final = 0.02


def main(_name: str, arguments: Sequence[str]) -> int:
    """Do what the first word says with the unit that the last one names."""
    words = [each for each in arguments if not each.startswith("-")]
    match words:
        case ["start" | "stop" | "restart" as verb, unit]:
            return _change(verb, unit)
        case ["is-active", unit]:
            state = _active_state() if _is_known(unit) else "inactive"
            sys.stdout.write(f"{state}\n")
            return 0 if state == "active" else _INACTIVE
        case ["show", unit]:
            known = _is_known(unit)
            sys.stdout.write(f"LoadState={'loaded' if known else 'not-found'}\n")
            sys.stdout.write(f"ActiveState={_active_state() if known else 'inactive'}\n")
            return 0
    sys.stderr.write("systemctl: a sandbox's machine knows start, stop, restart, is-active, show of one unit\n")
    return 1


def _change(verb: str, unit: str) -> int:
    if not _is_known(unit):
        sys.stderr.write(f"Failed to {verb} {unit}: Unit {unit} not loaded.\n")
        return _NOT_LOADED
    if verb in {"stop", "restart"}:
        _ask({"stop": _SERVICE})
        while _ask({"status": {}})["pid"]:
            time.sleep(_LOOK_AGAIN_SECONDS)
    if verb in {"start", "restart"}:
        _ask({"start": _SERVICE})
    return 0


def _is_known(unit: str) -> bool:
    return unit.removesuffix(".service") == _SERVICE


def _active_state() -> str:
    return _ACTIVE_STATES[_ask({"status": {}})["state"]]


def _ask(message: dict[str, Any]) -> dict[str, Any]:
    """What the machine answers, of its kubelet."""
    kubelet: dict[str, Any] = control.request(Path(os.environ["SEATRIAL_MACHINE"]), message)["kubelet"]
    return kubelet
