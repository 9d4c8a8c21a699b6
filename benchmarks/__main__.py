"""All benchmarks, one after the other: `make bench`; with a word, those whose names begin with it.

The exit code tells whether every limit was kept.
"""

import subprocess
import sys
from pathlib import Path


def main(beginning: str = "") -> int:
    """Run each module of this folder in a process of its own, so that none warms up or weighs down another."""
    names = sorted(path.stem for path in Path(__file__).parent.glob(f"{beginning or '[!_]'}*.py"))
    exceeded = []
    for name in names:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            exceeded.append(name)
    print(f"limits exceeded in: {', '.join(exceeded)}" if exceeded else "all limits kept")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
