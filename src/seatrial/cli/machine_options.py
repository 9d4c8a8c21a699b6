"""Options that say how machines are reached: PowerfulSeal's, all of them, with its variables.

Clouds but AWS, and SSH, can't be reached so far. Their flags are taken all the same, so that command lines need no
change; a policy that needs what isn't there is refused by the driver or the executor, before anything is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seatrial.cli.option_group import F, flag, is_given, option_group

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOUDS = ("openstack", "aws", "azure", "gcp")
_NOT_YET = "Not used so far: Seatrial reaches no {what} yet."
_NO_CLOUD_SETTINGS = _NOT_YET.format(what="cloud")
_NO_SSH = _NOT_YET.format(what="machine over SSH")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChoice:
    """How the machines under the nodes are reached.

    `cloud` is a driver's name and what is set for it (`machines.registry.with_settings`). None leaves `cloud` and
    `executor` to what recognizes the cluster. `inventory` has the hosts of each group, where a
    file says which hosts there are; None takes all nodes of the cluster.
    """

    cloud: str | None = None
    executor: str | None = None
    inventory: Mapping[str, Sequence[str]] | None = None


def machine_options(command: F) -> F:
    """`--aws`, `--inventory-file`, `--remote-user` and the like; the command gets a `machines`."""
    options = (*_CLOUD_OPTIONS, *_INVENTORY_OPTIONS, *_WAY_OPTIONS)
    return option_group("machines", _choice, *options, section="Machines")(command)


def _choice(
    *,
    aws_region: str | None,
    inventory_file: Path | None,
    inventory_kubernetes: bool,
    execution_mode: Literal["kubernetes", "ssh"],
    **clouds: bool,
) -> MachineChoice:
    if inventory_kubernetes and is_given("inventory_file"):
        raise _usage("--inventory-kubernetes goes without --inventory-file")
    from seatrial.machines.inventory import read_inventory
    from seatrial.machines.registry import with_settings

    cloud = _cloud(clouds)
    settings = {"regions": aws_region or ""} if cloud == "aws" else {}
    use_file = inventory_file is not None and not inventory_kubernetes
    return MachineChoice(
        cloud=with_settings(cloud, settings) if cloud else None,
        executor="ssh" if execution_mode == "ssh" else None,
        inventory=read_inventory(inventory_file) if use_file and inventory_file else None,
    )


def _cloud(wanted: Mapping[str, bool]) -> str | None:
    """The one cloud that is asked for; flags win over variables, and `--no-cloud` over all variables."""
    given = [name for name in (*_CLOUDS, "no_cloud") if is_given(name)]
    chosen = given or [name for name in (*_CLOUDS, "no_cloud") if wanted[name]]
    if len(chosen) > 1:
        raise _usage(f"there can be one cloud only, here are: {', '.join(_flag_of(name) for name in chosen)}")
    return chosen[0] if chosen and chosen[0] != "no_cloud" else None


def _flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _usage(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())


def _accepted(name: str, help_: str, *variables: str, **options: Any) -> "Callable[[F], F]":
    """An option that changes nothing yet."""
    return click.option(
        name, expose_value=False, envvar=variables or None, show_envvar=bool(variables), help=help_, **options
    )


_CLOUD_OPTIONS = (
    flag("--openstack", "The machines are on OpenStack.", variable="OPENSTACK_CLOUD"),
    flag("--aws", "The machines are on AWS.", variable="AWS_CLOUD"),
    flag("--azure", "The machines are on Azure.", variable="AZURE_CLOUD"),
    flag("--gcp", "The machines are on Google Cloud.", variable="GCP_CLOUD"),
    flag(
        "--no-cloud",
        "The machines are on no cloud, as without any of these flags; those of the sandbox are reached all the same.",
        variable="NO_CLOUD",
    ),
    click.option(
        "--aws-region",
        metavar="NAMES",
        envvar="AWS_REGIONS",
        show_envvar=True,
        help="The regions of AWS to look for machines in, by comma; without it those of the cluster's nodes, and the "
        "one of AWS_REGION, AWS_DEFAULT_REGION or the profile in use.",
    ),
    _accepted("--openstack-cloud-name", _NO_CLOUD_SETTINGS, "OPENSTACK_CLOUD_NAME", metavar="NAME"),
    _accepted(
        "--azure-resource-group-name",
        _NO_CLOUD_SETTINGS,
        "AZURE_RESOURCE_GROUP_NAME",
        "AZURE_RESORUCE_GROUP_NAME",  # codespell:ignore -- PowerfulSeal's own spelling
        metavar="NAME",
    ),
    _accepted(
        "--azure-node-resource-group-name",
        _NO_CLOUD_SETTINGS,
        "AZURE_NODE_RESOURCE_GROUP_NAME",
        "AZURE_NODE_RESORUCE_GROUP_NAME",  # codespell:ignore -- PowerfulSeal's own spelling
        metavar="NAME",
    ),
    _accepted("--gcp-config-file", _NO_CLOUD_SETTINGS, "GCP_CONFIG_FILE", metavar="FILE"),
)

_INVENTORY_OPTIONS = (
    click.option(
        "--inventory-file", "-i", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
        envvar="INVENTORY_FILE", show_envvar=True,
        help="Groups of hosts (an ini file, as Ansible has them): only nodes in it are matched, by group or otherwise.",
    ),
    flag("--inventory-kubernetes", "Match all nodes of the cluster, as without --inventory-file."),
)  # fmt: skip

_WAY_OPTIONS = (
    click.option(
        "--execution-mode", type=click.Choice(["kubernetes", "ssh"]), default="kubernetes", show_default=True,
        help="How commands get to machines. Pods are always killed through the API server.",
    ),
    _accepted(
        "--use-pod-delete-instead-of-ssh-kill", "Not needed: pods are always killed through the API server.",
        is_flag=True,
    ),
    _accepted("--remote-user", _NO_SSH, "PS_REMOTE_USER", metavar="NAME"),
    _accepted("--ssh-allow-missing-host-keys", _NO_SSH, is_flag=True),
    _accepted("--override-ssh-host", _NO_SSH, metavar="HOST"),
    _accepted("--use-private-ip", _NO_SSH, is_flag=True),
    _accepted("--ssh-path-to-private-key", _NO_SSH, "PS_PRIVATE_KEY", metavar="FILE"),
    _accepted("--ssh-password", _NO_SSH, "PS_SSH_PASSWORD", metavar="TEXT"),
    _accepted("--ssh-kill-command", _NO_SSH, "PS_SSH_KILL_COMMAND", metavar="TEXT"),
)  # fmt: skip
