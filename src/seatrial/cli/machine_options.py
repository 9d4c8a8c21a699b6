"""Options that say how machines are reached: PowerfulSeal's, all of them, with its variables, and ours.

Those of SSH stand in `ssh_options`.
"""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from seatrial.cli.option_group import F, flag, in_section, is_given, option_group
from seatrial.cli.ssh_options import SSH_OPTIONS, Secretive, SshChoice, ssh_choice

_CLOUDS = ("openstack", "aws", "azure", "gcp")


class MachineChoice(Secretive, frozen=True, kw_only=True):
    """How the machines under the nodes are reached.

    None leaves `cloud` and `executor` to what recognizes the cluster. `settings` are what flags say to the cloud's
    driver, under the names of the variables that say the same. `inventory` has the hosts of each group, where a file
    says which hosts there are; None takes all nodes of the cluster. With `inventory_cloud`, machines of the cloud that
    no node runs on are matched, too. `secrets` are what goes into no journal. Where `kill_command` is not None, pods
    are killed by it on their machines; an empty one is what their container runtime has for that.
    """

    cloud: str | None = None
    settings: Mapping[str, str] = msgspec.field(default_factory=dict)
    executor: str | None = None
    inventory: Mapping[str, Sequence[str]] | None = None
    inventory_cloud: bool = False
    kill_command: str | None = None

    @property
    def driver(self) -> str | None:
        """The cloud's driver with its settings, as the journal keeps it."""
        from seatrial.choice import write_choice

        return write_choice(self.cloud, self.settings) if self.cloud else None


def machine_options(command: F) -> F:
    """`--aws`, `--inventory-file`, `--remote-user` and the like; the command gets a `machines`."""
    options = (*_CLOUD_OPTIONS, *_INVENTORY_OPTIONS, *in_section("Commands on machines", *_WAY_OPTIONS, *SSH_OPTIONS))
    return option_group("machines", _choose, *options, section="Machines")(command)


def _choose(**given: Any) -> MachineChoice:
    ssh = {name: given.pop(name) for name in inspect.signature(ssh_choice).parameters}
    return _choice(ssh=ssh_choice(**ssh), **given)


def _choice(
    *,
    ssh: SshChoice,
    aws_region: str,
    inventory_file: Path | None,
    inventory_kubernetes: bool,
    inventory_cloud: bool,
    execution_mode: str,
    node_shell_namespace: str,
    node_shell_image: str,
    node_shell_pull_secret: str,
    node_shell_service_account: str,
    openstack_cloud_name: str,
    cloud: str | None,
    azure_resource_group_name: str,
    azure_node_resource_group_name: str,
    gcp_config_file: Path | None,
    **clouds: bool,
) -> MachineChoice:
    if inventory_kubernetes and is_given("inventory_file"):
        raise _usage("--inventory-kubernetes goes without --inventory-file")
    if inventory_kubernetes and inventory_cloud:
        raise _usage("--inventory-kubernetes goes without --inventory-cloud")
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
    node_shell = {
        "NODE_SHELL_NAMESPACE": node_shell_namespace,
        "NODE_SHELL_IMAGE": node_shell_image,
        "NODE_SHELL_PULL_SECRET": node_shell_pull_secret,
        "NODE_SHELL_SERVICE_ACCOUNT": node_shell_service_account,
    }
    over_ssh = execution_mode == "ssh"
    if over_ssh:
        _check_ssh(ssh)
    return MachineChoice(
        cloud=chosen,
        settings={name: value for name, value in settings.get(chosen or "", {}).items() if value},
        executor=_executor(execution_mode, ssh.settings if over_ssh else node_shell),
        inventory=read_inventory(inventory_file) if use_file and inventory_file else None,
        inventory_cloud=inventory_cloud,
        secrets=ssh.secrets if over_ssh else {},
        kill_command=ssh.kill_command if over_ssh and not ssh.deletes_pods else None,
    )


def _executor(mode: str, settings: Mapping[str, str]) -> str | None:
    """The way to machines with its settings, as the journal keeps it; no name leaves it to what is there."""
    from seatrial.choice import write_choice

    return write_choice("" if mode == "kubernetes" else mode, settings) or None


def _check_ssh(choice: SshChoice) -> None:
    """Say at once what can't be meant, before anything begins."""
    from seatrial.actions.pods.kill_command import KillCommand
    from seatrial.remote.ssh_settings import SshSettings

    SshSettings.of(choice.settings)
    KillCommand(choice.kill_command)


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
    flag(
        "--inventory-cloud",
        "Match machines of the cloud that no node runs on, too, by their names, addresses, zones and groups there; with"
        " --inventory-file those that it names.",
    ),
)  # fmt: skip

_WAY_OPTIONS = (
    click.option(
        "--execution-mode", type=click.Choice(["kubernetes", "ssh", "node-shell"]), default="kubernetes",
        show_default=True,
        help="How commands get to machines: by SSH, or by a privileged pod on the node (node-shell), which `kubernetes`"
        " means, too, but on the sandbox. With ssh, pods are killed by --ssh-kill-command on their machines.",
    ),
    click.option(
        "--node-shell-namespace", metavar="NAME", default="", envvar="NODE_SHELL_NAMESPACE", show_envvar=True,
        help="Where those pods are made; the namespace has to be there, and let privileged pods in."
        "  [default: kube-system]",
    ),
    click.option(
        "--node-shell-image", metavar="IMAGE", default="", envvar="NODE_SHELL_IMAGE", show_envvar=True,
        help="Their image, which holds the programs sleep and nsenter.  [default: busybox:1.36]",
    ),
    click.option(
        "--node-shell-pull-secret", metavar="NAME", default="", envvar="NODE_SHELL_PULL_SECRET", show_envvar=True,
        help="The Secret with which it is pulled.",
    ),
    click.option(
        "--node-shell-service-account", metavar="NAME", default="", show_envvar=True,
        envvar="NODE_SHELL_SERVICE_ACCOUNT",
        help="Their ServiceAccount, where a policy of the cluster asks for a certain one; they get no token of it.",
    ),
)  # fmt: skip
