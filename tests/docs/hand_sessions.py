"""Pages that show the interactive shell: what is typed there is typed in a pseudo-terminal, and compared with the page.

In a transcript of the language `console`, a line that begins with `$ ` is a command of bash, one that begins with
`seatrial> ` is typed into the shell that the last `$ seatrial interactive` began; a question is answered with `y`. What
happens in the background is told between commands sooner or later, so lines are compared for each block, not each
command, whatever their order.

    python -m tests.docs.hand_sessions docs/tutorial/first-hour.md    writes the page's outputs anew
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pexpect

from tests.docs.transcripts import ROOT

_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
_PROMPT = "seatrial> "
_QUESTION = r"\[y/N\] "
_PATIENCE_SECONDS = 60
_COLUMNS = 110


@dataclass(frozen=True)
class Typed:
    """What is typed at a prompt, and what the page shows below it."""

    prompt: str
    text: str
    output: str = ""


def blocks_of(page: str) -> list[list[Typed]]:
    """What is typed in each transcript of a page."""
    return [list(_typed_in(block)) for block in _BLOCK.findall(page)]


def _typed_in(block: str) -> Iterator[Typed]:
    parts = re.split(r"^(\$ |seatrial> )", block, flags=re.MULTILINE)[1:]
    for prompt, rest in zip(parts[::2], parts[1::2], strict=True):
        text, _, output = rest.partition("\n")
        yield Typed(prompt, text, output.strip("\n"))


def carried_out(blocks: list[list[Typed]], environ: Mapping[str, str], directory: Path) -> list[list[Typed]]:
    """The same with what is printed here; commands run in that directory."""
    session = _Session({**environ, "TERM": "dumb", "COLUMNS": str(_COLUMNS)}, directory)
    try:
        return [[replace(each, output=session.do(each)) for each in block] for block in blocks]
    finally:
        session.close()


class _Session:
    def __init__(self, environ: dict[str, str], directory: Path) -> None:
        self._environ = environ
        self._directory = directory
        self._shell: pexpect.spawn[str] | None = None

    def do(self, typed: Typed) -> str:
        if typed.prompt == _PROMPT:
            return self._type(typed.text)
        if typed.text.startswith("seatrial interactive"):
            self._shell = pexpect.spawn(
                "bash", ["-c", f"exec {typed.text}"], env=self._environ, cwd=str(self._directory), encoding="utf-8",
                dimensions=(60, _COLUMNS), timeout=_PATIENCE_SECONDS,
            )  # fmt: skip
            self._shell.delaybeforesend = None
            self._shell.expect_exact(_PROMPT)
            return _as_lines(self._shell.before)
        done = subprocess.run(
            ["bash", "-c", typed.text], env=self._environ, cwd=self._directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_PATIENCE_SECONDS, check=False, text=True,
        )  # fmt: skip
        return done.stdout.rstrip("\n")

    def close(self) -> None:
        if self._shell is not None:
            self._shell.close(force=True)

    def _type(self, text: str) -> str:
        assert self._shell is not None
        self._shell.sendline(text)
        self._shell.expect_exact(f"{text}\r\n")
        printed = self._shell.before.replace(_PROMPT, "")  # told in the background since the last prompt
        while self._shell.expect([_PROMPT, _QUESTION, pexpect.EOF]) == 1:
            printed += self._shell.before + self._shell.after
            self._shell.sendline("y")
        return _as_lines(printed + self._shell.before)


def _as_lines(printed: str) -> str:
    return "\n".join(line.rstrip() for line in printed.replace("\r\n", "\n").splitlines()).strip("\n")


def rewritten(page: str, blocks: list[list[Typed]]) -> str:
    """The page with these outputs."""
    remaining = iter(blocks)

    def block(_found: re.Match[str]) -> str:
        lines = [[f"{each.prompt}{each.text}", *([each.output] if each.output else [])] for each in next(remaining)]
        return "".join(f"{line}\n" for typed in lines for line in typed)

    return _BLOCK.sub(block, page)


def environment(home: Path) -> dict[str, str]:
    """What a reader has: `seatrial` on the PATH, and a home."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "SEATRIAL_STATE_DIR": str(home / "state")}


def prepared(directory: Path) -> Path:
    """A directory with the examples, as the checkout has them."""
    (directory / "examples").symlink_to(ROOT / "examples")
    return directory


def main() -> None:
    """Write a page's outputs anew."""
    page = Path(sys.argv[1])
    text = page.read_text()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        blocks = carried_out(blocks_of(text), environment(home), prepared(home))
        page.write_text(rewritten(text, blocks).replace(str(home / "state"), "~/.local/state/seatrial"))


if __name__ == "__main__":
    main()
