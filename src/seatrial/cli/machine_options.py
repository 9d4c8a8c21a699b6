"""Options that say how machines are reached: PowerfulSeal's, all of them, with its variables.

SSH can't be used so far. Its flags are taken all the same, so that command lines need no change; a policy that needs
it is refused by the executor, before anything is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seatrial.cli.option_group import F, flag, is_given, option_group

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOUDS = ("openstack", "aws", "azure", "gcp")
_NO_SSH = "Not used so far: Seatrial reaches no machine over SSH yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChoice:
    """How the machines under the nodes are reached.

    None leaves `cloud` and `executor` to what recognizes the cluster. `settings` are what flags say to the cloud's
    driver, under the names of the variables that say the same. `inventory` has the hosts of each group, where a file
    says which hosts there are; None takes all nodes of the cluster.
    """

    cloud: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    executor: str | None = None
    inventory: Mapping[str, Sequence[str]] | None = None

    @property
    def driver(self) -> str | None:
        """The cloud's driver with its settings, as the journal keeps it."""
        from seatrial.machines.choice import write_choice

        return write_choice(self.cloud, self.settings) if self.cloud else None


def machine_options(command: F) -> F:
    """`--aws`, `--inventory-file`, `--remote-user` and the like; the command gets a `machines`."""
    options = (*_CLOUD_OPTIONS, *_INVENTORY_OPTIONS, *_WAY_OPTIONS)
    return option_group("machines", _choice, *options, section="Machines")(command)


def _choice(
    *,
    aws_region: str,
    inventory_file: Path | None,
    inventory_kubernetes: bool,
    execution_mode: Literal["kubernetes", "ssh"],
    openstack_cloud_name: str,
    cloud: str | None,
    azure_resource_group_name: str,
    azure_node_resource_group_name: str,
    gcp_config_file: Path | None,
    **clouds: bool,
) -> MachineChoice:
    if inventory_kubernetes and is_given("inventory_file"):
        raise _usage("--inventory-kubernetes goes without --inventory-file")
    from seatrial.machines.inventory import read_inventory

    use_file = inventory_file is not None and not inventory_kubernetes
    chosen = _cloud(clouds, plugin=cloud)
    settings = {
        "aws": {"AWS_REGIONS": aws_region},
        "azure": {
            "AZURE_RESOURCE_GROUP_NAME": azure_resource_group_name,
            "AZURE_NODE_RESOURCE_GROUP_NAME": azure_node_resource_group_name,
        },
        # Absolute: clean-up may be finished from another directory.
        "gcp": {"GCP_CONFIG_FILE": str(gcp_config_file.expanduser().absolute()) if gcp_config_file else ""},
        "openstack": {"OPENSTACK_CLOUD_NAME": openstack_cloud_name},
    }
    return MachineChoice(
        cloud=chosen,
        settings={name: value for name, value in settings.get(chosen or "", {}).items() if value},
        executor="ssh" if execution_mode == "ssh" else None,
        inventory=read_inventory(inventory_file) if use_file and inventory_file else None,
    )


def _cloud(wanted: Mapping[str, bool], *, plugin: str | None) -> str | None:
    """The one cloud that is asked for; flags win over variables, and `--no-cloud` over all variables."""
    names = (*_CLOUDS, "no_cloud", "cloud")
    given = [name for name in names if is_given(name)]
    chosen = given or [name for name in names if wanted.get(name)]
    if len(chosen) > 1:
        raise _usage(f"there can be one cloud only, here are: {', '.join(_flag_of(name) for name in chosen)}")
    if not chosen or chosen[0] == "no_cloud":
        return None
    return plugin if chosen[0] == "cloud" else chosen[0]


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
    click.option("--cloud", metavar="NAME", help="The machines are reached by this driver, such as that of a plugin."),
    click.option(
        "--aws-region", metavar="NAMES", default="", envvar="AWS_REGIONS", show_envvar=True,
        help="The regions of AWS to look for machines in, by comma.  [default: those of the cluster's nodes, and the"
        " one of AWS_REGION, AWS_DEFAULT_REGION or the profile in use]",
    ),
    click.option(
        "--openstack-cloud-name", metavar="NAME", default="", envvar="OPENSTACK_CLOUD_NAME", show_envvar=True,
        help="The cloud's name in clouds.yaml.  [default: OS_CLOUD, or what the OS_* variables say]",
    ),
    click.option(
        "--azure-resource-group-name", metavar="NAME", default="", show_envvar=True,
        envvar=("AZURE_RESOURCE_GROUP_NAME", "AZURE_RESORUCE_GROUP_NAME"),  # codespell:ignore -- PowerfulSeal's
        help="The resource group of the cluster on Azure.  [default: that of each node, by its provider id]",
    ),
    click.option(
        "--azure-node-resource-group-name", metavar="NAME", default="", show_envvar=True,
        envvar=("AZURE_NODE_RESOURCE_GROUP_NAME", "AZURE_NODE_RESORUCE_GROUP_NAME"),  # codespell:ignore -- the same
        help="The resource group of its machines, where it is another one (AKS: MC_...).",
    ),
    click.option(
        "--gcp-config-file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
        envvar="GCP_CONFIG_FILE", show_envvar=True,
        help="Project and region on Google Cloud: what `gcloud config list --format json` prints, a configuration of"
        " gcloud, or a service account's key file.  [default: application default credentials, the nodes' projects]",
    ),
)  # fmt: skip

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
