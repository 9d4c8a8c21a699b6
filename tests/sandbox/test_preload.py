"""What is loaded before machines are forked, so that nothing has to be read where a container's user may not."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys
from seatrial.sandbox.preload import preload

preload()

class Unreadable:
    def find_spec(self, name, path=None, target=None):
        raise PermissionError(name)

sys.meta_path.insert(0, Unreadable())
from seatrial.sandbox.images.goldpinger.heatmap import draw, thresholds

failed = {"a": {"OK": True, "response": {"podResults": {"b": {"OK": False}}}}}
picture = asyncio.run(draw({"responses": failed}, limits_ms=thresholds({}), names={}))
sys.stdout.buffer.write(picture)
"""


def test_heatmaps_are_drawn_where_nothing_can_be_loaded_any_more() -> None:
    """A user who may not read Python's own files gets pictures all the same."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=60, check=False)
    assert done.stdout.startswith(b"\x89PNG"), done.stderr.decode()
