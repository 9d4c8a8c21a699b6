"""Seatrial in a process of its own, begun by a server that has everything imported: a cell takes no start-up time.

What can't be done from outside (an exception in the middle of a step, a disk that is full) is done in here.
"""

import asyncio
import functools
import json
import multiprocessing
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.faults.matrix.faults import Fault, Kind, Moment, Phase

_CALL_SECONDS = 2.5
_PROGRAM_SECONDS = 15.0
_PATIENCE_SECONDS = 4.0


@dataclass(frozen=True)
class Orders:
    """What one process has to do."""

    policy: dict[str, Any]
    manifests: tuple[dict[str, Any], ...]
    kubeconfig: Path
    state: Path
    report: Path
    executor: str = ""
    fault: Fault | None = None
    recover_only: bool = False


def start(orders: Orders) -> ForkServerProcess:
    """Begin a process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.matrix.child_imports"])
    process = context.Process(target=_main, args=(orders,))
    process.start()
    return process


def stop_server() -> None:
    """End the server and its helper, which live as long as this process otherwise."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined] # there is no public way
    resource_tracker._resource_tracker._stop()


def _main(orders: Orders) -> None:
    os.setsid()  # no terminal's signals
    with orders.report.open("w") as report:
        os.dup2(report.fileno(), 1)
        os.dup2(report.fileno(), 2)
    os.environ["SEATRIAL_STATE_DIR"] = str(orders.state)
    os.environ["KUBECONFIG"] = str(orders.kubeconfig)
    if orders.recover_only:
        from seatrial.cli.main import run

        sys.exit(run(["recover", "--output", "json"]))
    sys.exit(asyncio.run(_session(orders)))


async def _session(orders: Orders) -> int:
    from seatrial.actions import kubectl_program
    from seatrial.actions.alerts import alertmanager
    from seatrial.cli import session
    from seatrial.cli.machine_options import MachineChoice
    from seatrial.steps.registry import policy_model
    from seatrial.telemetry.log import LogReport, configure_logging

    configure_logging(log_format="text", plain=True)
    if not (orders.fault and orders.fault.is_long):
        session.connect = functools.partial(session.connect, timeout_seconds=_CALL_SECONDS)  # type: ignore[attr-defined]
        alertmanager._TIMEOUT_SECONDS = _CALL_SECONDS
        kubectl_program._LONGEST_SECONDS = _PROGRAM_SECONDS
    _announce_clean_up()
    _break_in(orders.fault)
    options = session.SessionOptions(
        policy=policy_model().model_validate(orders.policy),
        policy_name="matrix",
        kubeconfig=orders.kubeconfig,
        manifests=orders.manifests,
        load_timeout_seconds=20,
        recovery_timeout_seconds=_PATIENCE_SECONDS,
        state_directory=orders.state,
        seed=7,
        machines=MachineChoice(executor=orders.executor or None),
    )
    result = await session.run_session(options, [LogReport()])
    print(json.dumps({"verdict": result.verdict, "reasons": result.reasons, "left": result.undo_failures}))  # noqa: T201
    return result.exit_code


def _announce_clean_up() -> None:
    """Tell the proxy when clean-up begins."""
    from seatrial.engine import runner, scenario
    from seatrial.engine.unwind import unwind
    from seatrial.errors import SeatrialError

    async def announced(undos: Any, context: Any, **options: Any) -> None:
        listed = list(undos)
        if listed:
            try:
                await context.cluster._transport.request("GET", "/matrix/clean-up")
            except SeatrialError as error:
                print(error)  # noqa: T201 -- the API server is away
        await unwind(listed, context, **options)

    runner.unwind = scenario.unwind = announced  # type: ignore[attr-defined]


def _break_in(fault: Fault | None) -> None:
    if fault is None or fault.phase is Phase.CLEAN_UP:
        return
    if fault.kind is Kind.EXCEPTION:
        _raise_at_a_change(fault)
    if fault.kind is Kind.DISK_FULL:
        _fill_the_disk(fault)


def _raise_at_a_change(fault: Fault) -> None:
    """A step's own code breaks: before it sends a change, while it waits for the answer, or when it has it."""
    from seatrial.actions.alerts.alertmanager import Alertmanager
    from seatrial.actions.kubectl_program import KubectlProgram
    from seatrial.kube.transport import Transport

    broke: list[bool] = []
    for owner, name, changes in (
        (Transport, "request", _is_change),
        (Alertmanager, "_request", _is_change),
        (KubectlProgram, "_run", _is_change_by_program),
    ):
        setattr(owner, name, _breaking(getattr(owner, name), fault, broke, changes))


def _is_change(method: str, path: str, *_: Any, params: Mapping[str, Any] | None = None, **__: Any) -> bool:
    changes = method in {"POST", "PUT", "PATCH", "DELETE"} and "accessreviews" not in path
    return changes and not (params or {}).get("dryRun")


def _is_change_by_program(arguments: Sequence[str], *_: Any) -> bool:
    return "--dry-run=server" not in arguments


def _breaking(
    call: Callable[..., Awaitable[Any]], fault: Fault, broke: list[bool], changes: Callable[..., bool]
) -> Callable[..., Awaitable[Any]]:
    """The same method, but the first call that changes something breaks."""

    async def breaking(self: Any, *rest: Any, **options: Any) -> Any:
        if broke or not changes(*rest, **options):
            return await call(self, *rest, **options)
        broke.append(True)
        if fault.moment is Moment.BEFORE:
            raise RuntimeError("made for the test")
        task = asyncio.ensure_future(call(self, *rest, **options))
        if fault.moment is Moment.DURING:
            await asyncio.wait({task}, timeout=0.005)  # it goes on its way, and nobody waits for its answer
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        else:
            await task
        raise RuntimeError("made for the test")

    return breaking


def _fill_the_disk(fault: Fault) -> None:
    """No byte more: before the first undo is written, when it has been, or when the change was made."""
    from seatrial.runtime.journal import Journal

    write, settle, full = Journal.write, Journal.settle, []

    def fill(journal: Journal) -> None:
        if not full:
            full.append(True)
            size = journal.path.with_name(f"{journal.path.name}-wal").stat().st_size
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))

    async def writing(self: Journal, run_id: str, undo: Any) -> Any:
        if fault.moment is Moment.BEFORE:
            fill(self)
        written = await write(self, run_id, undo)
        if fault.moment is Moment.DURING:
            fill(self)
        return written

    async def settling(self: Journal, written: Any, **options: Any) -> None:
        fill(self)
        await settle(self, written, **options)

    Journal.write = writing  # type: ignore[method-assign]
    Journal.settle = settling  # type: ignore[method-assign]
