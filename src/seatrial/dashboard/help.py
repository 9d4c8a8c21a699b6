"""What `?` shows: the keys and the marks."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seatrial.dashboard.cells import PodState

_KEYS = (
    ("↑ ↓  PgUp PgDn", "choose a node"),
    ("← →", "choose a pod on it; left of the first is the node itself"),
    ("Enter", "show the chosen pod or node, as it is by now"),
    ("k  K", "kill the chosen pod; at once, without its grace period"),
    ("s  S", "stop or start the machine of the chosen node"),
    ("c  d", "cordon, drain the chosen node"),
    ("u  U", "take back what was done last; everything"),
    ("x", "stop what is being done, and take back what it did"),
    ("H  R", "halt every experiment on the cluster; lift the halt"),
    ("n  /", "look at one namespace; at names with a text in them"),
    ("1 2 3 4", "nodes, events, recovery, experiments; Tab goes round"),
    ("q  Ctrl-C", "quit; what was done is taken back, unless you keep it"),
)


def keys_and_marks() -> RenderableType:
    """Both as tables."""
    keys = Table.grid(padding=(0, 2))
    keys.add_column(style="bold", no_wrap=True)
    keys.add_column()
    for key, words in _KEYS:
        keys.add_row(key, words)
    return Group(keys, Text(), Text("   ").join(_marks()))


def _marks() -> list[Text]:
    return [Text(each.value.mark, style=each.value.style).append(f" {each.value.word}", style="") for each in PodState]
