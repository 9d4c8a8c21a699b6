"""Runs other people's clients against a sandbox: each client's module is a program that prints what it checked."""

import asyncio
import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from seatrial.testing import sandbox_cluster
from tests.conformance.scores import Outcome, Score, Suite

CLIENTS = {
    "kubernetes": "kubernetes_sync",
    "kubernetes.aio": "kubernetes_aio",
    "kubernetes_asyncio": "kubernetes_asyncio",
    "kr8s": "kr8s_client",
    "lightkube": "lightkube_client",
    "kopf": "kopf_operator",
    "chaosk8s": "chaostoolkit_experiment",
}
"""The package that a client is, and its module here."""
_SECONDS = 100


@dataclass(frozen=True)
class ClientSuite(Suite):
    """Not recordings, but programs."""

    def topics(self, golden: Path) -> list[str]:
        """The clients that are installed."""
        del golden
        return [name for name in CLIENTS if find_spec(name.partition(".")[0])]


async def run_client(_golden: Path, name: str) -> Score:
    """Run one client's checks against a sandbox of its own."""
    async with sandbox_cluster(nodes=3) as sandbox:
        module = f"tests.conformance.clients.{CLIENTS[name]}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", module, str(sandbox.kubeconfig),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        try:
            async with asyncio.timeout(_SECONDS):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
    outcomes = [_outcome(json.loads(line)) for line in out.splitlines() if line.startswith(b'{"case"')]
    if process.returncode != 0 or not outcomes:
        outcomes.append(Outcome("to its end", [err.decode(errors="replace")[-3000:] or "it said nothing"]))
    return Score.of(outcomes)


def _outcome(told: dict[str, str]) -> Outcome:
    return Outcome(told["case"], [told["problem"]] if told["problem"] else [])


SUITE = ClientSuite("clients", ".py", run_client)
