"""Commands on machines over SSH, against SSH servers in this process."""

import asyncio
import sys

import pytest

from seatrial.errors import CommandNotStarted, MachineError, UsageError
from seatrial.remote import ssh, ssh_command
from seatrial.remote.ssh import EXECUTOR


async def refused(work) -> CommandNotStarted:
    """The error for a command that has certainly not begun."""
    with pytest.raises(CommandNotStarted) as caught:
        await work
    assert "\n" not in caught.value.in_full
    return caught.value


async def lost(work) -> MachineError:
    """The error for a command that may have begun."""
    with pytest.raises(MachineError) as caught:
        await work
    assert not isinstance(caught.value, CommandNotStarted)
    return caught.value


async def test_a_command_runs_in_a_shell_and_answers_with_its_code_and_output(machines):
    """Standard output and error come together and line by line; what it reads is empty."""
    await machines.add("n1")
    executor = await machines.executor()
    await executor.require()
    heard = []
    result = await executor.run("n1", 'echo "it\'s $((1 + 1))"; cat; echo oh no >&2; exit 3', heard=heard.append)
    assert result.exit_code == 3
    assert sorted(result.output.splitlines()) == ["it's 2", "oh no"] == sorted(heard)


async def test_lines_are_heard_while_the_command_runs(machines, tmp_path):
    """Not only at its end."""
    await machines.add("n1")
    executor = await machines.executor()
    first, marker = asyncio.Event(), tmp_path / "go on"
    waiting = f"echo begun; while [ ! -e '{marker}' ]; do sleep 0.05; done; echo done"
    run = asyncio.create_task(executor.run("n1", waiting, heard=lambda _line: first.set()))
    await first.wait()
    assert not run.done()
    marker.touch()
    assert (await run).output == "begun\ndone\n"


async def test_a_command_that_a_signal_ends_has_the_code_that_shells_give_it(machines):
    """128 and the signal's number."""
    await machines.add("n1")
    executor = await machines.executor()
    assert (await executor.run("n1", "kill -TERM $$")).exit_code == 143


async def test_a_machine_is_connected_to_once(machines):
    """However many commands it is sent, one after another or together; each is sent once."""
    server = await machines.add("n1")
    executor = await machines.executor()
    await executor.run("n1", "true")
    await asyncio.gather(*(executor.run("n1", "sleep 0.1") for _ in range(20)))
    assert len(server.connections) == 1
    assert len(server.commands) == 21
    assert 1 < server.most_at_once <= 8  # OpenSSH takes ten sessions a connection by default


async def test_a_dead_connection_is_opened_anew(machines):
    """A machine that was restarted is not lost; the command that finds out is sent once."""
    server = await machines.add("n1")
    executor = await machines.executor()
    await executor.run("n1", "true")
    server.cut()
    assert (await executor.run("n1", "echo back")).output == "back\n"
    assert len(server.connections) == 2
    assert len(server.commands) == 2


async def test_a_command_whose_connection_breaks_is_not_sent_again(machines):
    """It may have done its work; what is not known is said."""
    server = await machines.add("n1")
    executor = await machines.executor()
    begun = asyncio.Event()
    run = asyncio.create_task(executor.run("n1", "echo begun; sleep 30", heard=lambda _line: begun.set()))
    await begun.wait()
    server.cut()
    assert "broke while the command ran; it may run on" in (await lost(run)).message
    assert len(server.commands) == 1


async def test_a_command_that_takes_too_long_is_killed_with_all_it_started(machines, tmp_path):
    """By its process group, as OpenSSH does it."""
    server = await machines.add("n1", drops_commands=False)
    executor = await machines.executor()
    alive = tmp_path / "alive"
    error = await lost(executor.run("n1", f"(sleep 3; touch '{alive}') & sleep 60", timeout_seconds=1))
    assert error.message == "the command on n1 did not end within 1 s and was killed"
    assert server.signals == ["KILL"]
    await asyncio.gather(*server.tasks)
    assert not alive.exists()


async def test_a_command_that_can_not_be_killed_is_said_to_run_on(machines, monkeypatch):
    """Where the server passes no signals on, or the command belongs to somebody else."""
    monkeypatch.setattr(ssh_command, "_DYING_SECONDS", 0.2)
    await machines.add("n1", passes_signals_on=False)
    executor = await machines.executor()
    error = await lost(executor.run("n1", "sleep 60", timeout_seconds=0.2))
    assert error.message.endswith("and could not be killed: it may run on")


async def test_an_interrupted_command_is_killed(machines):
    """Nobody waits for it any more."""
    server = await machines.add("n1", drops_commands=False)
    executor = await machines.executor()
    begun = asyncio.Event()
    run = asyncio.create_task(executor.run("n1", "echo begun; sleep 60", heard=lambda _line: begun.set()))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.gather(*server.tasks)
    assert server.signals == ["KILL"]


@pytest.mark.parametrize("options", [{"refuses_commands": True}, {"most_sessions": 0}])
async def test_a_server_that_takes_no_commands_is_said(machines, monkeypatch, options):
    """It lets the user in, and no more."""
    monkeypatch.setattr(ssh_command, "_PAUSES_SECONDS", (0.01,))
    await machines.add("n1", **options)
    error = await refused((await machines.executor()).run("n1", "true"))
    assert "n1 takes no command over SSH" in error.message


async def test_a_server_that_takes_few_commands_at_once_gets_them_one_after_another(machines):
    """`MaxSessions` may be less than OpenSSH's default; none of them is run twice."""
    server = await machines.add("n1", most_sessions=1)
    executor = await machines.executor()
    results = await asyncio.gather(*(executor.run("n1", f"sleep 0.1; echo {index}") for index in range(4)))
    assert [each.output for each in results] == ["0\n", "1\n", "2\n", "3\n"]
    assert (len(server.commands), len(server.connections)) == (4, 1)


async def test_nobody_listening_is_said(machines):
    """With the address, and what else there may be."""
    await machines.add("n1", serve=False)
    error = await refused((await machines.executor()).run("n1", "true"))
    assert error.message == f"no SSH connection to cloud-user@127.0.0.1:{machines.port}: it refused"
    assert "--ssh-port" in error.hint


async def test_a_machine_out_of_reach_is_tried_once_for_all_commands_that_wait(machines):
    """Not once for each, one timeout after another."""
    knocks = []

    async def hang_up(_reader, writer):
        knocks.append(writer)
        await asyncio.sleep(0.2)
        writer.close()

    await machines.add("n1", serve=False)
    listener = await asyncio.start_server(hang_up, "127.0.0.1", machines.port)
    executor = await machines.executor()
    errors = await asyncio.gather(*(executor.run("n1", "true") for _ in range(5)), return_exceptions=True)
    listener.close()
    assert len(knocks) == 1
    assert {type(error) for error in errors} == {CommandNotStarted}


async def test_the_user_is_the_given_one_else_the_configured_one_else_that_of_powerfulseal(machines):
    """`--remote-user`, `User` in ~/.ssh/config, `cloud-user`."""
    server = await machines.add("n1")
    await (await machines.executor()).run("n1", "true")
    machines.configure("Host 127.*\n  User core\n")
    await (await machines.executor()).run("n1", "true")
    await (await machines.executor(PS_REMOTE_USER="ubuntu")).run("n1", "true")
    assert server.users == ["cloud-user", "core", "ubuntu"]


async def test_a_password_lets_in(machines):
    """And a wrong one does not; neither is told to anybody."""
    await machines.add("n1", passwords={"core": "hunter2"})
    executor = await machines.executor(PS_REMOTE_USER="core", PS_SSH_PASSWORD="hunter2")
    assert (await executor.run("n1", "echo in")).output == "in\n"
    assert "hunter2" not in await executor.by_hand("n1", "true")
    wrong = await machines.executor(PS_REMOTE_USER="core", PS_SSH_PASSWORD="hunter3")
    error = await refused(wrong.run("n1", "true"))
    assert "core was not let in" in error.message
    assert "PS_SSH_PASSWORD" in error.hint
    assert "hunter3" not in error.in_full


async def test_addresses_are_chosen_as_asked(machines):
    """The public one; the private one where that is asked for, or there is no other; one host for all."""
    public = await machines.add(
        "n1", "127.0.0.2", addresses={"InternalIP": "127.0.0.3", "ExternalIP": "127.0.0.2", "Hostname": "n1"}
    )
    private = await machines.add("n2", "127.0.0.3")
    other = await machines.add("n3", "127.0.0.4")
    await (await machines.executor()).run("n1", "echo public")
    await (await machines.executor(SEATRIAL_SSH_USE_PRIVATE_IP="1")).run("n1", "echo private")
    await (await machines.executor()).run("n2", "echo no public")
    override = await machines.executor(SEATRIAL_SSH_OVERRIDE_HOST="127.0.0.4")
    await asyncio.gather(*(override.run(node, "echo override") for node in ("n1", "n2", "n3")))
    assert [len(each.commands) for each in (public, private, other)] == [1, 2, 3]
    assert len(other.connections) == 1


async def test_a_node_that_is_not_there_or_has_no_address_is_said(machines):
    """Before anybody is connected to."""
    await machines.add("n1", serve=False, addresses={})
    executor = await machines.executor()
    assert (await refused(executor.run("n1", "true"))).message == "node n1 has no address to reach it by"
    assert (await refused(executor.run("n2", "true"))).message == "there is no node n2"


async def test_an_address_is_remembered_while_the_api_server_is_away(machines, monkeypatch):
    """A fault may have taken it away, and its undo needs the machine."""
    server = await machines.add("n1")
    executor = await machines.executor()
    await executor.run("n1", "true")
    await machines.control.server.stop()
    assert (await executor.run("n1", "echo still")).output == "still\n"
    server.cut()
    monkeypatch.setattr(ssh, "_PATIENCE_SECONDS", 0.1)
    assert (await executor.run("n1", "echo again")).output == "again\n"


async def test_what_a_person_would_type(machines, key):
    """With everything that the flags say but secrets."""
    await machines.add("n1")
    executor = await machines.executor(
        PS_REMOTE_USER="core",
        PS_PRIVATE_KEY=str(key),
        SEATRIAL_SSH_JUMP_HOST="ops@bastion:2222",
        SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS="true",
        SEATRIAL_SSH_KNOWN_HOSTS=str(machines.home / ".ssh" / "known_hosts"),
        SEATRIAL_SSH_PASSPHRASE="hunter2",
    )
    assert await executor.by_hand("n1", "tc qdisc del dev eth0 root") == (
        f"ssh -i {key} -o UserKnownHostsFile={machines.home}/.ssh/known_hosts -o StrictHostKeyChecking=accept-new"
        f" -J ops@bastion:2222 -p {machines.port} core@127.0.0.1 'tc qdisc del dev eth0 root'"
    )
    assert (await (await machines.executor()).by_hand("n1", "true")).endswith(" cloud-user@127.0.0.1 true")


async def test_two_hundred_machines_at_once(machines):
    """Each is connected to once, for two commands."""
    names = [f"n{index}" for index in range(200)]
    for index, name in enumerate(names):
        await machines.add(name, f"127.0.1.{index + 1}")
    executor = await machines.executor()
    for _ in range(2):
        results = await asyncio.gather(*(executor.run(name, f"echo {name}") for name in names))
        assert [each.output for each in results] == [f"{name}\n" for name in names]
    assert {len(each.connections) for each in machines.servers.values()} == {1}


async def test_a_broken_configuration_of_openssh_is_said(machines):
    """With its line."""
    await machines.add("n1")
    machines.configure("Host *\n  Port many\n")
    error = await refused((await machines.executor()).run("n1", "true"))
    assert "line 2" in error.message


async def test_without_the_extra_it_is_said_how_to_get_it(control, monkeypatch):
    """Before anything is touched."""
    for name in [each for each in sys.modules if each.startswith(("asyncssh", "seatrial.remote.ssh_"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(UsageError, match="need the extra 'ssh'") as caught:
        await EXECUTOR.connect(control.cluster, {})
    assert caught.value.hint == 'install it: pip install "seatrial[ssh]"'


async def test_it_is_taken_where_it_is_named_only(control):
    """Nobody is logged in anywhere unasked."""
    assert not await EXECUTOR.recognizes(control.cluster)
