"""`busybox`: finds the applet by the name it was called with, as the real one does.

What isn't an applet here is looked for on the host's PATH by the container runtime; `sh` always is the host's shell.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from seatrial.sandbox.images.busybox import coreutils, httpd, networking, tar
from seatrial.sandbox.images.registry import Program
from seatrial.sandbox.images.serving import complain


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the applet; exit code 127 where there is none of that name."""
    name, arguments = PurePath(argv[0]).name, list(argv)
    if name == "busybox":
        arguments = arguments[1:]
        name = arguments[0] if arguments else ""
    applet = _APPLETS.get(name)
    if applet is None:
        complain(f"{name}: applet not found")
        return 127
    return applet(arguments, environ)


def _shell(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    os.execve("/bin/sh", ["sh", *argv[1:]], dict(environ))  # noqa: S606 -- the container's command is a shell


_APPLETS: Mapping[str, Program] = {
    "cat": coreutils.cat,
    "date": coreutils.date,
    "echo": coreutils.echo,
    "env": coreutils.env,
    "false": coreutils.false,
    "hostname": coreutils.hostname,
    "httpd": httpd.main,
    "nc": networking.nc,
    "sh": _shell,
    "sleep": coreutils.sleep,
    "tar": tar.main,
    "true": coreutils.true,
    "wget": networking.wget,
}
