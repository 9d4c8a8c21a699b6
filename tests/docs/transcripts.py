"""Pages that show a terminal: their commands are run, and what they print is compared with what the page shows.

A transcript is a fenced block of the language `console`; a line that begins with `$ ` is a command, the lines up to the
next one are its output. What differs from run to run (ages, addresses, generated names) is compared by its form.

    python -m tests.docs.transcripts docs/tutorial/sandbox.md    writes the page's outputs anew
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
_END = "--- end of output ---"
_SECONDS = 60
# What says how busy the machine was: the way to a rollout's end, and what kubectl logs when it ends its own watch.
_BY_THE_WAY = re.compile(r'Waiting for deployment |I\d{4} .*"Warning: watch ended with error".*: context canceled')
_STATE = "~/.local/state/seatrial"  # where a reader's sandboxes are
_VARIES = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UID"),  # parts of one may look like an age
    (re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+\+00:00"), "TIME"),
    (re.compile(r"\brun [0-9a-f]{12}\b|\b[0-9a-f]{12} of\b"), "RUN"),
    (re.compile(r"TIME by \S+?,"), "TIME by USER,"),
    (re.compile(r"\b127\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"\b[0-9a-f]{12}-node"), "ID-node"),
    (re.compile(r"-[0-9a-f]{6,10}-[a-z0-9]{5}\b"), "-HASH-SUFFIX"),
    (re.compile(r"\b(\d+[dhms])+\b"), "AGE"),
    (re.compile(r"\b(\d+\.\d+ s|\d+ ms)\b"), "SECONDS"),
    (re.compile(r"\b\d+ of \d+ samples failed(, for SECONDS at the longest)?"), "SAMPLES"),
    (re.compile(r"\b\d+ from node\d+ to node\d+"), "MOVE"),
    (re.compile(r"\b\d+m?( +\d+%| +\d+Mi)"), "USE"),
    (re.compile(r"\b\d+Mi\b"), "USE"),
    (re.compile(r"\(\d+ nodes? .*\)"), "NODES"),
    (re.compile(r"(~/\.local/state/seatrial|/\S*/state)/"), "STATE/"),
    # Where it deleted something is said by kubectl 1.36 and not by 1.32: the machine may have either.
    (re.compile(r" deleted from \S+ namespace$"), " deleted"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Command:
    """A command of a page and what the page shows as its output."""

    text: str
    output: str


def commands_of(page: str) -> list[Command]:
    """The commands of all transcripts of a page, in order."""
    return [command for block in _BLOCK.findall(page) for command in _commands_in(block)]


def _commands_in(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = next((index for index, line in enumerate(lines) if not line.endswith("\\")), 0) + 1
        yield Command("\n".join(lines[:count]), "\n".join(lines[count:]).strip("\n"))


def run(commands: list[Command], *, home: Path, path: str) -> list[str]:
    """Run the commands in one shell, one after the other; answers what each printed, both streams together."""
    environ = {
        "PATH": path,
        "HOME": str(home),
        "SEATRIAL_STATE_DIR": str(home / "state"),
        "COLUMNS": "110",
        "PS1": "",
    }
    script = "\n".join(f"{command.text}\necho '{_END}'" for command in commands)
    with tempfile.TemporaryFile("w+") as printed:
        subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            timeout=_SECONDS * 2, check=False,
        )  # fmt: skip
        printed.seek(0)
        outputs = printed.read().split(f"{_END}\n")
    return [output.strip("\n") for output in outputs[: len(commands)]]


def masked(output: str) -> list[str]:
    """An output's lines with everything volatile replaced; the order of lines counts."""
    return [_mask(line) for line in output.splitlines() if line.strip() and not _BY_THE_WAY.match(line)]


def _mask(line: str) -> str:
    for pattern, word in _VARIES:
        line = pattern.sub(word, line)
    return line.strip()


def rewritten(page: str, outputs: list[str]) -> str:
    """The page with these outputs."""
    remaining = iter(outputs)

    def block(found: re.Match[str]) -> str:
        parts = []
        for command in _commands_in(found[1]):
            output = next(remaining)
            parts.append(f"$ {command.text}\n{output}\n" if output else f"$ {command.text}\n")
        return "".join(parts)

    return _BLOCK.sub(block, page)


def shell_path(environ: Mapping[str, str], kubectl: str | None, directory: Path) -> str:
    """A PATH on which `seatrial` and this `kubectl` come first."""
    binaries = directory / "bin"
    binaries.mkdir(exist_ok=True)
    if kubectl is not None:
        (binaries / "kubectl").symlink_to(kubectl)
    return f"{binaries}:{Path(sys.executable).parent}:{environ['PATH']}"


def main() -> None:
    """Write a page's outputs anew."""
    from tests.kubectls import newest

    page = Path(sys.argv[1])
    text = page.read_text()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        outputs = run(commands_of(text), home=home, path=shell_path(os.environ, str(newest()), home))
        page.write_text(rewritten(text, [output.replace(str(home / "state"), _STATE) for output in outputs]))


if __name__ == "__main__":
    main()
