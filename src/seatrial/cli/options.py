"""Options that several commands share, each described once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)

policy_option = click.option(
    "--policy-file",
    required=True,
    metavar="FILE",
    type=FILE,
    envvar="POLICY_FILE",
    show_envvar=True,
    help="The policy to run.",
)

seed_option = click.option(
    "--seed",
    metavar="SEED",
    help="Where random numbers start: the same seed on the same cluster picks the same victims.",
)

state_dir_option = click.option(
    "--state-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the journal and the sandboxes are kept.  [default: SEATRIAL_STATE_DIR, or ~/.local/state/seatrial]",
)


def output_option(what: str) -> Callable[[F], F]:
    """`--output text|json` for what a command prints."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help=f"How to print {what}.",
    )


def cluster_options(command: F) -> F:
    """`--kubeconfig` and `--context`: which cluster."""
    kubeconfig = click.option(
        "--kubeconfig",
        metavar="FILE",
        type=FILE,
        help="How to reach the cluster.  [default: KUBECONFIG, ~/.kube/config, the pod's own account]",
    )
    context = click.option("--context", "kube_context", metavar="NAME", help="The context of the kubeconfig to use.")
    return kubeconfig(context(command))


def parse_seed(given: str | None) -> int | str | None:
    """A seed from the command line: a number where it is one, as in a policy file."""
    if given is None:
        return None
    return int(given) if re.fullmatch(r"-?[0-9]{1,18}", given) else given
