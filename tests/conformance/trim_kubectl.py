"""Makes `golden/kubectl/` from a folder of recorded kubectl flows: without what went over the wire.

    python -m tests.conformance.trim_kubectl DIR

A replay runs kubectl itself, so it needs the commands and what they printed; the exchanges are nine tenths of the size.
"""

import json
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden" / "kubectl"
_DROPPED = ("exchanges",)


def trim(source: Path, target: Path) -> None:
    """Copy each flow of a folder without its exchanges."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.json")):
        flow = json.loads(path.read_text(encoding="utf-8"))
        for step in flow["steps"]:
            for key in _DROPPED:
                step.pop(key, None)
        (target / path.name).write_text(json.dumps(flow, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    trim(Path(sys.argv[1]), GOLDEN)
