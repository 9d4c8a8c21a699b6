"""`nsenter` where it can't do its work: in a sandbox the way to a machine is taken by the container runtime.

It sees those commands that enter a machine before they get here (`kubelet.machine_entry`). What gets here is refused:
the namespaces of process 1 are those of the computer that the sandbox runs on.
"""

from collections.abc import Mapping, Sequence

from seatrial.sandbox.images.serving import complain


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Refuse."""
    del argv, environ
    complain(
        "nsenter: refused: in a sandbox it leads from a privileged pod with hostPID to the pod's machine only, as"
        " nsenter -t 1 -m ... -- COMMAND, run by kubectl exec or as the container's own command"
    )
    return 1
