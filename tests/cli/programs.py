"""The program in a process of its own, while the test's loop serves the API server that it talks to."""

import asyncio
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """What a call came to."""

    code: int
    output: str
    errors: str


async def seatrial(*arguments: object, answer: str = "", **environ: str) -> Done:
    """Run `seatrial` to its end; `answer` is typed into it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seatrial", *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(answer.encode()), 100)
    assert process.returncode is not None
    assert b"Traceback" not in errors
    return Done(process.returncode, output.decode(), errors.decode())
