"""The screen: nodes and pods, what happens, who recovers how soon, who else experiments; and the keys.

The live view tells of every change; the screen is drawn anew at most ten times in a second, and once in a second while
nothing happens. Whatever a key does to the cluster goes through `acting`.
"""

import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar

import msgspec
from rich.console import Console
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.events import Resize
from textual.markup import escape
from textual.widgets import Footer, Static
from textual.worker import WorkerFailed

from seatrial.by_hand.halts import halt_seen
from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.by_hand.live.events import LiveEvent
from seatrial.by_hand.live.kind import Change
from seatrial.by_hand.session import HandSession
from seatrial.dashboard.acting import Acting
from seatrial.dashboard.board import Board, Filter, ZoneRow
from seatrial.dashboard.cells import PodState
from seatrial.dashboard.colours import PRINTED, THEME
from seatrial.dashboard.details import node_details, one_line, pod_details
from seatrial.dashboard.dialogs.ask import Ask
from seatrial.dashboard.dialogs.leave import Leave, Leaving
from seatrial.dashboard.dialogs.printed import printed
from seatrial.dashboard.dialogs.reading import Reading
from seatrial.dashboard.experiments import Others, marked_objects, runs_here
from seatrial.dashboard.feed import Feed, in_order
from seatrial.dashboard.help import keys_and_marks
from seatrial.dashboard.masthead import Facts, Masthead
from seatrial.dashboard.node_board import NodeBoard
from seatrial.dashboard.panels import Panel, experiments_table, recovery_table
from seatrial.dashboard.recoveries import RecoveryWatch
from seatrial.errors import SeatrialError
from seatrial.policy.wording import counted, printable
from seatrial.runtime.events import Record
from seatrial.shell.describing.account import Account, account_lines

_BETWEEN_DRAWINGS_SECONDS = 0.1
_BETWEEN_LOOKS_AT_THE_JOURNAL_SECONDS = 5.0
# Every kind of object is listed for these.
_BETWEEN_LOOKS_AT_MARKS_SECONDS = 60.0
_FIRST_EVENTS = 50
_WIDE = 110

PANELS = ("nodes", "events", "recovery", "experiments")
"""The panels, as the keys 1 to 4 choose them."""

_ALL_PANELS = "  ".join(f"[b]{number}[/] {name}" for number, name in enumerate(PANELS, start=1))


class DashboardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    namespace: str = ""
    production_pattern: str = "*prod*"
    halt_namespace: str = "default"


class Dashboard(App[Leaving]):
    """One session with one cluster; what it returns says how it was left."""

    TITLE = "seatrial"
    CSS_PATH = "dashboard.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 -- textual declares it so
        (0, "-narrow"),
        (_WIDE, "-wide"),
    ]

    BINDINGS: ClassVar[list[BindingType]] = [
        # Of the keys in the last line the first are seen in any window.
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "leave", "quit"),
        Binding("k", "kill(False)", "kill"),
        Binding("K", "kill(True)", "kill now", key_display="K"),
        Binding("s", "node('stop')", "stop"),
        Binding("S", "node('start')", "start", key_display="S"),
        Binding("c", "node('cordon')", "cordon", show=False),
        Binding("d", "node('drain')", "drain"),
        Binding("u", "undo", "undo"),
        Binding("U", "undo_all", "undo all", key_display="U", show=False),
        Binding("x", "give_up", "stop what is being done", show=False),
        Binding("H", "halt", "halt", key_display="H"),
        Binding("R", "resume", "resume", key_display="R", show=False),
        Binding("n", "choose_namespace", "namespace", show=False),
        Binding("slash", "search", "search", show=False),
        Binding("enter", "details", "details", show=False),
        Binding("1", "panel(0)", "nodes", show=False),
        Binding("2", "panel(1)", "events", show=False),
        Binding("3", "panel(2)", "recovery", show=False),
        Binding("4", "panel(3)", "experiments", show=False),
        Binding("ctrl+c,ctrl+q", "leave", "quit", show=False, priority=True),
    ]

    def __init__(self, session: HandSession, live: LiveCluster, settings: DashboardSettings) -> None:
        super().__init__()
        self.register_theme(THEME)
        self.theme = THEME.name
        self._session = session
        self._live = live
        self._settings = settings
        self._board = Board(live, on_change=self._touch)
        self._board.look_at(Filter(namespace=settings.namespace))
        self._node_board = NodeBoard(self._board, id="board")
        self._feed = Feed(id="events")
        # Held, not looked for: while the screen is taken down, some are gone from it before the others.
        self._masthead = Masthead(id="masthead")
        self._chosen = Static(id="chosen")
        self._nodes_frame = Vertical(self._node_board, self._chosen, id="nodes")
        self._recovery, self._experiments = Panel(id="recovery"), Panel(id="experiments")
        self._recoveries = RecoveryWatch(monotonic=time.monotonic)
        self._others = Others()
        self._is_stale = True
        self._follows_events = False
        self._acting = Acting(self, session, settings.production_pattern)
        self._ends = [live.pods.subscribe(self._recoveries.see)]
        self.failure: Exception | None = None
        """What ended the screen, where that was a mistake of ours."""

    def compose(self) -> ComposeResult:
        """Build the screen."""
        yield self._masthead
        with Container(id="body"):
            with Vertical(id="left"):
                yield self._nodes_frame
                yield self._feed
            with Vertical(id="right"):
                yield self._recovery
                yield self._experiments
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        """Begin to follow the cluster."""
        self.ansi_theme_dark = PRINTED
        for number, name in enumerate(PANELS, start=1):
            self.query_one(f"#{name}").border_title = f"{number} {name.capitalize()}"
        self._nodes_frame.border_subtitle = _legend()
        self._feed.look_at(self._settings.namespace)
        self._session.on_change = self._touch
        self.action_panel(0)
        self._follow()
        self._look_at_others()
        self.set_interval(_BETWEEN_DRAWINGS_SECONDS, self._draw_if_stale)
        self.set_interval(1, self._touch)
        self.set_interval(_BETWEEN_LOOKS_AT_THE_JOURNAL_SECONDS, self._look_at_runs)
        self.set_interval(_BETWEEN_LOOKS_AT_MARKS_SECONDS, self._look_at_others)

    def on_resize(self, event: Resize) -> None:
        """Name the panels that are out of sight."""
        for panel in (self._feed, self._recovery, self._experiments):
            panel.border_subtitle = "" if event.size.width >= _WIDE else _ALL_PANELS

    def on_unmount(self) -> None:
        """Follow nothing any more."""
        self._session.on_change = lambda: None
        self._board.close()
        while self._ends:
            self._ends.pop()()

    def hear(self, record: Record) -> None:
        """Take in an event of the session."""
        self._recoveries.hear(record.event)
        self._feed.take_record(record)
        self._touch()

    def say_error(self, error: SeatrialError) -> None:
        """Show what went wrong and what can be done about it."""
        self.notify("\n".join(filter(None, (error.message, error.hint))), severity="error", markup=False, timeout=10)

    def _handle_exception(self, error: Exception) -> None:
        """Keep what broke, for whoever runs this to tell."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        self.failure = self.failure or (cause if isinstance(cause, Exception) else error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Leave; textual would print local variables, which may hold credentials."""
        self.panic()

    # Keys

    def action_kill(self, force: bool) -> None:  # noqa: FBT001 -- a key's action
        """Kill the pod that is chosen."""
        shown = self._node_board.chosen_pod
        if shown is None:
            self.notify("choose a pod first: → ←", severity="warning", markup=False)
        else:
            self._carry_out(self._acting.kill(shown, force=force))

    def action_node(self, verb: str) -> None:
        """Do something to the node that is chosen, or that the chosen pod is on."""
        row = self._node_board.chosen_node
        if row is None or not row.name:
            self.notify("choose a node first: ↑ ↓", severity="warning", markup=False)
        else:
            self._carry_out(self._acting.act_on_node(verb, row.name))

    def action_undo(self) -> None:
        """Take back what was done last and stands."""
        self._carry_out(self._acting.undo_last())

    def action_undo_all(self) -> None:
        """Take back everything that stands."""
        self._carry_out(self._acting.undo_all())

    def action_give_up(self) -> None:
        """Stop what is being done; what it changed so far is taken back."""
        self._acting.give_up()

    def action_halt(self) -> None:
        """Halt every experiment on the cluster."""
        self._carry_out(self._acting.halt(namespace=self._settings.halt_namespace))

    def action_resume(self) -> None:
        """Lift the halt."""
        self._carry_out(self._acting.resume(namespace=self._settings.halt_namespace))

    @work(group="dialogs")
    async def action_choose_namespace(self) -> None:
        """Look at one namespace, or all."""
        names: Sequence[str] = ()
        try:
            await self._live.namespaces.ready()
            names = self._live.namespaces.names()
        except SeatrialError as error:
            self.say_error(error)
        question = f"Look at which namespace? (empty: all) {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
        wanted = await self.push_screen_wait(Ask(question, value=self._board.wanted.namespace, choices=names))
        if wanted is None:
            return
        if wanted and names and wanted not in names:
            self.notify(f"there is no namespace {wanted!r}", severity="warning", markup=False)
            return
        self._board.look_at(msgspec.structs.replace(self._board.wanted, namespace=wanted))
        self._feed.look_at(wanted)
        if wanted:
            self._follow()  # who may not look at all namespaces looks at each when it is asked for

    @work(group="dialogs")
    async def action_search(self) -> None:
        """Show those pods and nodes only whose names have a text in them."""
        question = "Show pods and nodes whose names have this in them (empty: all)"
        wanted = await self.push_screen_wait(Ask(question, value=self._board.wanted.text))
        if wanted is not None:
            self._board.look_at(msgspec.structs.replace(self._board.wanted, text=wanted))

    @work(group="dialogs")
    async def action_details(self) -> None:
        """Show the chosen pod or node as it is by now."""
        row, shown = self._node_board.chosen_node, self._node_board.chosen_pod
        if row is None or not (row.name or shown):
            return
        try:
            if shown is not None:
                zone = row.node.zone if row.node else ""
                account = await pod_details(shown, self._session, zone=zone)
            else:
                account = await node_details(row.name, self._session)
        except SeatrialError as error:
            self.say_error(error)
            return
        await self.push_screen(
            Reading(account.title, printed(lambda console: _write(account, console), width=self.size.width))
        )

    def action_panel(self, number: int) -> None:
        """Go to a panel; in a narrow window it takes the place of the others."""
        for name in PANELS:
            self.query_one("#body").set_class(name == PANELS[number], f"-show-{name}")
        (self._node_board if number == 0 else self.query_one(f"#{PANELS[number]}")).focus()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Reading("Keys", keys_and_marks()))

    def action_leave(self) -> None:
        """Quit; where something stands, ask what is to become of it. Who says so once more wants it taken back."""
        if isinstance(self.screen, Leave):
            self.screen.action_leave(Leaving.UNDO.name)
        else:
            self._leave()

    @work(group="dialogs")
    async def _leave(self) -> None:
        standing = [each.order.title for each in self._session.standing_deeds]
        can_keep = not self._session.is_disposable
        how = await self.push_screen_wait(Leave(standing, can_keep=can_keep)) if standing else Leaving.UNDO
        if how is not None:
            self.exit(how)

    @work(group="acting")
    async def _carry_out(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do it beside everything else; what a user can do something about is shown."""
        try:
            await doing
        except SeatrialError as error:
            self.say_error(error)
        self._touch()

    def on_node_board_chosen(self) -> None:
        """Say what is chosen."""
        row = self._node_board.chosen_node
        place = self._chosen
        now, shown = datetime.now(UTC), self._node_board.chosen_pod
        words = one_line(row, shown, now=now, width=place.size.width) if row else ""
        place.update(words, layout=False)

    # Following the cluster

    @work(group="following", exclusive=True)
    async def _follow(self) -> None:
        try:
            await self._board.open()
            await self._live.events.ready(self._board.wanted.namespace)
        except SeatrialError as error:
            self.say_error(error)
        if not self._follows_events:
            self._follows_events = True
            self._ends.append(self._live.events.subscribe(self._see_event))
            for event in in_order(self._live.events.all())[-_FIRST_EVENTS:]:
                self._feed.take_event(event)
        self._touch()

    @work(group="others")
    async def _look_at_others(self) -> None:
        marked, unseen = await marked_objects(self._session.context)
        self._others = msgspec.structs.replace(self._others, marked=marked, unseen=unseen)
        await self._look_at_runs()

    async def _look_at_runs(self) -> None:
        try:
            runs = await runs_here(self._session.context)
        except SeatrialError as error:
            runs = [error.message]
        self._others = msgspec.structs.replace(self._others, runs=runs)
        self._touch()

    def _see_event(self, change: Change[LiveEvent]) -> None:
        if change.type != "DELETED":
            self._feed.take_event(change.object)
            self._touch()

    # Drawing

    def _touch(self) -> None:
        self._is_stale = True

    def _draw_if_stale(self) -> None:
        if self._is_stale:
            self._is_stale = False
            self._draw()

    def _draw(self) -> None:
        self._node_board.take_in()
        self._feed.take_in()
        self._nodes_frame.border_title = escape(f"1 Nodes  {self._summary()}")
        recoveries = self._recoveries.all()
        self._recovery.show(recoveries, lambda: recovery_table(recoveries))
        mark, deeds = halt_seen(self._session.context), self._session.deeds
        done = [(each.number, each.standing, each.outcome_so_far) for each in deeds]
        self._experiments.show((mark, done, self._others), lambda: experiments_table(mark, deeds, self._others))
        self._masthead.show(self._facts(is_halted=mark is not None))

    def _facts(self, *, is_halted: bool) -> Facts:
        cluster, wanted = self._session.context.cluster, self._board.wanted
        return Facts(
            context=cluster.context_name,
            server=cluster.server,
            namespace=wanted.namespace,
            search=wanted.text,
            is_production=bool(self._acting.confirmation("").name),
            is_halted=is_halted,
            standing=len(self._session.standing_deeds),
            is_at_work=self._acting.is_at_work,
            is_incomplete=bool(self._board.problem),
            time=f"{datetime.now().astimezone():%H:%M:%S}",
        )

    def _summary(self) -> str:
        problem = self._board.problem
        if not (self._live.pods.is_ready or problem):
            return "loading…"
        zones = [row for row in self._node_board.rows if isinstance(row, ZoneRow)]
        counts = self._board.counts()
        nodes, ready = sum(each.nodes for each in zones), sum(each.ready for each in zones)
        unwell = [state for state in (PodState.FAILING, PodState.NOT_READY) if counts[state]]
        bad = [f"{counts[state]} {state.value.word}" for state in unwell]
        words = ", ".join([f"{ready} of {nodes} Ready", counted(counts.total(), "pod"), *bad])
        return f"{words}  ! {printable(problem)}" if problem else words


def _write(account: Account, console: Console) -> None:
    for line in islice(account_lines(account, console), 1, None):  # its title is the dialog's
        console.print(line, soft_wrap=True)


def _legend() -> str:
    marks = (f"[{each.value.style}]{each.value.mark}[/] {each.value.word}" for each in PodState)
    return "  ".join(marks)
