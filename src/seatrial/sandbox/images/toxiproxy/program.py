"""`toxiproxy-server`: the proxies and their HTTP interface, until it is stopped.

Flags: -host (localhost), -port (8474), -config FILE (proxies to begin with), -seed N, -version. A pod's `localhost`
is the pod itself here, so what listens or connects there does so at the pod's own address.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.sandbox.images.serving import complain, pod_address, say, serve
from seatrial.sandbox.network.low_ports import bindable

_HERE = frozenset({"", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1"})


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM."""
    from seatrial.sandbox.images.toxiproxy.api import VERSION, Api, Refused  # noqa: PLC0415 -- loads aiohttp

    flags = _flags().parse_args(argv[1:])
    if flags.version:
        say(f"toxiproxy-server version {VERSION}")
        return 0

    def address_of(host: str, port: int) -> tuple[str, int]:
        return (pod_address(environ) if host in _HERE else host), bindable(port)

    api = Api(address_of=address_of, randomness=random.Random(flags.seed))  # noqa: S311 -- repeatable, no secret

    async def run() -> None:
        if flags.config:
            try:
                await api.populate(json.loads(await asyncio.to_thread(Path(flags.config).read_text)))
            except (OSError, ValueError, Refused) as error:
                complain(f'level=error msg="Failed to populate proxies from file" config={flags.config} err="{error}"')
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            api.close()

    say(f'level=info msg="Starting Toxiproxy HTTP server" address={flags.host}:{flags.port} version={VERSION}')
    address, _ = address_of(flags.host, flags.port)
    return serve(api.application(), address=address, port=flags.port, background=run)


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toxiproxy-server", allow_abbrev=False)
    for name, default in (("host", "localhost"), ("config", "")):
        parser.add_argument(f"-{name}", f"--{name}", default=default)
    parser.add_argument("-port", "--port", type=int, default=8474)
    parser.add_argument("-seed", "--seed", type=int, default=None)
    for name in ("version", "proxy-metrics", "runtime-metrics"):
        parser.add_argument(f"-{name}", f"--{name}", action="store_true")
    return parser
