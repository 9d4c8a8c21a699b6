"""This computer as a machine: an executor that runs commands here, with the programs that a test gives it."""

import asyncio
import os
import shutil
import signal
import sys

from seatrial.errors import MachineError
from seatrial.kube.objects import Node, ObjectMeta
from seatrial.remote.executor import CommandResult
from seatrial.targets.nodes import NodeTarget

# What the scripts need of a machine, and no more.
ALWAYS = ("cat", "date", "grep", "head", "id", "setsid", "sh", "sleep", "tr")
SYSTEMCTL = """#!/bin/sh
show() {
  for each in "$@"; do
    case ${each#--property=} in
      LoadState) echo "LoadState=$(cat {units}/load)";;
      ActiveState) echo "ActiveState=$(cat {units}/active)";;
      *) grep "^${each#--property=}=" {units}/others;;
    esac
  done
  exit 0
}
[ "$1" != show ] || show "$@"
echo "$*" >> {units}/asked
case $1 in
  start) [ ! -e {units}/broken ] || { echo "Job failed." >&2; exit 1; }; echo active > {units}/active;;
  stop) [ -e {units}/stubborn ] || echo inactive > {units}/active;;
  is-active) cat {units}/active; [ "$(cat {units}/active)" = active ];;
esac
"""


def target(name="a"):
    return NodeTarget(node=Node(metadata=ObjectMeta(name=name, uid=f"uid-{name}")))


class LocalMachine:
    """The executor. After `goes_down(n)` the n-th command from then on is run, but its answer is lost."""

    def __init__(self, directory, *programs, name="local"):
        self.name = name
        self.directory = directory
        self.programs = directory / "bin"
        self.programs.mkdir()
        for each in (*ALWAYS, *programs):
            self.link(each)
        self.write("sudo", "#!/bin/sh\nexit 1\n")
        self.lost = asyncio.Event()
        self._lost = {}
        self.refuses = ""

    def link(self, program):
        if found := shutil.which(program):
            (self.programs / program).symlink_to(found)

    def write(self, program, text):
        (self.programs / program).unlink(missing_ok=True)  # never through a link to the real one
        (self.programs / program).write_text(text)
        (self.programs / program).chmod(0o755)

    def with_service(self, *, load="loaded", active="active", others=""):
        """A systemd of one unit, whose state is files; `others` is what it shows of units that have to do with it."""
        units = self.directory / "units"
        units.mkdir()
        (units / "load").write_text(f"{load}\n")
        (units / "active").write_text(f"{active}\n")
        (units / "others").write_text(others)
        self.write("systemctl", SYSTEMCTL.replace("{units}", str(units)))
        return units

    def loses(self, *commands):
        """The answers of the commands with these numbers, counted from now, get lost."""
        self._lost = dict.fromkeys(commands)
        self._count = 0

    async def require(self):
        pass

    async def by_hand(self, node, command):
        return f"on {node}: {command}"

    async def close(self):
        pass

    async def run(self, node, command, *, timeout_seconds=60, heard=None):
        if self.refuses:
            raise MachineError(self.refuses)
        process = await asyncio.create_subprocess_exec(
            str(self.programs / "sh"), "-c", command,
            env={"PATH": str(self.programs)}, cwd=self.directory, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout_seconds):
                output, _ = await process.communicate()
        except (TimeoutError, asyncio.CancelledError) as error:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise MachineError(f"the command did not end within {timeout_seconds} s") from None
        if self._lost:
            self._count += 1
            if self._count in self._lost:
                self.lost.set()
                raise MachineError("the connection was lost")
        return CommandResult(exit_code=process.returncode, output=output.decode())


async def start(machine, name, *, deaf=False, arguments=()):
    """A process of that name (a copy of Python, so that the kernel has it so) that sleeps; `deaf` to SIGTERM."""
    program = machine.directory / name
    if not program.exists():
        program.symlink_to(sys.executable)
    code = f"import ctypes, signal, time; ctypes.CDLL(None).prctl(15, {name.encode()[:15]!r}, 0, 0, 0)\n"
    code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    code += "print('up', flush=True); time.sleep(1000)"
    process = await asyncio.create_subprocess_exec(
        program, "-S", "-c", code, *arguments, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        assert await process.stdout.readline() == b"up\n"
    except asyncio.CancelledError:
        process.kill()
        await process.communicate()
        raise
    return process
