"""The list of the shell's commands, and the click group that loads each when it is first used.

Their names and summaries stand here, so that the first prompt, completion and `help` wait for no command's imports.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from seatrial.lazy_commands import LazyCommands

LOOK, BREAK, MACHINES, SESSION = "Look", "Break", "Machines", "Session"


class Entry(NamedTuple):
    """Where a command is, what it does in a few words, under which heading `help` lists it.

    Without `needs_cluster` it works before the cluster is reached. What it does `is_order` where it does nothing but
    through `acting.act`: `plan` can show it then.
    """

    place: str
    summary: str
    section: str
    needs_cluster: bool = True
    is_order: bool = False


_HERE = "seatrial.shell.commands"

COMMANDS: Mapping[str, Entry] = {
    "nodes": Entry(f"{_HERE}.nodes:nodes", "List nodes, numbered, and their machines.", LOOK),
    "zones": Entry(f"{_HERE}.zones:zones", "List zones and what is in them.", LOOK),
    "groups": Entry(f"{_HERE}.groups:groups", "List groups of nodes.", LOOK),
    "namespaces": Entry(f"{_HERE}.namespaces:namespaces", "List namespaces.", LOOK),
    "deployments": Entry(f"{_HERE}.deployments:deployments", "List Deployments.", LOOK),
    "statefulsets": Entry(f"{_HERE}.statefulsets:statefulsets", "List StatefulSets.", LOOK),
    "daemonsets": Entry(f"{_HERE}.daemonsets:daemonsets", "List DaemonSets.", LOOK),
    "services": Entry(f"{_HERE}.services:services", "List Services and how many pods are behind them.", LOOK),
    "pods": Entry(f"{_HERE}.pods:pods", "List the pods of a namespace, numbered.", LOOK),
    "pods_for_deployment": Entry(
        f"{_HERE}.pods_for_deployment:pods_for_deployment", "List the pods that a Deployment owns.", LOOK
    ),
    "cached_pods": Entry(f"{_HERE}.cached_pods:cached_pods", "Show the last list of pods again.", LOOK),
    "events": Entry(f"{_HERE}.events:events", "List what components tell of objects.", LOOK),
    "watch": Entry(f"{_HERE}.watch:watch", "Tell what changes, above the prompt.", LOOK),
    "describe": Entry(f"{_HERE}.describe:describe", "Tell all about a pod, a node, or anything else.", LOOK),
    "logs": Entry(f"{_HERE}.logs:logs", "Show what a pod has written.", LOOK),
    "mesh": Entry(f"{_HERE}.mesh:mesh", "Show who reaches whom, by goldpinger.", LOOK),
    "use": Entry(f"{_HERE}.use:use", "Look into a namespace from here on.", LOOK),
    "sync": Entry(f"{_HERE}.sync:sync", "List everything anew, and show the nodes.", LOOK),
    "kill": Entry(f"{_HERE}.kill:kill", "Kill pods, or signal their containers.", BREAK, is_order=True),
    "evict": Entry(f"{_HERE}.evict:evict", "Evict pods, as far as budgets allow.", BREAK, is_order=True),
    "scale": Entry(f"{_HERE}.scale:scale", "Change how many replicas something has.", BREAK, is_order=True),
    "clone": Entry(f"{_HERE}.clone:clone", "Copy a Deployment with a fault in the copy.", BREAK, is_order=True),
    "probe": Entry(f"{_HERE}.probe:probe", "Ask a URL or a Service whether it answers.", BREAK, is_order=True),
    "plan": Entry(f"{_HERE}.plan:plan", "Show what a command or a policy would hit.", BREAK),
    "run": Entry(f"{_HERE}.run:run", "Run a policy file.", BREAK),
    "halt": Entry(f"{_HERE}.halt:halt", "Stop every experiment on the cluster.", SESSION),
    "resume": Entry(f"{_HERE}.resume:resume", "Lift a halt.", SESSION),
    "start": Entry(f"{_HERE}.start:start", "Switch machines on.", MACHINES, is_order=True),
    "stop": Entry(f"{_HERE}.stop:stop", "Switch machines off, until undo.", MACHINES, is_order=True),
    "reboot": Entry(f"{_HERE}.reboot:reboot", "Restart machines.", MACHINES, is_order=True),
    "pause": Entry(f"{_HERE}.pause:pause", "Freeze machines where they stand, until undo.", MACHINES, is_order=True),
    "delete": Entry(f"{_HERE}.delete:delete", "Delete machines, for good.", MACHINES, is_order=True),
    "cordon": Entry(
        f"{_HERE}.cordon:cordon", "Let no more pods be placed on nodes, until undo.", MACHINES, is_order=True
    ),
    "uncordon": Entry(f"{_HERE}.uncordon:uncordon", "Let pods be placed on nodes again.", MACHINES, is_order=True),
    "drain": Entry(f"{_HERE}.drain:drain", "Cordon nodes and evict what runs on them.", MACHINES, is_order=True),
    "taint": Entry(f"{_HERE}.taint:taint", "Keep pods away from nodes, or drive them off.", MACHINES, is_order=True),
    "exec": Entry(f"{_HERE}.exec:exec_", "Run a shell command on machines.", MACHINES, is_order=True),
    "sudo": Entry(f"{_HERE}.exec:sudo", "Run a shell command on machines, as root.", MACHINES, is_order=True),
    "kubectl": Entry(f"{_HERE}.programs:kubectl", "Run kubectl on machines.", MACHINES, is_order=True),
    "etcdctl": Entry(f"{_HERE}.programs:etcdctl", "Run etcdctl on machines.", MACHINES, is_order=True),
    "docker": Entry(f"{_HERE}.programs:docker", "Run docker on machines, as root.", MACHINES, is_order=True),
    "crictl": Entry(f"{_HERE}.programs:crictl", "Run crictl on machines, as root.", MACHINES, is_order=True),
    "wait": Entry(f"{_HERE}.wait:wait", "Wait until what was done has been seen through.", SESSION),
    "undo": Entry(f"{_HERE}.undo:undo", "Take back the last thing done, or all.", SESSION),
    "history": Entry(f"{_HERE}.history:history", "List what was done, and what has become of it.", SESSION),
    "record": Entry(f"{_HERE}.record:record", "Write what was done to a file, as a policy.", SESSION),
    "exit": Entry(f"{_HERE}.exit:exit_", "Leave; what was done is taken back first.", SESSION, needs_cluster=False),
    "help": Entry(f"{_HERE}.help:help_", "Show the commands, or one with examples.", SESSION, needs_cluster=False),
}

_ALIASES = {"?": "help", "quit": "exit"}
"""Other names of commands, which no list shows."""


def entry_of(name: str) -> Entry | None:
    """The command of that name, or of that other name."""
    return COMMANDS.get(_ALIASES.get(name, name))


_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


class ShellGroup(LazyCommands):
    """All commands of the shell, imported when they are needed."""

    commands_by_name = COMMANDS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name or its other name, or None."""
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that a line names, with a guess where it names none."""
        name = args[0]
        if entry_of(name) is None and not ctx.resilient_parsing:
            from difflib import get_close_matches

            meant = get_close_matches(name.lower(), COMMANDS, n=1)
            guess = f"; did you mean '{meant[0]}'?" if meant else "; 'help' lists them"
            raise click.UsageError(f"there is no command {name!r}{guess}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 -- click's signature
        """The commands that begin so, then those that have it in them; none of them is loaded for that."""
        found = sorted((name for name in COMMANDS if incomplete in name), key=lambda name: name.find(incomplete) > 0)
        return [CompletionItem(name, help=COMMANDS[name].summary) for name in found]


group = ShellGroup(name="", context_settings=_CONTEXT_SETTINGS, add_help_option=False)
"""What lines of the shell are parsed with; the context's object is the `Shell`."""


def by_section() -> Mapping[str, Sequence[str]]:
    """The commands' names under their headings."""
    return {
        section: [name for name, entry in COMMANDS.items() if entry.section == section]
        for section in (LOOK, BREAK, MACHINES, SESSION)
    }
