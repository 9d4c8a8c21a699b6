"""A fault's own end: a timer beside it that undoes it, whatever becomes of Seatrial or of the way to it.

The timer is a process of the container or machine that the fault is in, armed before the fault and detached from the
connection that armed it: a POSIX shell that sleeps and then runs the undo. It holds no file. It is found again by a
unique token in its command line, so that clean-up can disarm it, and does no harm where it has fired already.

What arms and disarms it are lists of words, for whatever runs commands there. A container that has no shell, no
`sleep`, or not the undo's program is found out while arming, before anything is done.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Self

import msgspec

_TOKEN_BYTES = 8
_HALF = _TOKEN_BYTES  # of its hexadecimal digits

# Told to end while it sleeps, it takes its `sleep` along; told so while it undoes, it undoes to the end. What it says
# first is awaited by who arms it, and so tells that it sleeps.
_TIMER = (
    ': seatrial-timer-{token}; trap \'kill "$nap" 2>/dev/null; wait "$nap"; exit 0\' TERM;'
    ' sleep {seconds} >/dev/null & nap=$!; echo armed; exec >/dev/null; wait "$nap"; trap : TERM; "$@"'
)
# $1 is the timer's script, the rest the undo. `setsid` also leaves the process group, which some ways of running a
# command end with it; it isn't everywhere, `nohup` is what POSIX has.
_ARM = """
script=$1
shift
for each in sleep "$1"; do
  command -v "$each" >/dev/null 2>&1 || { echo "there is no program '$each'" >&2; exit 65; }
done
if command -v setsid >/dev/null 2>&1; then away=setsid; else away=nohup; fi
said=$($away sh -c "$script" seatrial-timer "$@" </dev/null 2>/dev/null &)
[ "$said" = armed ] || { echo "the timer did not start" >&2; exit 66; }
"""
# $1 and $3 are the token's halves, apart so that this command's own line does not hold the token ($2 stands between
# them since shells drop the zero bytes that end words there). $2 is how often to look for a timer that undoes to end.
# A shell reads byte by byte: so it reads the short names of all processes, and the whole lines of shells only.
_DISARM = (
    "tries=0; found=gone; while :; do left=; for each in /proc/[0-9]*; do line=;"
    ' { read -r line < "$each/comm"; } 2>/dev/null; [ "$line" = sh ] || continue; line=;'
    ' { read -r line < "$each/cmdline"; } 2>/dev/null;'
    ' case $line in *"$1$3"*) left="$left ${each#/proc/}";; esac; done;'
    ' [ -n "$left" ] || break; found=disarmed;'
    ' [ "$tries" -lt "$2" ] || { echo "the timer still runs its undo" >&2; exit 1; };'
    ' kill -s TERM $left 2>/dev/null; tries=$((tries + 1)); [ "$tries" -lt 5 ] || sleep 1; done; echo "$found"'
)
DISARMED = "disarmed"
"""What the disarming command prints where the timer was there."""


class DeadManTimer(msgspec.Struct, frozen=True):
    """One timer: its token, and after how many seconds it fires."""

    token: str
    seconds: int

    @classmethod
    def of(cls, seconds: int) -> Self:
        """A timer with a token of its own."""
        return cls(secrets.token_hex(_TOKEN_BYTES), seconds)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        return cls(data["token"], data["seconds"])

    def as_json(self) -> dict[str, Any]:
        """What stands in the journal."""
        return msgspec.structs.asdict(self)

    def arming(self, undo: Sequence[str]) -> list[str]:
        """The command that starts it; it ends with 0 when the timer runs, and otherwise has started nothing."""
        script = _TIMER.format(token=self.token, seconds=self.seconds)
        return ["sh", "-c", _ARM, "seatrial", script, *undo]

    def disarming(self, *, patience_seconds: float) -> list[str]:
        """The command that ends it, and waits so long for one that has begun to undo; it prints what it found."""
        looks = str(5 + int(patience_seconds))
        return ["sh", "-c", _DISARM, "seatrial", self.token[:_HALF], looks, self.token[_HALF:]]
