"""What commands on 200 machines over SSH cost: our connections against bare asyncssh.

A child process is 200 SSH servers, which let everybody in and run nothing: every command ends at once. Children of
another kind send commands to all of them, in turns, with our connections or with a few lines of asyncssh: once with a
new connection for each command, and once several commands over connections that are open. CPU seconds are those of
these children. Run with `python -m benchmarks.ssh`.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

MACHINES = 200
COMMANDS = 5
HANDSHAKES_AT_ONCE = 32
RATE_LIMIT = 0.7


async def serve() -> None:
    """The servers' child: prints their ports, then serves until its input ends."""
    import asyncssh  # noqa: PLC0415 -- each child loads what it needs, and no more

    class Open(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return not username

    def run(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write("done\n")
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    listeners = [
        await asyncssh.listen("127.0.0.1", 0, server_factory=Open, server_host_keys=[key], process_factory=run)
        for _ in range(MACHINES)
    ]
    print(json.dumps([listener.get_port() for listener in listeners]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


Each = Callable[[int], Awaitable[None]]


async def to_all(ports: Sequence[int], work: Each) -> None:
    """Do something with every machine, all at once."""
    async with asyncio.TaskGroup() as group:
        for port in ports:
            group.create_task(work(port))


async def with_seatrial(ports: Sequence[int]) -> tuple[float, float]:
    """Our connections, as the executor uses them; the seconds for a new connection each, and for open ones."""
    from seatrial.remote.ssh_connections import Opening, SshConnections  # noqa: PLC0415 -- see `serve`
    from seatrial.remote.ssh_host_keys import HostKeys  # noqa: PLC0415
    from seatrial.remote.ssh_settings import Address  # noqa: PLC0415

    made = SshConnections(Opening(credentials={"client_keys": None}, host_keys=HostKeys(allow_missing=True)))

    async def run(port: int) -> None:
        result = await made.run(
            Address("127.0.0.1", port, "root"), "true", machine=str(port), timeout_seconds=60, heard=None
        )
        assert result.output == "done\n"

    async def run_often(port: int) -> None:
        for _ in range(COMMANDS):
            await run(port)

    times = await timed(lambda: to_all(ports, run), lambda: to_all(ports, run_often))
    await made.close()
    return times


async def bare(ports: Sequence[int]) -> tuple[float, float]:
    """The least there is to do with asyncssh."""
    import asyncssh  # noqa: PLC0415 -- see `serve`

    room = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
    opened = {}

    async def run(port: int) -> None:
        async with room:
            opened[port] = await asyncssh.connect(
                "127.0.0.1", port, username="root", known_hosts=None, client_keys=None, config=None
            )
        await run_again(port)

    async def run_again(port: int) -> None:
        result = await opened[port].run("true")
        assert result.stdout == "done\n"

    async def run_often(port: int) -> None:
        for _ in range(COMMANDS):
            await run_again(port)

    times = await timed(lambda: to_all(ports, run), lambda: to_all(ports, run_often))
    for connection in opened.values():
        connection.close()
    return times


async def timed(first: Callable[[], Awaitable[None]], second: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """CPU seconds of one after the other: the servers' share of the wall's time says nothing about us."""
    begun = time.process_time()
    await first()
    between = time.process_time()
    await second()
    return between - begun, time.process_time() - between


CLIENTS = {"seatrial": with_seatrial, "bare": bare}


def measure(name: str, ports: str) -> None:
    """A client's child."""
    begun = time.perf_counter()
    new, again = asyncio.run(CLIENTS[name](json.loads(ports)))
    print(json.dumps({"new": new, "again": again, "wall": time.perf_counter() - begun}))


def _child(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.ssh", *arguments]


def compare(rounds: int) -> bool:
    """Run all children in turns and print the table; whether we are within the limit."""
    with subprocess.Popen(_child("serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        ports = servers.stdout.readline().strip()
        results: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
        for _ in range(rounds):
            for name, found in results.items():
                output = subprocess.run(_child("measure", name, ports), check=True, capture_output=True, text=True)
                found.append(json.loads(output.stdout))
        servers.communicate()
    medians = {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]} for name, found in results.items()
    }
    rates = {
        name: {"new": MACHINES / found["new"], "again": MACHINES * COMMANDS / found["again"]}
        for name, found in medians.items()
    }
    print(f"{MACHINES} machines, median of {rounds} runs each; commands per second of CPU")
    print(f"{'':12}{'new connection':>16}{'open connection':>17}{'wall s, all':>13}")
    for name, rate in rates.items():
        print(f"{name:12}{rate['new']:16.0f}{rate['again']:17.0f}{medians[name]['wall']:13.1f}")
    ratios = {key: rates["seatrial"][key] / rates["bare"][key] for key in ("new", "again")}
    print(f"of asyncssh's rate: {ratios['new']:.0%} and {ratios['again']:.0%} (limit {RATE_LIMIT:.0%})")
    return min(ratios.values()) >= RATE_LIMIT


def main() -> None:
    """The command line: compare, or be one of the children."""
    parser = argparse.ArgumentParser(description="What commands on 200 machines over SSH cost.")
    parser.add_argument("role", nargs="?", default="compare", choices=["compare", "serve", "measure"])
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.role == "serve":
        asyncio.run(serve())
    elif given.role == "measure":
        measure(*given.arguments)
    else:
        sys.exit(0 if compare(given.rounds) else 1)


if __name__ == "__main__":
    main()
