"""What is run in a pod on a node so that a shell command runs on the node itself, and ends there when its time is over.

`nsenter` of the pod's image takes a shell script into the namespaces of the node's process 1; all else needs a POSIX
shell and `sleep` of the node alone. The script keeps the time on the node, where no broken connection can stop it. It
leaves the pod's control group for that of process 1: the container runtime ends what is in a pod's group together with
the pod, and a dead-man timer has to outlive it (cgroups(7): a process moves by being written to `cgroup.procs`).

The command's two outputs come as one, in the order in which they were written. So what comes as standard error is of
`nsenter` or the script.
"""

import math

from seatrial.kube.exec import ExecResult

# Short options: those that the nsenter of util-linux and that of BusyBox have in common.
_ENTER = ("nsenter", "-t", "1", "-m", "-u", "-i", "-n", "-p", "--", "sh", "-c")
_OVERDUE = "seatrial: overdue"

# $1 is how many seconds the command may take, $2 the command. It gets a session of its own, so that it can be killed
# with all that it started; where there is no `setsid`, or it has not got to its work, the process alone is killed. The
# second loop serves control groups of version 1, where each controller has a tree of its own, beside version 2.
_CLOCK = 'trap "kill -9 \\$!; exit" TERM; sleep "$1" & wait "$!"; kill -s USR1 "$2"'
_SCRIPT = f"""
{{
  case $(cat /proc/self/cgroup /proc/1/cgroup) in *kubepods*|*:/..*)
    while IFS=: read -r number kind path; do
      while [ "$path" != "${{path#/..}}" ]; do path=${{path#/..}}; done
      for tree in "/sys/fs/cgroup/${{kind#name=}}" /sys/fs/cgroup/unified; do
        [ -e "$tree$path/cgroup.procs" ] && echo $$ > "$tree$path/cgroup.procs" && break
      done
    done < /proc/1/cgroup
  esac
}} 2>/dev/null
if command -v setsid >/dev/null 2>&1; then apart=setsid; else apart=; fi
end() {{ kill -9 "-$1" 2>/dev/null || kill -9 "$1" 2>/dev/null; }}
$apart sh -c "$2" </dev/null 2>&1 & command=$!
trap 'end "$command"; echo "{_OVERDUE}" >&2; exit 124' USR1
sh -c '{_CLOCK}' seatrial "$1" $$ </dev/null >/dev/null 2>&1 & clock=$!
wait "$command"; code=$?
trap '' USR1
kill "$clock"
kill -9 "-$command" 2>/dev/null
exit "$code"
"""


def entering(command: str, *, timeout_seconds: float) -> list[str]:
    """The words of a program that runs a shell command on the node, for at most so many (whole) seconds."""
    return [*_ENTER, _SCRIPT, "seatrial", str(math.ceil(timeout_seconds)), command]


def knocking() -> list[str]:
    """The same for nothing at all: it succeeds where commands can be run."""
    return [*_ENTER, ":"]


def entering_by_hand(command: str) -> list[str]:
    """The same as a person would do it, who ends it with Ctrl-C."""
    return [*_ENTER, command]


def was_overdue(result: ExecResult) -> bool:
    """Whether the command was killed because its time was over."""
    return _OVERDUE in result.stderr.decode(errors="replace")


def why_not_entered(result: ExecResult) -> str:
    """What `nsenter` had against it, where it is that which failed; empty otherwise."""
    said = result.stderr.decode(errors="replace").strip()
    return " ".join(said.split())[:300] if result.exit_code and said.startswith("nsenter:") else ""
