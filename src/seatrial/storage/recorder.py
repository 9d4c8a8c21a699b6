"""The listener that keeps a run in a store.

It takes events in, and a thread of its own writes them: at once where somebody may ask for them (a scenario has ended),
else within a second, so that a process that is killed takes little with it. A store that fails (a full disk, a database
that can't be reached) hurts nothing: it is said once, events wait for it, as many as memory is for (`waiting`), and it
is tried again and again, less and less often. What was dropped is counted, said, and marked in the store. Between
events the thread writes down that the run lives, and tidies the store a bite at a time.
"""

import logging
import platform
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from seatrial import __version__
from seatrial.errors import StateError
from seatrial.runtime.events import (
    ObjectiveJudged,
    PolicyReloaded,
    Record,
    RunFinished,
    RunStarted,
    ScenarioFinished,
)
from seatrial.runtime.process_identity import this_process
from seatrial.storage.records import Gap, RunRecord
from seatrial.storage.redaction import redact_policy
from seatrial.storage.retention import Retention
from seatrial.storage.store import Store
from seatrial.storage.waiting import WaitingEvents

_log = logging.getLogger(__name__)

_CLOSING_SECONDS = 4.0  # less than the event stream waits for a listener
_MOST_AT_A_TIME = 5000  # so that a transaction is short, also after the store was away for long
_TIDYING_SECONDS = 0.2
_BETWEEN_BITES_SECONDS = 1.0


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often the recorder does what, in seconds, and how many events may wait for a store that fails."""

    flush: float = 1.0
    beat: float = 10.0
    tidy: float = 600.0
    shortest_retry: float = 1.0
    longest_retry: float = 30.0
    most_waiting: int = 100_000


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The command line, without secrets; the digest of the saved plan that the run is held to, and the plan as JSON."""

    command: str = ""
    plan: str = ""
    saved_plan: str = ""


class Recorder:
    """Keeps what happens in a run; see the module's docstring.

    Args:
        store: where.
        policy_text: what stood in the policy; its secrets are left out.
        digests: by scenario, that of what it does.
        origin: what else the run was begun with.
        retention: how much is kept for how long.
        pace: how often what is done.
        now: the time of day.
    """

    def __init__(
        self,
        store: Store,
        *,
        policy_text: str,
        digests: Mapping[str, str],
        origin: Origin | None = None,
        retention: Retention | None = None,
        pace: Pace | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._policy_text = policy_text
        self._digests = digests
        self._origin = origin or Origin()
        self._retention = retention or Retention()
        self._pace = pace or Pace()
        self._now = now
        self._run: RunRecord | None = None
        self._is_begun = False
        self._waiting = WaitingEvents(self._pace.most_waiting, digests=digests)
        self._turn = threading.Condition()
        self._is_wanted = self._is_ending = self._has_ended = False
        self._problem = ""
        self._failures = 0
        self._told_lost = 0
        self._flush_at = self._retry_at = 0.0

    def __call__(self, record: Record) -> None:
        """Take in one event."""
        with self._turn:
            if self._has_ended:
                return
            self._waiting.take(record)
            if isinstance(record.event, RunStarted):
                self._begin(record.event, at=record.time.timestamp())
            if self._run is None:
                return
            self._is_ending = isinstance(record.event, RunFinished)
            is_awaited = isinstance(record.event, ScenarioFinished | ObjectiveJudged | PolicyReloaded)
            if self._is_ending or (is_awaited and not self._problem):
                self._is_wanted = True
                self._turn.notify_all()
                if not self._turn.wait_for(self._is_done, timeout=_CLOSING_SECONDS):
                    self._hold_up(f"writing takes more than {_CLOSING_SECONDS:g} s")
            elif len(self._waiting) == 1:
                self._flush_at = time.monotonic() + self._pace.flush
                self._turn.notify_all()
        if self._is_ending:
            self._close()

    @property
    def problem(self) -> str:
        """What keeps the store from taking what happens; empty where nothing does."""
        return self._problem

    def _is_done(self) -> bool:
        """Whether whoever waits for the thread need wait no more."""
        if self._is_ending:
            return self._has_ended
        return not self._waiting or bool(self._problem)

    def _hold_up(self, problem: str, *, in_full: str = "") -> None:
        """Say that the store doesn't take what happens; its series are not read while their ends are missing."""
        if not self._problem:
            _log.warning("the run goes on, but is not kept at the moment: %s", in_full or problem)
        self._problem = problem
        self._store.hold_up(problem)

    def _go_on(self) -> None:
        """The store has taken all that waited."""
        if self._problem:
            _log.warning("the run is kept again in %s", self._store.place)
        self._problem = ""
        self._store.hold_up("")

    def _begin(self, started: RunStarted, *, at: float) -> None:
        text, redacted = redact_policy(self._policy_text)
        self._run = RunRecord(
            id=started.run_id,
            policy=started.policy,
            policy_text=text,
            redacted=redacted,
            digests=self._digests,
            windows=windows_in(text),
            seed=started.seed,
            server=started.server,
            context=started.context,
            cluster=started.cluster,
            command=self._origin.command,
            plan=self._origin.plan,
            saved_plan=self._origin.saved_plan,
            versions={
                "seatrial": __version__,
                "kubernetes": started.kubernetes,
                "python": platform.python_version(),
            },
            host=socket.gethostname(),
            process=this_process(),
            started=at,
            seen=at,
        )
        threading.Thread(target=self._work, name="recorder", daemon=True).start()

    def _close(self) -> None:
        """The run is over: say what of it isn't kept."""
        with self._turn:
            self._has_ended = True
            left = len(self._waiting) + self._waiting.lost
            problem, self._waiting = self._problem, WaitingEvents(0, digests={})
        if left:
            why = f": {problem}" if problem else ""
            _log.warning("%d events of this run are not kept in %s%s", left, self._store.place, why)

    def _work(self) -> None:
        """What the thread does until the run is over."""
        beat_at, tidy_at = self._in(self._pace.beat), self._in(self._pace.tidy)
        while True:
            with self._turn:
                while not self._is_wanted and (pause := min(beat_at, tidy_at, self._write_at) - time.monotonic()) > 0:
                    self._turn.wait(pause)
                self._is_wanted = False
                is_ending, is_waiting = self._is_ending, bool(self._waiting)
            if is_waiting and (is_ending or time.monotonic() >= self._retry_at):
                self._write()
                beat_at = self._in(self._pace.beat)  # what is written says that the run lives
            if is_ending:
                self._tidy(seconds=_TIDYING_SECONDS)
                break
            if time.monotonic() >= beat_at:
                self._beat()
                beat_at = self._in(self._pace.beat)
            if time.monotonic() >= tidy_at:
                is_tidy = self._tidy(seconds=_TIDYING_SECONDS)
                tidy_at = self._in(self._pace.tidy if is_tidy else min(self._pace.tidy, _BETWEEN_BITES_SECONDS))
        with self._turn:
            self._has_ended = True
            self._turn.notify_all()

    @property
    def _write_at(self) -> float:
        """When what waits is written, by the monotonic clock, should nobody ask before."""
        return max(self._flush_at, self._retry_at) if self._waiting else float("inf")

    @staticmethod
    def _in(seconds: float) -> float:
        return time.monotonic() + seconds

    def _write(self) -> None:
        """Write what waits; what can't be written waits on."""
        with self._turn:
            records, gaps = self._waiting.hand_out()
            lost = self._waiting.lost
        assert self._run is not None  # noqa: S101 -- the thread begins with the run
        try:
            if not self._is_begun:
                self._store.begin(self._run)
                self._is_begun = True
            self._add(msgspec.structs.replace(self._run, lost=lost), records, gaps)
        except StateError as error:
            self._failed(error)
            return
        except Exception as error:  # noqa: BLE001 -- a defect here must neither hurt the run nor end the thread
            self._failed(StateError(f"the store broke: {type(error).__name__}: {error}"))
            return
        with self._turn:
            self._waiting.written()
            self._worked(lost)
            self._turn.notify_all()

    def _add(self, run: RunRecord, records: list[Record], gaps: Sequence[Gap]) -> None:
        """Hand records to the store; from where the policy was read anew, scenarios are what they are by then."""
        part: list[Record] = []
        for record in records:
            part.append(record)
            is_reloaded = isinstance(record.event, PolicyReloaded)
            if is_reloaded or len(part) >= _MOST_AT_A_TIME:
                self._store.add(msgspec.structs.replace(run, seen=self._now()), part, gaps=gaps)
                part, gaps = [], ()
            if isinstance(record.event, PolicyReloaded):
                run = _reloaded(run, record.event)
        if part:
            self._store.add(msgspec.structs.replace(run, seen=self._now()), part, gaps=gaps)
        self._run = run

    def _failed(self, error: StateError) -> None:
        pause = min(self._pace.longest_retry, self._pace.shortest_retry * 2 ** min(self._failures, 30))
        self._failures += 1
        self._retry_at = time.monotonic() + pause
        with self._turn:
            self._waiting.not_written()
            self._hold_up(error.message, in_full=error.in_full)
            self._turn.notify_all()

    def _worked(self, lost: int) -> None:
        self._failures, self._retry_at = 0, 0.0
        self._go_on()
        if lost > self._told_lost:
            _log.warning("%d events are lost: more than could wait", lost - self._told_lost)
            self._told_lost = lost

    def _beat(self) -> None:
        if self._run is not None and self._is_begun and not self._problem:
            with suppress(StateError):  # events will meet the same problem, and tell it
                self._store.beat(self._run.id, self._now())

    def _tidy(self, *, seconds: float) -> bool:
        """Tidy the store for so long; whether all is done, as far as it can be."""
        end = time.monotonic() + seconds
        try:
            while not self._problem and self._store.tidy(self._retention, now=self._now()):
                if time.monotonic() > end:
                    return False
        except StateError as error:
            _log.info("the store could not be tidied: %s", error.message)
        return True


def windows_in(policy: str) -> Mapping[str, tuple[str, ...]]:
    """The windows of the objectives of each scenario of a policy that is known to be valid."""
    if "objectives" not in policy:
        return {}
    import yaml  # noqa: PLC0415 -- few policies have objectives

    from seatrial.policy.objectives import DEFAULT_WINDOW  # noqa: PLC0415 -- likewise

    try:
        found = yaml.load(policy, Loader=yaml.CSafeLoader)
        return {
            str(each["name"]): tuple(str(one.get("window", DEFAULT_WINDOW)) for one in each["objectives"])
            for each in found["scenarios"]
            if each.get("objectives")
        }
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):
        # A document that leaves no doubt to our reader (`policy.document`) may be more than another one takes.
        return {}


def _reloaded(run: RunRecord, reloaded: PolicyReloaded) -> RunRecord:
    return msgspec.structs.replace(run, digests=reloaded.digests, windows=windows_in(reloaded.policy_text))
