"""A machine in a process of its own, for the tests: its settings are JSON in its argument."""

import sys
from pathlib import Path

import msgspec

from seatrial.sandbox.kubelet.machine import MachineConfig, run_machine


def _path(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(wanted)


if __name__ == "__main__":
    run_machine(msgspec.json.decode(sys.argv[1], type=MachineConfig, dec_hook=_path))
