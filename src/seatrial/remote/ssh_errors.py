"""What keeps an SSH connection from being opened, in one line, and what a person can do about it."""

import errno
import socket

import asyncssh

from seatrial.errors import CommandNotStarted
from seatrial.remote.ssh_host_keys import HostKeyJudge
from seatrial.remote.ssh_settings import Address


def explain(error: Exception, address: Address, *, judge: HostKeyJudge, behind: Address | None) -> CommandNotStarted:
    """The error for a connection to `address` that could not be opened; `behind` is the jump host on the way."""
    why, hint = _reason(error, address, judge, behind)
    return CommandNotStarted(f"no SSH connection to {address}{f' behind {behind}' if behind else ''}: {why}", hint=hint)


def unusable(error: Exception, address: Address) -> CommandNotStarted:
    """The error for settings that can't be used: before anybody is connected to."""
    return CommandNotStarted(
        f"the SSH settings for {address} can't be used: {error}",
        hint="look at ~/.ssh/config and the files that it names",
    )


def _reason(error: Exception, address: Address, judge: HostKeyJudge, behind: Address | None) -> tuple[str, str]:
    if judge.objection:
        return judge.objection, judge.hint
    if isinstance(error, asyncssh.ChannelOpenError) and behind:
        return f"the jump host can't reach it: {error.reason}", "look at the address and the port from there"
    return _reason_of_kind(error, address)


def _reason_of_kind(error: Exception, address: Address) -> tuple[str, str]:
    match error:
        case asyncssh.HostKeyNotVerifiable() | asyncssh.KeyExchangeFailed():
            return error.reason, "look at the machine's entry in known_hosts"
        case asyncssh.PermissionDenied():
            return (
                f"{address.user or 'the user'} was not let in",
                "say as whom and with what: --remote-user, --ssh-path-to-private-key, or PS_SSH_PASSWORD",
            )
        case asyncssh.Error():
            return error.reason, "look at its SSH server's log; it may take no more connections at once (MaxStartups)"
        case TimeoutError():
            return "it did not answer in time", _WAY
        case ConnectionRefusedError():
            return "it refused", "is there an SSH server on that port? --ssh-port names another"
        case socket.gaierror():
            return "nobody knows that name", "choose another address: --use-private-ip, --override-ssh-host"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return "there is no way to it", _WAY
        case _:
            return str(error) or type(error).__name__, _WAY


_WAY = "is it up, and can it be reached from here? --use-private-ip and --ssh-jump-host choose another way"
