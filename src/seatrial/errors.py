"""Every error that Seatrial raises on purpose, by what the user has to do about it.

    SeatrialError
    ├── UsageError            call it differently: a flag, an argument, a missing extra
    │   └── ConfigurationError    a file or variable that says where and as whom: kubeconfig, settings
    ├── PolicyError           correct the policy: holds all problems of the file
    ├── ClusterError          look at the cluster: what the API server said (`kube.errors` has the children)
    ├── MachineError          look at a node's machine, its cloud, or the way to it
    │   └── CommandNotStarted     the same, and be sure that the command has not begun
    ├── AlertmanagerError     look at the Alertmanager, or the way to it
    ├── StateError            look at this machine: state directory, disk, journal
    ├── SandboxError          look at the sandbox: it can't start, isn't there, was started twice
    ├── Halted                lift the halt, when its reason is gone
    ├── CleanUpIncomplete     undo what is left, by hand or with `seatrial recover`
    └── Interrupted           nothing: somebody asked us to stop

Each holds a one-line message, a hint that says what to do, and its cause (`__cause__`). Errors of other
libraries are translated where they are met (`kube/`, `machines/`, `remote/`), and `cli.main` prints message and
hint without a traceback and exits with the class's exit code.
"""

from typing import ClassVar


class SeatrialError(Exception):
    """The root: one line for the user, and a hint where there is one.

    Args:
        message: what went wrong, one line, no full stop.
        hint: what the user can do, one line.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def details(self) -> str:
        """What there is to say beyond one line, such as all problems of a policy; empty where there is nothing."""
        return ""

    @property
    def in_full(self) -> str:
        """Message and hint, for where there is one line for both, such as the reason of a verdict."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(SeatrialError):
    """The command was called in a way that can't work."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A file or an environment variable that Seatrial was pointed to is missing or wrong."""


class PolicyError(SeatrialError):
    """A policy is invalid; `seatrial.policy.problems` describes each problem of it."""

    exit_code = 2


class ClusterError(SeatrialError):
    """The cluster refused, failed or did not answer."""

    exit_code = 3


class MachineError(SeatrialError):
    """A machine could not be listed, stopped, started, or sent a command."""

    exit_code = 3


class CommandNotStarted(MachineError):  # noqa: N818 -- it says what is certain
    """A command did not get to its machine: it has not begun, and nothing of it is to be undone."""


class AlertmanagerError(SeatrialError):
    """An Alertmanager refused, failed or did not answer; `may_pass` tells whether it may do as asked a little later."""

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.may_pass = may_pass


class StateError(SeatrialError):
    """Seatrial can't keep its own records on this machine."""

    exit_code = 3


class SandboxError(SeatrialError):
    """The embedded cluster can't do what was asked."""

    exit_code = 3


class Halted(SeatrialError):  # noqa: N818 -- somebody meant it
    """Somebody has halted all experiments on this cluster."""

    exit_code = 3


class CleanUpIncomplete(SeatrialError):  # noqa: N818 -- it says what is the case
    """Something that was changed could not be undone; the journal knows what."""

    exit_code = 4


class Interrupted(SeatrialError):  # noqa: N818 -- it isn't a mistake of anybody
    """Somebody asked Seatrial to stop; clean-up is done."""

    exit_code = 130
