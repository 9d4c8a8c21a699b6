"""Options that say how machines are reached over SSH, and whether pods are killed there: PowerfulSeal's, and ours.

Where `--execution-mode` isn't `ssh` they are taken, and say nothing.
"""

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from seatrial.cli.option_group import flag, is_given


class Secretive(msgspec.Struct, frozen=True, kw_only=True):
    """A choice with `secrets`, which are shown to nobody who looks at it as text."""

    secrets: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        shown = {name: value for name, value in msgspec.structs.asdict(self).items() if name != "secrets"}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class SshChoice(Secretive, frozen=True, kw_only=True):
    """How machines are reached over SSH.

    `settings` are what the flags say, under the names of the variables that say the same, and go into the journal;
    `secrets` don't. Unless `deletes_pods`, pods are killed by `kill_command` on their machines, or, where that is
    empty, by what their container runtime has for it.
    """

    settings: Mapping[str, str] = msgspec.field(default_factory=dict)
    deletes_pods: bool = False
    kill_command: str = ""


def ssh_choice(
    *,
    use_pod_delete_instead_of_ssh_kill: bool,
    remote_user: str,
    ssh_path_to_private_key: Path | None,
    ssh_password: str,
    ssh_port: int | None,
    ssh_jump_host: str,
    ssh_known_hosts: Path | None,
    ssh_allow_missing_host_keys: bool,
    override_ssh_host: str,
    use_private_ip: bool,
    ssh_kill_command: str,
) -> SshChoice:
    """What the options say.

    Raises:
        UsageError: they contradict each other.
    """
    by_key, by_password = is_given("ssh_path_to_private_key"), is_given("ssh_password")
    if by_key and by_password:
        message = "there can be one of --ssh-path-to-private-key and --ssh-password only"
        raise click.UsageError(message, click.get_current_context())
    settings = {
        "PS_REMOTE_USER": remote_user,
        "PS_PRIVATE_KEY": "" if by_password else _absolute(ssh_path_to_private_key),
        "SEATRIAL_SSH_PORT": str(ssh_port or ""),
        "SEATRIAL_SSH_JUMP_HOST": ssh_jump_host,
        "SEATRIAL_SSH_KNOWN_HOSTS": _absolute(ssh_known_hosts),
        "SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS": "1" if ssh_allow_missing_host_keys else "",
        "SEATRIAL_SSH_OVERRIDE_HOST": override_ssh_host,
        "SEATRIAL_SSH_USE_PRIVATE_IP": "1" if use_private_ip else "",
    }
    return SshChoice(
        settings={name: value for name, value in settings.items() if value},
        secrets={"PS_SSH_PASSWORD": "" if by_key else ssh_password},
        deletes_pods=use_pod_delete_instead_of_ssh_kill,
        kill_command=ssh_kill_command,
    )


def _absolute(path: Path | None) -> str:
    """Clean-up may be finished from another directory."""
    return str(path.expanduser().absolute()) if path else ""


SSH_OPTIONS = (
    flag(
        "--use-pod-delete-instead-of-ssh-kill",
        "Kill pods through the API server, also with --execution-mode ssh; commands on machines go over SSH all the"
        " same.",
    ),
    click.option(
        "--remote-user", metavar="NAME", default="", envvar="PS_REMOTE_USER", show_envvar=True,
        help="As whom to log in on machines.  [default: User in ~/.ssh/config, else cloud-user]",
    ),
    click.option(
        "--ssh-path-to-private-key", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
        envvar="PS_PRIVATE_KEY", show_envvar=True,
        help="With which key; its passphrase is read from SEATRIAL_SSH_PASSPHRASE."
        "  [default: those of the agent and ~/.ssh]",
    ),
    click.option(
        "--ssh-password", metavar="TEXT", default="", envvar="PS_SSH_PASSWORD", show_envvar=True,
        help="With which password. Other users of this machine can read a flag; nobody reads the variable.",
    ),
    click.option(
        "--ssh-port", metavar="PORT", type=click.IntRange(1, 65535), envvar="SEATRIAL_SSH_PORT", show_envvar=True,
        help="The port of the machines' SSH servers.  [default: Port in ~/.ssh/config, else 22]",
    ),
    click.option(
        "--ssh-jump-host", metavar="[USER@]HOST[:PORT]", default="", envvar="SEATRIAL_SSH_JUMP_HOST", show_envvar=True,
        help="Reach all machines through this one.  [default: ProxyJump in ~/.ssh/config]",
    ),
    click.option(
        "--ssh-known-hosts", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
        envvar="SEATRIAL_SSH_KNOWN_HOSTS", show_envvar=True,
        help="The host keys that are known.  [default: UserKnownHostsFile in ~/.ssh/config, else ~/.ssh/known_hosts;"
        " /etc/ssh/ssh_known_hosts]",
    ),
    flag(
        "--ssh-allow-missing-host-keys",
        "Take host keys that are not known. One that differs from the known one is refused all the same.",
        variable="SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS",
    ),
    click.option(
        "--override-ssh-host", metavar="HOST", default="", envvar="SEATRIAL_SSH_OVERRIDE_HOST", show_envvar=True,
        help="Send all commands to this host, whatever node they are for (a cluster of one machine, as minikube).",
    ),
    flag(
        "--use-private-ip",
        "Reach machines by their internal addresses, also those that have an external one.",
        variable="SEATRIAL_SSH_USE_PRIVATE_IP",
    ),
    click.option(
        "--ssh-kill-command", metavar="TEXT", default="", envvar="PS_SSH_KILL_COMMAND", show_envvar=True,
        help="With --execution-mode ssh: what kills a container on its machine; {signal} and {container_id} are filled"
        " in.  [default: by docker or crictl, whichever the container runs on]",
    ),
)  # fmt: skip
