"""How long until the first prompt of the interactive shell, and how long a key takes while the rest is loaded.

Run it with `python -m benchmarks.interactive`; its peer is the barest prompt that prompt_toolkit makes, in the same
pseudo-terminal. It fails when the prompt takes more than 0.4 s or 1.7 times its peer's time, or when a key that is
typed while the client, the models and the engine are imported is not on the screen within 0.15 s. The first two are
judged by the CPU time of the main thread, which draws the prompt, so that they hold on a busy machine, too. There is
no cluster: the shell knows that it can't reach one only when all is loaded, and ends then.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pexpect

ROUNDS = 7
MOST_SECONDS = 0.4
MOST_RATIO = 1.7
MOST_KEY_SECONDS = 0.15
SECONDS_BETWEEN_KEYS = 0.05
PROMPT = "seatrial>"
PEER = f"from prompt_toolkit import PromptSession; PromptSession({PROMPT!r}).prompt()"
NOWHERE = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""


def environ(directory: Path) -> dict[str, str]:
    """A home of its own, modules compiled as those of installed tools, and a terminal that answers nothing."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "TMPDIR"}}
    return {
        **kept,
        "HOME": str(directory),
        "SEATRIAL_STATE_DIR": str(directory / "state"),
        "PYTHONPYCACHEPREFIX": str(directory / "compiled"),
        "TERM": "xterm-256color",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }


class Start(NamedTuple):
    """How long the prompt took to be on the screen, and of that on a processor; the program goes on."""

    seconds: float
    cpu_seconds: float
    program: pexpect.spawn


def first_prompt(arguments: list[str], directory: Path) -> Start:
    """Start a program, and wait for its prompt."""
    began = time.perf_counter()
    program = pexpect.spawn(sys.executable, arguments, env=environ(directory), dimensions=(24, 80), timeout=30)
    program.delaybeforesend = None
    program.expect_exact(PROMPT)
    seconds = time.perf_counter() - began
    nanoseconds = int(Path(f"/proc/{program.pid}/task/{program.pid}/schedstat").read_text().split()[0])
    return Start(seconds, nanoseconds / 1e9, program)


def slowest_key(program: pexpect.spawn) -> float:
    """The longest time in seconds that a key took to its echo, typing briskly until the program has ended."""
    times = [0.0]
    while program.isalive():  # a terminal echoes what is typed after that
        began = time.perf_counter()
        program.send("x")
        program.expect_exact("x")
        times.append(time.perf_counter() - began)
        time.sleep(SECONDS_BETWEEN_KEYS)
    return max(times[:-1])  # the last may have come when the prompt had gone


def main() -> int:
    """Print a table; the exit code tells whether the limits are kept."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(NOWHERE, encoding="utf-8")
        ours, theirs, keys = [], [], []
        for number in range(ROUNDS + 1):
            shell = first_prompt(["-m", "seatrial", "interactive", "--kubeconfig", str(kubeconfig)], directory)
            slowest = slowest_key(shell.program)
            shell.program.close(force=True)
            peer = first_prompt(["-c", PEER], directory)
            peer.program.close(force=True)
            if number:  # the first round compiles what the others load
                ours.append(shell)
                theirs.append(peer)
                keys.append(slowest)
    ratio = statistics.median(one.cpu_seconds / other.cpu_seconds for one, other in zip(ours, theirs, strict=True))
    prompt, key = statistics.median(each.cpu_seconds for each in ours), statistics.median(keys)
    clock = statistics.median(each.seconds for each in ours)
    kept = {
        "prompt": prompt <= MOST_SECONDS,
        "ratio": ratio <= MOST_RATIO,
        "key": key <= MOST_KEY_SECONDS,
    }
    bare = statistics.median(each.cpu_seconds for each in theirs)
    words = {name: "ok" if is_kept else "TOO SLOW" for name, is_kept in kept.items()}
    print(f"the interactive shell, median of {ROUNDS}")
    print(f"  a bare prompt of prompt_toolkit        {bare * 1000:6.0f} ms")
    print(
        f"  the first prompt                       {prompt * 1000:6.0f} ms   limit {MOST_SECONDS}   {words['prompt']}"
    )
    print(f"  ... by the clock                       {clock * 1000:6.0f} ms")
    print(f"  ratio                                  {ratio:6.2f}      limit {MOST_RATIO}   {words['ratio']}")
    print(f"  the slowest key while it loads         {key * 1000:6.0f} ms   limit {MOST_KEY_SECONDS}   {words['key']}")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
