"""Every kubectl on this machine, by its minor version.

They stand in `$SEATRIAL_KUBECTLS` (files or directories), beside this Python's packages (where `kubectl_download` puts
them), in the Google Cloud SDK, which carries several, and on PATH. A file called `kubectl.1.27` is taken by its name;
any other is asked.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

INSTALLED = Path(sys.prefix) / "kubectl"
_CLOUD_SDK = Path("/usr/lib/google-cloud-sdk/bin")
_NAMED = re.compile(r"kubectl\.(\d+\.\d+)")


@functools.cache
def kubectls() -> dict[str, str]:
    """Version (`1.27`) to program, oldest first; of two programs of one version, that of the first place."""
    found: dict[str, str] = {}
    for path in _candidates():
        named = _NAMED.fullmatch(path.name)
        version = named[1] if named else _asked(str(path))
        if version:
            found.setdefault(version, str(path))
    return dict(sorted(found.items(), key=lambda item: order_of(item[0])))


def newest() -> str | None:
    """The newest of them, or None where there is none."""
    return next(reversed(kubectls().values()), None)


def ends() -> dict[str, str]:
    """The oldest and the newest: what a test takes that would learn nothing from those between."""
    found = kubectls()
    return {version: found[version] for version in list(found)[:: max(len(found) - 1, 1)]}


def nearest(version: str) -> tuple[str, str] | None:
    """Version and program of the one that is closest to a version; of two as close, the newer one."""
    wanted = order_of(version)[1]
    found = [(abs(order_of(each)[1] - wanted), -order_of(each)[1], each) for each in kubectls()]
    return (min(found)[2], kubectls()[min(found)[2]]) if found else None


def order_of(version: str) -> tuple[int, int]:
    """A version as numbers that compare."""
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _candidates() -> Iterator[Path]:
    named = (Path(place) for place in os.environ.get("SEATRIAL_KUBECTLS", "").split(os.pathsep) if place)
    for place in (*named, INSTALLED, _CLOUD_SDK):
        found = sorted(place.glob("kubectl*")) if place.is_dir() else [place]
        yield from (path for path in found if path.is_file() and os.access(path, os.X_OK) and not _is_plain(path))
    on_path = shutil.which("kubectl")
    if on_path:
        yield Path(on_path)


def _is_plain(path: Path) -> bool:
    """The Cloud SDK's `kubectl` is one of those beside it."""
    return path == _CLOUD_SDK / "kubectl"


def _asked(program: str) -> str:
    command = [program, "version", "--client", "-o", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        client = json.loads(done.stdout)["clientVersion"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return ""
    minor = re.match(r"\d+", client["minor"])
    return f"{client['major']}.{minor[0]}" if minor else ""
