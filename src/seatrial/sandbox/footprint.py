"""What a sandbox costs the machine: memory and processor time of all its processes."""

from dataclasses import dataclass

import psutil

from seatrial.sandbox.leftovers import processes_of


@dataclass(frozen=True)
class Footprint:
    """The sum over all processes of a sandbox.

    Args:
        processes: how many there are.
        memory_bytes: proportional set size: shared pages count once.
        cpu_seconds: processor time used so far.
    """

    processes: int
    memory_bytes: int
    cpu_seconds: float


def footprint_of(sandbox_id: str) -> Footprint:
    """Measure; processes that end meanwhile don't count."""
    count, memory, cpu = 0, 0, 0.0
    for pid in processes_of(sandbox_id):
        try:
            process = psutil.Process(pid)
            memory += process.memory_full_info().pss
            times = process.cpu_times()
        except psutil.Error:
            continue
        count += 1
        cpu += times.user + times.system
    return Footprint(count, memory, cpu)
