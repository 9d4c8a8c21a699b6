"""How long `seatrial --version` takes, against the least a click program can take.

Run it with `python -m benchmarks.start_up`; it fails when the command takes more than twice as long as its peer.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
MOST_RATIO = 2.0
PEER = "import click; click.version_option('1', prog_name='x')(click.command()(lambda: None)).main(['--version'])"


def seconds(*arguments: str) -> float:
    """Wall-clock time of a Python process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> int:
    """Print a table; the exit code tells whether the limit is kept."""
    pairs = [(seconds("-m", "seatrial", "--version"), seconds("-c", PEER)) for _ in range(ROUNDS + 1)][1:]
    ours, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"time to the version, median of {ROUNDS}")
    print(f"  click and nothing else   {statistics.median(theirs) * 1000:6.0f} ms")
    print(f"  seatrial --version       {statistics.median(ours) * 1000:6.0f} ms")
    verdict = "ok" if ratio <= MOST_RATIO else "TOO SLOW"
    print(f"  ratio                    {ratio:6.2f}      limit {MOST_RATIO}   {verdict}")
    return 0 if ratio <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
