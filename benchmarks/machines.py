"""How fast machines are listed and stopped on AWS: the driver against bare boto3, on the same server in the same run.

Run it with `python -m benchmarks.machines`; it fails when listing 200 instances takes more than 1.5 times as long as
bare boto3 takes, or stopping 50 in parallel more than 2.5 times. The bare program stops as many at once, in threads of
its own, and asks until each is stopped: two requests. The driver asks before, too, whether a change is under way. The
server is moto's, in a process of its own, which answers one request at a time and so makes each request count.
"""

import asyncio
import logging
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from benchmarks._programs import median_ratio
from seatrial.actions.parallel import in_parallel
from seatrial.machines.aws import AwsMachines
from seatrial.machines.aws_api import AwsApi
from seatrial.machines.driver import MachineState

MACHINES = 200
STOPPED = 50
AT_ONCE = 16  # the driver's own number of threads
ROUNDS = 5
MOST_FOR_LIST = 1.5
MOST_FOR_STOP = 2.5
REGION = "eu-west-1"
_IMAGE = "ami-12c6146b"  # one that moto knows
_CONFIG = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=AT_ONCE)


def serve(ready: Connection, done: Connection) -> None:
    """Amazon's API; runs in a process of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    ready.send("http://{}:{}".format(*server.get_host_and_port()))
    done.recv()
    server.stop()


class Bare:
    """The plainest program that lists and stops instances."""

    def __init__(self) -> None:
        self._client = boto3.client("ec2", region_name=REGION, config=_CONFIG)

    def launch(self, count: int) -> list[str]:
        """Make instances."""
        made = self._client.run_instances(ImageId=_IMAGE, MinCount=count, MaxCount=count)
        return [each["InstanceId"] for each in made["Instances"]]

    def list(self) -> int:
        """How many there are."""
        pages = self._client.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 1000})
        return sum(len(each["Instances"]) for page in pages for each in page["Reservations"])

    def stop(self, machine_id: str) -> None:
        """Stop one, and wait until it is stopped."""
        self._client.stop_instances(InstanceIds=[machine_id])
        while self._state(machine_id) != "stopped":
            time.sleep(0.01)

    def start(self, machine_ids: Sequence[str]) -> None:
        """Start them all with one request."""
        self._client.start_instances(InstanceIds=list(machine_ids))

    def _state(self, machine_id: str) -> Any:
        found = self._client.describe_instances(InstanceIds=[machine_id])
        return found["Reservations"][0]["Instances"][0]["State"]["Name"]


async def measure() -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of ours and of theirs, taken in turns, after a round to warm up."""
    bare, driver = Bare(), AwsMachines(AwsApi(), [REGION])
    ids = bare.launch(MACHINES)[:STOPPED]
    taken: dict[str, tuple[list[float], list[float]]] = {"list": ([], []), "stop": ([], [])}
    for number in range(ROUNDS + 1):
        for name, (ours, theirs) in taken.items():
            one = await (_list(driver) if name == "list" else _stop(driver, ids))
            bare.start(ids)
            other = _bare_list(bare) if name == "list" else _bare_stop(bare, ids)
            bare.start(ids)
            if number:
                ours.append(one)
                theirs.append(other)
    await driver.close()
    return taken


async def _list(driver: AwsMachines) -> float:
    begun = time.perf_counter()
    found = await driver.list()
    seconds = time.perf_counter() - begun
    assert len(found) == MACHINES
    return seconds


def _bare_list(bare: Bare) -> float:
    begun = time.perf_counter()
    found = bare.list()
    seconds = time.perf_counter() - begun
    assert found == MACHINES
    return seconds


async def _stop(driver: AwsMachines, ids: Sequence[str]) -> float:
    begun = time.perf_counter()
    await in_parallel(ids, driver.stop, most=STOPPED)
    seconds = time.perf_counter() - begun
    assert (await driver.describe(ids[-1])).state is MachineState.DOWN
    return seconds


def _bare_stop(bare: Bare, ids: Sequence[str]) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(bare.stop, ids))
    return time.perf_counter() - begun


def main() -> int:
    """Print a table; the exit code tells whether the limits are kept."""
    context = multiprocessing.get_context("spawn")
    (url, ready), (done, finish) = context.Pipe(duplex=False), context.Pipe(duplex=False)
    server = context.Process(target=serve, args=(ready, done), daemon=True)
    server.start()
    access = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": url.recv()}
    os.environ |= access
    taken = asyncio.run(measure())
    finish.send("done")
    server.join(timeout=30)
    print(f"instances on AWS, moto's server, median of {ROUNDS}")
    kept = True
    for name, count, most in (("list", MACHINES, MOST_FOR_LIST), ("stop", STOPPED, MOST_FOR_STOP)):
        ours, theirs = taken[name]
        ratio = median_ratio(ours, theirs)
        kept = kept and ratio <= most
        print(f"  {name} {count:3}, bare boto3   {statistics.median(theirs) * 1000:8.0f} ms")
        print(f"  {name} {count:3}, driver       {statistics.median(ours) * 1000:8.0f} ms")
        print(f"  ratio                 {ratio:8.2f}     limit {most}   {'ok' if ratio <= most else 'TOO SLOW'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
