"""`nginx`: a web server on port 80 with a welcome page, or the files of a volume.

It serves what is mounted at /usr/share/nginx/html, answers 404 and 405 as nginx does, writes its access log in the
combined form to standard output, and that it starts to standard error. Configuration files aren't read.
"""

import datetime as dt
import mimetypes
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.sandbox.images.files import file_below, mounted
from seatrial.sandbox.images.serving import complain, listen_address, say, serve

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

_WELCOME = (
    "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n"
)
_SERVER = "nginx/1.27.0"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM, SIGINT or SIGQUIT; `-v` prints the version."""
    from aiohttp import web  # noqa: PLC0415 -- heavy: only a running server pays for it

    if "-v" in argv[1:]:
        complain(f"nginx version: {_SERVER}")
        return 0
    for notice in (_SERVER, "start worker processes", "start worker process 2"):
        complain(f"{dt.datetime.now(dt.UTC):%Y/%m/%d %H:%M:%S} [notice] 1#1: {notice}")
    root = mounted("usr/share/nginx/html", environ)
    app = web.Application(middlewares=[_access_log()])
    app.router.add_route("*", "/{path:.*}", lambda request: _answer(request, root))
    stop = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    return serve(app, address=listen_address("", environ), port=80, stop_signals=stop)


async def _answer(request: "web.Request", root: Path | None) -> "web.StreamResponse":
    from aiohttp import web  # noqa: PLC0415 -- loaded by `main`

    if request.method not in ("GET", "HEAD"):
        return _error(405, "Not Allowed")
    file = file_below(root, request.path)
    if file is None and root is None and request.path in ("/", "/index.html"):
        return _page(200, _WELCOME)
    if file is None:
        return _error(404, "Not Found")
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return web.FileResponse(file, headers={"Content-Type": content_type})


def _error(status: int, reason: str) -> "web.Response":
    title = f"{status} {reason}"
    return _page(
        status,
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>{_SERVER}</center>\r\n</body>\r\n</html>\r\n",
    )


def _page(status: int, text: str) -> "web.Response":
    from aiohttp import web  # noqa: PLC0415 -- loaded by `main`

    headers = {"Server": _SERVER, "Content-Type": "text/html"}
    return web.Response(status=status, body=text.encode(), headers=headers)


def _access_log() -> "Middleware":
    from aiohttp import web  # noqa: PLC0415 -- loaded by `main`

    @web.middleware
    async def log(request: web.Request, handler: "Handler") -> web.StreamResponse:
        response = await handler(request)
        when = dt.datetime.now(dt.UTC).strftime("%d/%b/%Y:%H:%M:%S %z")
        line = f"{request.method} {request.raw_path} HTTP/{request.version.major}.{request.version.minor}"
        agent = request.headers.get("User-Agent", "-")
        size = response.content_length or 0
        say(f'{request.remote} - - [{when}] "{line}" {response.status} {size} "-" "{agent}" "-"')
        return response

    return log
