"""Options that several commands share, each described once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from seatrial.cli.option_group import F, flag, is_given, option_group

if TYPE_CHECKING:
    from seatrial.runtime.guardrails import Guardrails

FILE = click.Path(dir_okay=False, path_type=Path)


def _namespace(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    """Refuse what no namespace can be called: names are labels of RFC 1123."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", given):
        raise click.BadParameter(f"{given!r} is no namespace's name (small letters, digits and '-', at most 63)")
    return given


def _namespaces(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_namespace(context, parameter, each) for each in given)


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

store_option = click.option(
    "--store",
    metavar="URL",
    envvar="SEATRIAL_STORE",
    show_envvar=True,
    help="Where runs are kept: sqlite:///PATH, postgresql://..., or none.  "
    "[default: runs.sqlite3 in the state directory]",
)

halt_namespace_option = click.option(
    "--halt-namespace",
    callback=_namespace,
    metavar="NAMESPACE",
    default="default",
    show_default=True,
    envvar="SEATRIAL_HALT_NAMESPACE",
    show_envvar=True,
    help="Where the mark is kept by which `seatrial halt` stops every experiment on the cluster.",
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


class RunChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What else the command line says of a run."""

    seed: int | str | None = None
    recovery_timeout_seconds: float = 60
    max_parallel: int = 50
    state_directory: Path | None = None
    halt_namespace: str = "default"


def run_options(command: F) -> F:
    """`--seed`, `--recovery-timeout`, `--max-parallel`, `--state-dir`; the command gets a `run`."""
    return option_group(
        "run",
        _run_choice,
        seed_option,
        click.option(
            "--recovery-timeout", type=click.FloatRange(min=0), default=60, show_default=True, metavar="SECONDS",
            help="How long a scenario waits at its end for the replacements of killed pods; 0 doesn't wait or measure.",
        ),
        click.option(
            "--max-parallel", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
            help="How many changes may be on their way to the API server at once.",
        ),
        state_dir_option,
        halt_namespace_option,
    )(command)  # fmt: skip


def _run_choice(
    *,
    seed: str | None,
    recovery_timeout: float,
    max_parallel: int,
    state_dir: Path | None,
    halt_namespace: str,
) -> RunChoice:
    return RunChoice(
        seed=parse_seed(seed),
        recovery_timeout_seconds=recovery_timeout,
        max_parallel=max_parallel,
        state_directory=state_dir,
        halt_namespace=halt_namespace,
    )


def guardrail_options(command: F) -> F:
    """`--max-pods` and the like; the command gets `guardrails`, those of the command line alone."""
    return option_group(
        "guardrails",
        _guardrails,
        click.option(
            "--max-pods", type=click.IntRange(min=0), metavar="N", help="Refuse steps that would disrupt more pods."
        ),
        click.option(
            "--max-nodes", type=click.IntRange(min=0), metavar="N", help="Refuse steps that would disrupt more nodes."
        ),
        click.option(
            "--max-share-of-zone", type=click.FloatRange(0, 1), metavar="SHARE",
            help="Refuse what would put a larger share (0 to 1) of a zone's nodes out of service at once.",
        ),
        click.option(
            "--max-control-plane", type=click.IntRange(min=0), metavar="N",
            help="Refuse what would take down more nodes of the control plane at once.  [default: never all]",
        ),
        click.option(
            "--keep-etcd-quorum/--no-keep-etcd-quorum", "keep_etcd_quorum", default=None,
            help="Refuse what would leave fewer than a majority of etcd's members Ready.  [default: refuse it]",
        ),
        click.option(
            "--protect", multiple=True, metavar="NAMESPACE", callback=_namespaces,
            help="Never touch this namespace, also where a policy names it; may be given again.",
        ),
        click.option(
            "--min-left", type=click.IntRange(min=0), default=0, metavar="N",
            help="Refuse what would leave an owner (a Deployment, ...) fewer Ready pods.",
        ),
        flag("--respect-pdb", "Refuse what would disrupt more pods than a PodDisruptionBudget allows."),
        section="Guardrails (the stricter of these and the policy's holds)",
    )(command)  # fmt: skip


def _guardrails(
    *,
    max_pods: int | None,
    max_nodes: int | None,
    max_share_of_zone: float | None,
    max_control_plane: int | None,
    keep_etcd_quorum: bool | None,
    protect: tuple[str, ...],
    min_left: int,
    respect_pdb: bool,
) -> "Guardrails":
    from seatrial.runtime.guardrails import Guardrails

    return Guardrails(
        most_pods=max_pods,
        most_nodes=max_nodes,
        most_of_zone=max_share_of_zone,
        most_of_control_plane=max_control_plane,
        etcd_quorum=keep_etcd_quorum,
        least_left=min_left,
        protected=frozenset(protect),
        respect_budgets=respect_pdb,
    )


def web_options(command: F) -> F:
    """`--headless`, `--host` and the like; the command gets `web`: what to say of them, since no page is served yet."""
    return option_group(
        "web",
        _web_warning,
        flag("--headless", "Serve no web page, as so far without this flag."),
        click.option(
            "--host", metavar="ADDRESS", default="127.0.0.1", envvar="HOST", show_envvar=True,
            help="Not used so far: there is no web page yet.",
        ),
        click.option(
            "--port", type=click.IntRange(0, 65535), metavar="PORT", default=8000, envvar="PORT", show_envvar=True,
            help="Not used so far: there is no web page yet.",
        ),
        flag("--accept-proxy-headers", "Not used so far: there is no web page yet."),
        section="Web page",
    )(command)  # fmt: skip


def _web_warning(*, headless: bool, **_unused: object) -> str:
    given = [name for name in ("host", "port", "accept_proxy_headers") if is_given(name)]
    if headless or not given:
        return ""
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in given)
    return f"there is no web page yet: {flags} {'does' if len(given) == 1 else 'do'} nothing"


def parse_seed(given: str | None) -> int | str | None:
    """A seed from the command line: a number where it is one, as in a policy file."""
    if given is None:
        return None
    return int(given) if re.fullmatch(r"-?[0-9]{1,18}", given) else given
