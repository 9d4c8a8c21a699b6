"""`httpd`: busybox's web server (`-f`, `-p [ADDRESS:]PORT`, `-h DIRECTORY`)."""

import argparse
from collections.abc import Mapping, Sequence

from seatrial.sandbox.images.files import file_below, mounted
from seatrial.sandbox.images.serving import listen_address, serve


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve a directory of the pod's volumes; without `-f` it goes to the background, so the container ends."""
    from aiohttp import web  # noqa: PLC0415 -- heavy: only a running server pays for it

    flags = argparse.ArgumentParser(prog="httpd", add_help=False)
    flags.add_argument("-f", action="store_true")
    flags.add_argument("-v", action="count")
    flags.add_argument("-p", default="80")
    flags.add_argument("-h", default=".", dest="home")
    asked = flags.parse_args(argv[1:])
    if not asked.f:
        return 0
    root = mounted(asked.home, environ)

    async def answer(request: web.Request) -> web.StreamResponse:
        file = file_below(root, request.path)
        return web.FileResponse(file) if file else web.Response(status=404, text="404 Not Found\n")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    host, _, port = asked.p.rpartition(":")
    return serve(app, address=listen_address(host, environ), port=int(port))
