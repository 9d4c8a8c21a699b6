"""Somebody to take back what a session by hand changed when its process is killed: a small process of its own.

A session may stand open for hours, and nobody can tell when the next Seatrial will look into the journal. So before the
first change a process is started that waits for the end of ours, in a session of its own: what is sent to our terminal
or process group does not reach it. When we die without a word it becomes `seatrial recover --run`, with our
environment, and writes to `guardian.log` in the state directory. It never acts while our process is there, stopped
or not; a claim in the journal keeps it and another Seatrial apart.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from seatrial.environment import users_environment
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.uncancellable import uncancellable

_log = logging.getLogger(__name__)

_END_SECONDS = 5.0


class _Watcher(msgspec.Struct, frozen=True, kw_only=True):
    """The process, and the pipe by which it is told that all is well."""

    process: "subprocess.Popen[bytes]"
    pipe: int


class Guardian:
    """Watches over one run; `watch` before each change, `dismiss` when the run has ended orderly."""

    def __init__(self, run_id: str, *, state_directory: Path, environ: Mapping[str, str]) -> None:
        """`environ` is what clean-up needs to know that stands in no journal, such as passwords."""
        self._run_id = run_id
        self._state_directory = state_directory
        self._environ = environ
        self._watcher: _Watcher | None = None
        self._starting = asyncio.Lock()
        self._has_complained = False

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._watcher.process.pid if self._is_there() and self._watcher else None

    async def watch(self) -> None:
        """Return when the process is there; where it can't be started, that is said, and the journal has to do."""
        if self._is_there():
            return
        async with self._starting:
            if self._is_there():
                return
            self._let_go()
            try:
                self._watcher = await asyncio.to_thread(self._start)
            except (OSError, RuntimeError) as error:  # the latter: no thread could be started
                if not self._has_complained:
                    words = (
                        "nobody watches over this session (%s): should it be killed, run 'seatrial recover --run %s'"
                    )
                    _log.warning(words, error, self._run_id)
                self._has_complained = True

    async def dismiss(self) -> None:
        """Let the process end: there is nothing left for it to do."""
        async with self._starting:
            watcher, self._watcher = self._watcher, None
            if watcher is not None:
                await asyncio.to_thread(_dismiss, watcher)

    def _is_there(self) -> bool:
        return self._watcher is not None and self._watcher.process.poll() is None

    def _let_go(self) -> None:
        """Forget one that somebody has killed."""
        if self._watcher is not None:
            os.close(self._watcher.pipe)
            self._watcher = None

    def _start(self) -> _Watcher:
        read_end, write_end = os.pipe()
        inherited = [read_end]
        try:
            ours = _own_descriptor()
            inherited += [ours] if ours >= 0 else []
            arguments = [self._run_id, str(self._state_directory), str(read_end), str(ours), str(os.getpid())]
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "seatrial.by_hand.guardian_process", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=inherited,
                env={**users_environment(), **self._environ},
                start_new_session=True,
            )
        except OSError:
            os.close(write_end)
            raise
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        return _Watcher(process=process, pipe=write_end)


@asynccontextmanager
async def watched_over(journal: RunJournal, *, environ: Mapping[str, str]) -> AsyncIterator[None]:
    """Have somebody watch over a run while the block lasts; and after it, where it broke and left something open."""
    guardian = guardian_of(journal, environ=environ)
    journal.guard = guardian.watch
    try:
        yield
    finally:
        if not journal.newer_than(0):
            await uncancellable(guardian.dismiss())


def guardian_of(journal: RunJournal, *, environ: Mapping[str, str]) -> Guardian:
    """A guardian for a run, which does nothing before it is told to."""
    return Guardian(journal.run_id, state_directory=journal.journal.path.parent.absolute(), environ=environ)


def _own_descriptor() -> int:
    """A descriptor of this process, which never means another that gets its pid; -1 where there is none."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(os.getpid())
    except OSError:  # an old kernel, or a sandbox of another kind
        return -1


def _dismiss(watcher: _Watcher) -> None:
    with contextlib.suppress(BrokenPipeError):  # somebody has killed it
        os.write(watcher.pipe, b".")
    os.close(watcher.pipe)
    try:
        watcher.process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:  # somebody has stopped it
        watcher.process.kill()
        watcher.process.wait()
