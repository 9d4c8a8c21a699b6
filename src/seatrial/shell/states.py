"""The colours of states: green is well, yellow is on its way, red needs somebody; a colour never says it alone."""

WELL, CHANGING, BAD, DONE = "green", "yellow", "red", "dim"

_WELL = frozenset({"Running", "Ready", "Active", "UP", "Bound", "True"})
_DONE = frozenset({"Completed", "Succeeded", "Complete", "gone", "Gone"})
_CHANGING = frozenset(
    {
        "Pending", "ContainerCreating", "PodInitializing", "Terminating", "NotReady", "SchedulingGated", "UNKNOWN",
        "Suspended", "SuccessCriteriaMet", "Warning",
    }
)  # fmt: skip


def state_style(state: str | None) -> str:
    """The style of what kubectl prints under STATUS."""
    if not state:
        return ""
    first = state.partition(",")[0]
    if first in _WELL:
        return CHANGING if "SchedulingDisabled" in state else WELL
    if first in _DONE or first.startswith("gone"):
        return DONE
    is_init = first.startswith("Init:") and first.removeprefix("Init:").partition("/")[0].isdigit()
    return CHANGING if first in _CHANGING or is_init else BAD


def node_style(state: str | None) -> str:
    """The style of a node's STATUS, where NotReady is no passing state."""
    return BAD if state and state.startswith(("NotReady", "Unknown")) else state_style(state)


def ready_style(ready: str | None) -> str:
    """The style of `1/2`."""
    have, slash, want = (ready or "").partition("/")
    return "" if not slash or have == want else CHANGING


def machine_style(state: str | None) -> str:
    """The style of a machine's state."""
    return BAD if state == "DOWN" else state_style(state)


def restarts_style(restarts: int | None) -> str:
    """The style of a number of restarts."""
    return CHANGING if restarts else ""
