"""A sandbox's main process: `python -m seatrial.sandbox ORDER`, started by `owner`, not by hand.

It takes the sandbox's name, forks the launcher while there is neither thread nor event loop, becomes the cluster, tells
its owner through a pipe (one JSON line) that it is ready or why it can't be, and ends on SIGTERM or when the owner's
end of another pipe closes. Imports stand where their order matters: the launcher shares with all machines what is
loaded when it is forked, and should not carry more.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TextIO, cast

from seatrial.errors import SandboxError, SeatrialError
from seatrial.sandbox import home as homes
from seatrial.sandbox.order import Order
from seatrial.sandbox.process_log import ProcessLog

_LAST_WORDS_BYTES: Final = 8192
_LAST_WORDS_LINES: Final = 15


def main() -> int:
    """Be the sandbox that the first argument orders."""
    order = Order.decode(sys.argv[1])
    try:
        return _run(order)
    except SeatrialError as error:
        return _report_failure(order, error)
    except OSError as error:
        _log_traceback()
        return _report_failure(order, homes.state_error(error, order.config.directory))
    except Exception as error:  # noqa: BLE001 -- the owner is told, the log has the traceback
        _log_traceback()
        return _report_failure(order, SandboxError(f"the sandbox failed: {str(error) or type(error).__name__}"))


def _run(order: Order) -> int:
    # structlog loads rich where it finds it, to print tracebacks: 60 ms and 5 MB that a log file has no use for.
    sys.modules["rich"] = cast("ModuleType", None)
    lock = homes.Home(order.config.directory).claim()
    _write_log_to(homes.Home(order.config.directory))
    # What both sides of the fork need, and only that, before it; each loads the rest at the same time as the other.
    import aiohttp.web  # noqa: F401, PLC0415 -- loaded here to be shared

    import seatrial.sandbox.network.reachability  # noqa: F401, PLC0415 -- memory that both sides share
    from seatrial.sandbox import launcher as launchers  # noqa: PLC0415
    from seatrial.sandbox.tls_buffers import shrink_tls_buffers  # noqa: PLC0415

    shrink_tls_buffers()

    launcher = launchers.fork_launcher(
        sandbox_id=order.config.sandbox_id, remove=order.config.directory, keep_open=(lock,)
    )
    asyncio.run(_serve(order, launcher))
    return 0


async def _serve(order: Order, launcher: Any) -> None:
    from seatrial.sandbox.cluster import Cluster  # noqa: PLC0415 -- after the fork, see above

    cluster = Cluster(order.config, launcher=launcher, began=order.began)
    stopped = _stop_event(order)
    stopping = asyncio.create_task(stopped.wait())
    try:
        if await _first(cluster.start(), stopping):
            _report_ready(order, cluster.url, cluster.timings, launcher.pid)
            await _first(cluster.run(), stopping)
    finally:
        stopping.cancel()
        await cluster.stop()


async def _first(work: Any, stopping: "asyncio.Task[Any]") -> bool:
    """Do the work until it is done (True; raises what it raises) or the sandbox is to stop (False)."""
    task = asyncio.ensure_future(work)
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False
    await task
    return True


def _stop_event(order: Order) -> asyncio.Event:
    """Set on SIGTERM, SIGINT, or when the owner is gone."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if order.owner_fd is not None:
        owner = order.owner_fd

        def owner_gone() -> None:
            loop.remove_reader(owner)
            stopped.set()

        loop.add_reader(owner, owner_gone)
    return stopped


def _write_log_to(home: homes.Home) -> None:
    with homes.disk_errors(home.directory):
        descriptor = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout, sys.stderr = cast("TextIO", ProcessLog(1)), cast("TextIO", ProcessLog(2))
    import structlog  # noqa: PLC0415 -- part of what the machines share

    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _report_ready(order: Order, server: str, timings: dict[str, float], launcher_pid: int) -> None:
    home = homes.Home(order.config.directory)
    record = homes.Record(
        name=order.config.name,
        sandbox_id=order.config.sandbox_id,
        pid=os.getpid(),
        launcher_pid=launcher_pid,
        server=server,
        started_at=time.time(),
        nodes=order.config.nodes,
        timings=timings,
    )
    home.write(record)
    _tell(order, {"ready": True})


def _log_traceback() -> None:
    # A full disk is what may have happened, before the log could be opened: the owner must be told all the same.
    with contextlib.suppress(OSError):
        traceback.print_exc()
        sys.stderr.flush()


def _report_failure(order: Order, error: SeatrialError) -> int:
    failure = {"error": error.message, "hint": error.hint, "kind": type(error).__name__, "log": _last_words(order)}
    _tell(order, failure)
    return error.exit_code


def _tell(order: Order, message: dict[str, Any]) -> None:
    try:
        os.write(order.ready_fd, json.dumps(message).encode() + b"\n")
    except BrokenPipeError:
        # Nobody listens any more, as the sandbox was started in the background.
        sys.stderr.write(f"{message}\n")


def _last_words(order: Order) -> list[str]:
    """The end of the log, which by now may be a file without a name; nothing if there is none yet."""
    try:
        if not Path("/proc/self/fd/2").readlink().is_relative_to(order.config.directory.parent):
            return []
        with open("/proc/self/fd/2", "rb") as log:  # noqa: PTH123 -- a Path would resolve the link to no file
            log.seek(max(os.fstat(log.fileno()).st_size - _LAST_WORDS_BYTES, 0))
            return log.read().decode(errors="replace").splitlines()[-_LAST_WORDS_LINES:]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
