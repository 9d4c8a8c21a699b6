"""`python3`: the Python that the sandbox itself runs on, with its standard library alone."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.sandbox.kubelet.container_isolation.root_filesystem import host_path


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become that Python; what packages the sandbox has is not the container's business."""
    own = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    if not Path(own).exists():
        own = host_path(own)
        # A library that it is linked with lies beside it, at a place that only the host knows.
        environ = {"LD_LIBRARY_PATH": host_path(f"{sys.base_prefix}/lib"), **environ}
    # By its own path it finds its standard library.
    os.execve(own, [own, *argv[1:]], dict(environ))  # noqa: S606 -- an argument list, no shell
