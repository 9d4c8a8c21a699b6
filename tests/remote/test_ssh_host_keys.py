"""Which machines are believed to be who they say."""

import asyncssh
import pytest

from seatrial.errors import ConfigurationError, MachineError
from tests.remote.ssh_server import SshServer

ALLOWED = {"SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS": "1"}


@pytest.fixture
async def stranger(machines):
    """A machine whose host key nobody knows."""
    server = await machines.add("n1")
    (machines.home / ".ssh" / "known_hosts").unlink()
    return server


async def refused(executor) -> MachineError:
    with pytest.raises(MachineError) as caught:
        await executor.run("n1", "true")
    return caught.value


async def test_an_unknown_key_is_refused_and_said_how_to_add_it(machines, stranger):
    """With its fingerprint, to compare; no command is sent."""
    error = await refused(await machines.executor())
    assert f"its host key is not known (ssh-ed25519 {stranger.key.get_fingerprint()})" in error.message
    assert f"ssh-keyscan -p {machines.port} 127.0.0.1 >> ~/.ssh/known_hosts" in error.hint
    assert stranger.commands == []


async def test_an_unknown_key_is_taken_where_that_is_allowed(machines, stranger):
    """`--ssh-allow-missing-host-keys`."""
    executor = await machines.executor(**ALLOWED)
    assert (await executor.run("n1", "echo hello")).output == "hello\n"
    assert not (machines.home / ".ssh" / "known_hosts").exists()


async def test_a_key_that_changes_during_the_run_is_refused(machines, stranger):
    """Also where unknown ones are allowed: it isn't unknown any more."""
    executor = await machines.executor(**ALLOWED)
    await executor.run("n1", "true")
    await stranger.stop()
    impostor = await SshServer(host=stranger.host, port=stranger.port).start()
    error = await refused(executor)
    await impostor.stop()
    assert "is not the one that is known" in error.message
    assert impostor.commands == []


@pytest.mark.parametrize("allowed", [{}, ALLOWED])
async def test_a_key_that_differs_from_the_known_one_is_refused(machines, allowed):
    """Whatever is allowed; the hint says how to forget the old one."""
    known = await machines.add("n1")
    await known.stop()
    machines.servers["n1"] = await SshServer(host=known.host, port=known.port).start()
    error = await refused(await machines.executor(**allowed))
    assert "is not the one that is known" in error.message
    assert f"ssh-keygen -R '[127.0.0.1]:{machines.port}'" in error.hint


async def test_a_key_of_another_kind_than_the_known_one_is_refused(machines):
    """The kind that is known is asked for, and the server has none."""
    known = await machines.add("n1")
    await known.stop()
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    machines.servers["n1"] = await SshServer(host=known.host, port=known.port, key=other).start()
    error = await refused(await machines.executor(**ALLOWED))
    assert "known_hosts" in error.hint
    assert machines.servers["n1"].commands == []


async def test_a_revoked_key_is_refused(machines, stranger):
    """As known_hosts marks it."""
    (machines.home / ".ssh" / "known_hosts").write_text(f"@revoked {stranger.known_hosts_line}")
    assert "revoked" in (await refused(await machines.executor(**ALLOWED))).message


async def test_a_certified_key_is_believed_with_its_authority(machines):
    """Where known_hosts has the authority, or unknown ones are allowed."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    key = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_host_certificate(key, "n1", principals=["127.0.0.1"])
    server = await machines.add("n1", key=(key, certificate))
    known = machines.home / ".ssh" / "known_hosts"
    for line in ("", f"@cert-authority 127.0.0.* {authority.export_public_key().decode()}"):
        known.write_text(line)
        executor = await machines.executor(**({} if line else ALLOWED))
        assert (await executor.run("n1", "echo certified")).output == "certified\n"
    known.write_text("")
    error = await refused(await machines.executor())
    assert f"its host key is not known (ssh-ed25519 {authority.get_fingerprint()})" in error.message
    assert len(server.commands) == 2


async def test_known_keys_may_stand_in_another_file(machines, stranger):
    """`--ssh-known-hosts`, or `UserKnownHostsFile` of ~/.ssh/config; read anew where it changes."""
    file = machines.home / "hosts"
    file.write_text("")
    executor = await machines.executor(SEATRIAL_SSH_KNOWN_HOSTS=str(file))
    assert "its host key is not known" in (await refused(executor)).message
    file.write_text(stranger.known_hosts_line)
    assert (await executor.run("n1", "echo by flag")).output == "by flag\n"
    machines.configure(f"Host *\n  UserKnownHostsFile {file}\n")
    assert (await (await machines.executor()).run("n1", "echo by file")).output == "by file\n"


async def test_no_file_of_known_hosts_does_not_mean_that_all_are_known(machines, stranger):
    """`UserKnownHostsFile none` knows nobody."""
    machines.configure("Host *\n  UserKnownHostsFile none\n")
    assert "its host key is not known" in (await refused(await machines.executor())).message


async def test_a_file_of_known_hosts_that_is_not_there_is_said_at_once(machines):
    """Before any machine is asked."""
    with pytest.raises(ConfigurationError, match="there is no file /nowhere"):
        await machines.executor(SEATRIAL_SSH_KNOWN_HOSTS="/nowhere")


async def test_a_file_of_known_hosts_with_something_else_in_it_is_said(machines, stranger):
    """With the line that is wrong."""
    file = machines.home / "hosts"
    file.write_text("nonsense\n")
    error = await refused(await machines.executor(SEATRIAL_SSH_KNOWN_HOSTS=str(file)))
    assert "nonsense" in error.message
