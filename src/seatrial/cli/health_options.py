"""Options that say where probes are answered: `/healthz` and `/readyz`."""

import click
import msgspec

from seatrial.cli.option_group import F, option_group


class HealthChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where probes are answered; nowhere without a port."""

    health_host: str = "127.0.0.1"
    health_port: int | None = None


def health_options(command: F) -> F:
    """`--health-port` and `--health-host`; the command gets a `health`."""
    return option_group(
        "health",
        HealthChoice,
        click.option(
            "--health-port", type=click.IntRange(0, 65535), metavar="PORT",
            help="Answer /healthz (does it live?) and /readyz (can it work?) while the run lasts; 0 takes a free port.",
        ),
        click.option(
            "--health-host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
            help="Where to answer them; 0.0.0.0 lets other hosts in, as a kubelet's probes need.",
        ),
        section="Probes of Seatrial itself",
    )(command)  # fmt: skip
