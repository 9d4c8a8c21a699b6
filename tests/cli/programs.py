"""The program in a process of its own, while the test's loop serves the API server that it talks to."""

import asyncio
import os
from dataclasses import dataclass

from tests.programs import Process


@dataclass(frozen=True)
class Done:
    """What a call came to."""

    code: int
    output: str
    errors: str


async def seatrial(*arguments: object, answer: str = "", **environ: str) -> Done:
    """Run `seatrial` to its end; `answer` is typed into it."""
    return await asyncio.to_thread(_run, [*map(str, arguments)], answer, {**os.environ, **environ})


def _run(arguments: list[str], answer: str, environ: dict[str, str]) -> Done:
    with Process(arguments, environ=environ) as process:
        output, errors = process.communicate(answer, timeout=100)
        assert "Traceback" not in errors
        return Done(process.wait(), output, errors)
