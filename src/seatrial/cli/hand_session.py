"""A session by hand, put together as a run of a policy is: for the interactive shell and for the dashboard.

A guardian takes over when it is killed. A sandbox needs none: it dies with us, and all that was done to it.
"""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from seatrial.actions.manifest_text import read_manifests
from seatrial.by_hand.guardian import Guardian, guardian_of, watched_over
from seatrial.by_hand.orders import NAME
from seatrial.by_hand.session import HandSession
from seatrial.cli.hand_options import HandChoice
from seatrial.cli.session import SessionOptions, load, opened
from seatrial.engine.interrupts import Interrupts
from seatrial.errors import CleanUpIncomplete, SeatrialError
from seatrial.kube.errors import Forbidden
from seatrial.policy.models import Policy
from seatrial.runtime.events import ChangesKept, Listener
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import Verdict

_log = logging.getLogger(__name__)

EMPTY_POLICY = Policy(scenarios=())
"""What a session begins with; `SessionOptions` wants a policy."""


def session_options(hand: HandChoice) -> SessionOptions:
    """What the command line says, as a session takes it.

    Raises:
        UsageError: a manifest can't be read.
    """
    run = hand.run
    return SessionOptions(
        policy=EMPTY_POLICY,
        policy_name=NAME,
        kubeconfig=hand.kubeconfig,
        kube_context=hand.kube_context,
        sandbox=hand.sandbox,
        manifests=tuple(manifest for file in hand.manifests for manifest in read_manifests(file)),
        load_timeout_seconds=hand.load_timeout_seconds,
        seed=run.seed,
        recovery_timeout_seconds=run.recovery_timeout_seconds,
        max_parallel=run.max_parallel,
        state_directory=run.state_directory,
        halt_namespace=run.halt_namespace,
        guardrails=hand.guardrails,
        machines=hand.machines,
        kubernetes_events=hand.kubernetes_events,
    )


@asynccontextmanager
async def hand_session(
    options: SessionOptions, listeners: Sequence[Listener], interrupts: Interrupts, *, keeps: Callable[[], bool]
) -> AsyncIterator[HandSession]:
    """Begin a session, and take back at the end what it did, unless `keeps` says otherwise then.

    Where it says so from the beginning, what was done is kept also when the session is killed.

    Raises:
        SeatrialError: it could not begin.
        CleanUpIncomplete: it has ended, and something could not be taken back, of this session or an earlier run.
    """
    sessions: list[HandSession] = []

    def halt(words: str) -> None:
        for session in sessions:
            session.halt(words)

    said = ""
    try:
        async with opened(options, listeners, interrupts, stop=halt) as ground:
            context = ground.context
            environ = {name: value for name, value in options.machines.secrets.items() if value}
            guardian = None if options.sandbox else guardian_of(context.journal, environ=environ)
            session = HandSession(
                context,
                hurry=interrupts.hurry,
                earlier_failures=ground.earlier_failures,
                is_disposable=options.sandbox,
            )
            sessions.append(session)
            if guardian:
                session.watched_over = partial(watched_over, environ=environ)
            try:
                if keeps() and not options.sandbox:
                    await context.journal.journal.keep(context.run_id)
                elif guardian:
                    context.journal.guard = guardian.watch
                with suppress(Forbidden):  # who may not ask for its version has reached it
                    await context.cluster.version()
                if options.manifests:
                    await context.halt.check()
                await load(options, context)
                yield session
            finally:
                await uncancellable(_end(session, guardian, keep=keeps() and not options.sandbox))
    except SeatrialError as error:
        said = f"{error.message}; and "
        raise
    finally:
        failures = [failure for session in sessions for failure in session.undo_failures]
        if failures:
            raise CleanUpIncomplete(
                f"{said}clean-up is incomplete: {'; '.join(failures)}", hint="when the reason is gone: seatrial recover"
            )


async def _end(session: HandSession, guardian: Guardian | None, *, keep: bool) -> None:
    await session.close(keep=keep)
    context = session.context
    if keep and (changes := session.changes):
        await context.journal.journal.keep(context.run_id)
        context.emit(ChangesKept(run_id=context.run_id, changes=tuple(changes)))
    await context.journal.finish(Verdict.INCONCLUSIVE if session.undo_failures else Verdict.PASSED)
    for problem in context.journal.disk_problems:
        _log.warning("%s; what was undone may be asked for once more", problem)
    if guardian:
        await guardian.dismiss()
