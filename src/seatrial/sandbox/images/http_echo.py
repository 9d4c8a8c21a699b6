"""`hashicorp/http-echo`: answers every request with one fixed text (flags -text, -listen, -status-code; ECHO_TEXT)."""

import argparse
from collections.abc import Mapping, Sequence

from seatrial.sandbox.images.serving import complain, listen_address, say, serve


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve the text until stopped; exit code 127 without a text, as the original does."""
    from aiohttp import web  # noqa: PLC0415 -- heavy: only a running server pays for it

    flags = _flags(environ).parse_args(argv[1:])
    if not flags.text:
        complain("Missing -text option or ECHO_TEXT env var!")
        return 127
    host, _, port = flags.listen.rpartition(":")

    async def answer(request: web.Request) -> web.Response:
        say(f'{request.host} {request.remote} "{request.method} {request.path}" {flags.status_code} {len(flags.text)}')
        return web.Response(text=flags.text + "\n", status=flags.status_code, headers={"X-App-Name": "http-echo"})

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_route("*", "/{path:.*}", answer)
    return serve(app, address=listen_address(host, environ), port=int(port))


def _flags(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="http-echo", add_help=False, allow_abbrev=False)
    parser.add_argument("-text", "--text", default=environ.get("ECHO_TEXT", ""))
    parser.add_argument("-listen", "--listen", default=":5678")
    parser.add_argument("-status-code", "--status-code", type=int, default=200)
    return parser
