"""Commands on a machine with a real OpenSSH server."""

import asyncio
import re
import secrets
import shlex
import shutil
import subprocess

import pytest

from seatrial.actions.dead_man_timer import DISARMED, DeadManTimer
from seatrial.errors import MachineError
from seatrial.kube.resources import NODES
from seatrial.remote import ssh_command
from seatrial.remote.ssh import EXECUTOR
from tests.sshds import NoServerError, running


@pytest.fixture(scope="module")
def sshd():
    try:
        with running() as server:
            yield server
    except NoServerError as error:
        pytest.skip(str(error))


class Machine:
    """A node whose machine is that server."""

    def __init__(self, control, home, sshd):
        self.sshd = sshd
        self._cluster = control.cluster
        self._variables = {
            "PS_REMOTE_USER": sshd.user,
            "PS_PRIVATE_KEY": str(sshd.key),
            "SEATRIAL_SSH_PORT": str(sshd.port),
            "SEATRIAL_SSH_KNOWN_HOSTS": str(home / "known"),
        }
        (home / "known").write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}")
        self._before = sshd.log
        self._executors = []

    async def executor(self, **variables):
        made = await EXECUTOR.connect(self._cluster, {**self._variables, **variables})
        self._executors.append(made)
        return made

    @property
    def logins(self):
        return self.sshd.log.removeprefix(self._before).count("Accepted publickey")

    async def close(self):
        for executor in self._executors:
            await executor.close()


@pytest.fixture
async def machine(control, home, sshd):
    await control.cluster.create(NODES, {"metadata": {"name": "n1"}})
    status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    await control.cluster.patch(NODES, "n1", {"status": status}, subresource="status")
    made = Machine(control, home, sshd)
    yield made
    await made.close()


def until_gone(process):
    """A killed orphan stays in the process table until its new parent has looked at it."""
    return f"while kill -0 {process} 2>/dev/null; do sleep 0.05; done"


async def test_a_command_answers_with_its_code_and_output(machine):
    """Quotes, both outputs, no input, codes and signals."""
    executor = await machine.executor()
    result = await executor.run("n1", 'echo "it\'s $((1 + 1))"; cat; echo oh no >&2; exit 3')
    assert (result.exit_code, sorted(result.output.splitlines())) == (3, ["it's 2", "oh no"])
    assert (await executor.run("n1", "kill -TERM $$")).exit_code == 143


async def test_a_long_output_keeps_its_ends(machine):
    """And is read to its end, so that the command does not wait."""
    result = await (await machine.executor()).run("n1", "seq 1 100000; echo last")
    assert result.output.startswith("1\n2\n")
    assert result.output.endswith("100000\nlast\n")
    assert "characters left out" in result.output


async def test_commands_share_one_login(machine):
    """As many at once as the server takes."""
    executor = await machine.executor()
    results = await asyncio.gather(*(executor.run("n1", f"sleep 0.1; echo {index}") for index in range(30)))
    assert [each.output for each in results] == [f"{index}\n" for index in range(30)]
    assert machine.logins == 1


async def test_a_command_that_takes_too_long_is_killed_with_all_it_started(machine):
    """OpenSSH signals the whole process group."""
    executor = await machine.executor()
    heard = []
    with pytest.raises(MachineError, match="did not end within 1 s and was killed"):
        await executor.run("n1", "sleep 77 & echo $!; wait", timeout_seconds=1, heard=heard.append)
    assert (await executor.run("n1", until_gone(heard[0]), timeout_seconds=30)).exit_code == 0


async def test_an_interrupted_command_is_killed(machine):
    """With all it started."""
    executor = await machine.executor()
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    run = asyncio.create_task(executor.run("n1", "sleep 78 & echo $!; wait", heard=begun.set_result))
    child = await begun
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (await executor.run("n1", until_gone(child), timeout_seconds=30)).exit_code == 0


async def test_what_a_command_leaves_running_is_not_waited_for(machine):
    """A timer that outlives its connection is started in that way."""
    executor = await machine.executor()
    result = await executor.run("n1", "sleep 3 & echo started", timeout_seconds=30)
    assert result.output == "started\n"


async def test_what_a_command_leaves_writing_is_not_waited_for_either(machine, monkeypatch):
    """Not for long: what is on its way still comes."""
    monkeypatch.setattr(ssh_command, "_AFTERWARDS_SECONDS", 1.5)
    executor = await machine.executor()
    result = await executor.run("n1", "(for i in $(seq 100); do echo $i; sleep 0.5; done) & echo here")
    assert result.exit_code == 0
    assert {"here", "1", "2"} <= set(result.output.splitlines())
    assert "100" not in result.output


async def test_a_timer_outlives_the_connection_that_armed_it(machine):
    """And can be ended over another one."""
    marker = machine.sshd.directory / f"fired-{secrets.token_hex(4)}"
    soon, late = DeadManTimer.of(1), DeadManTimer.of(3600)
    executor = await machine.executor()
    for timer in (soon, late):
        assert (await executor.run("n1", shlex.join(timer.arming(["touch", str(marker)])))).exit_code == 0
    await executor.close()
    until_fired = f"until test -e {marker}; do sleep 0.05; done"
    assert (await executor.run("n1", until_fired, timeout_seconds=30)).exit_code == 0
    disarmed = await executor.run("n1", shlex.join(late.disarming(patience_seconds=10)))
    assert (disarmed.exit_code, disarmed.output.strip()) == (0, DISARMED)
    assert machine.logins == 2


async def test_a_server_that_ends_sessions_is_logged_in_to_again(machine):
    """Where the connection broke before the next command."""
    executor = await machine.executor()
    await executor.run("n1", "true")
    with pytest.raises(MachineError, match="broke while the command ran"):
        await executor.run("n1", "kill -9 $(ps -o ppid= -p $PPID)" if shutil.which("ps") else "kill -9 $PPID")
    assert (await executor.run("n1", "echo back")).output == "back\n"
    assert machine.logins == 2


async def test_a_machine_may_be_its_own_jump_host(machine):
    """Through OpenSSH's forwarding."""
    jump = f"{machine.sshd.user}@127.0.0.1:{machine.sshd.port}"
    executor = await machine.executor(SEATRIAL_SSH_JUMP_HOST=jump)
    assert (await executor.run("n1", "echo behind")).output == "behind\n"
    assert machine.logins == 2


@pytest.mark.skipif(not shutil.which("ssh"), reason="there is no ssh here")
async def test_what_a_person_would_type_works(machine):
    """The command for doing it by hand, run by a shell."""
    by_hand = await (await machine.executor()).by_hand("n1", 'echo "it\'s $((1 + 1))"')
    done = await asyncio.to_thread(subprocess.run, by_hand, shell=True, capture_output=True, text=True, check=False)  # noqa: S604 -- as a person would
    assert (done.returncode, done.stdout) == (0, "it's 2\n"), done.stderr


async def test_another_user_is_not_let_in(machine):
    """And the error names who."""
    executor = await machine.executor(PS_REMOTE_USER="nobody-here")
    with pytest.raises(MachineError, match="nobody-here was not let in"):
        await executor.run("n1", "true")


@pytest.mark.skipif(not shutil.which("ssh-keyscan"), reason="there is no ssh-keyscan here")
async def test_the_command_that_adds_a_host_key_works(machine, home):
    """An unknown machine's error says how it becomes a known one."""
    executor = await machine.executor(SEATRIAL_SSH_KNOWN_HOSTS="")
    with pytest.raises(MachineError, match="its host key is not known") as caught:
        await executor.run("n1", "true")
    scan = re.search(r"ssh-keyscan .* >> ~/.ssh/known_hosts", caught.value.hint)[0]
    (home / ".ssh").mkdir()
    done = await asyncio.to_thread(subprocess.run, ["sh", "-c", scan], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert shlex.split(scan)[0] == "ssh-keyscan"
    assert (await executor.run("n1", "echo known")).output == "known\n"
