"""What the shell and the dashboard are told alike: which cluster, what is loaded first, within which limits."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.option_group import F
from seatrial.cli.options import FILE, RunChoice, cluster_options, guardrail_options, run_options
from seatrial.cli.telling_options import kubernetes_events_option

if TYPE_CHECKING:
    from seatrial.runtime.guardrails import Guardrails


class HandChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about a session by hand."""

    kubeconfig: Path | None
    kube_context: str | None
    sandbox: bool
    manifests: Sequence[Path]
    load_timeout_seconds: float
    production_pattern: str
    run: RunChoice
    guardrails: "Guardrails"
    machines: MachineChoice
    kubernetes_events: bool

    @property
    def reached_by(self) -> Sequence[str]:
        """The words that lead another command to the same cluster, with the same on it."""
        words = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        words += ["--context", self.kube_context] if self.kube_context else []
        words += ["--sandbox"] if self.sandbox else []
        return tuple(words + [word for manifest in self.manifests for word in ("--load", str(manifest))])


_OPTIONS = (
    click.option(
        "--production-pattern", metavar="GLOB", default="*prod*", show_default=True,
        help="Clusters that are called like this in the kubeconfig, or whose context or server is, are production: "
        "before something is broken there, the context's name has to be typed in full, in any case.",
    ),
    cluster_options,
    click.option("--sandbox", is_flag=True, help="Start an embedded cluster for this, and take it down afterwards."),
    click.option("--load", "manifests", multiple=True, metavar="FILE", type=FILE, help="Apply these manifests first."),
    click.option(
        "--load-timeout", "load_timeout_seconds", type=click.FloatRange(min=0), default=120, show_default=True,
        metavar="SECONDS", help="How long to wait until what was loaded is ready.",
    ),
    run_options,
    guardrail_options,
    machine_options,
    kubernetes_events_option,
)  # fmt: skip


def hand_options(command: F) -> F:
    """The options of a session by hand; the command gets a `hand`."""

    @functools.wraps(command)
    def handed(**given: Any) -> Any:
        hand = HandChoice(**{name: given.pop(name) for name in HandChoice.__struct_fields__})
        if hand.sandbox and (hand.kubeconfig or hand.kube_context):
            raise click.UsageError("--sandbox goes without --kubeconfig and --context", click.get_current_context())
        return command(**given, hand=hand)

    for add in reversed(_OPTIONS):
        handed = add(handed)
    return handed  # type: ignore[return-value] # it is the command with other parameters
