"""With what machines are logged in on: keys, passphrases, the agent."""

import asyncio
import os
import re
import shutil

import asyncssh
import pytest

from seatrial.errors import ConfigurationError, MachineError


@pytest.fixture
def encrypted(home, key):
    """The same key, with a passphrase."""
    path = home / "encrypted"
    asyncssh.read_private_key(key).write_private_key(path, passphrase="open sesame", rounds=1, ignore_few_rounds=True)
    return path


@pytest.fixture
async def guarded(machines, home, key):
    """A machine that lets the key in, and nobody else."""
    return await machines.add("n1", authorized=home / "authorized")


async def test_a_key_lets_in(machines, guarded, key):
    """`--ssh-path-to-private-key`."""
    executor = await machines.executor(PS_PRIVATE_KEY=str(key))
    assert (await executor.run("n1", "echo in")).output == "in\n"


async def test_the_keys_of_the_home_are_tried_where_none_is_given(machines, guarded, key):
    """As OpenSSH does."""
    with pytest.raises(MachineError, match="cloud-user was not let in"):
        await (await machines.executor()).run("n1", "true")
    shutil.copy(key, machines.home / ".ssh" / "id_ed25519")
    assert (await (await machines.executor()).run("n1", "echo in")).output == "in\n"


async def test_a_passphrase_comes_from_the_environment(machines, guarded, encrypted):
    """And is shown nowhere."""
    executor = await machines.executor(PS_PRIVATE_KEY=str(encrypted), SEATRIAL_SSH_PASSPHRASE="open sesame")
    assert (await executor.run("n1", "echo in")).output == "in\n"
    with pytest.raises(ConfigurationError, match="is another one") as caught:
        await machines.executor(PS_PRIVATE_KEY=str(encrypted), SEATRIAL_SSH_PASSPHRASE="open barley")
    assert "barley" not in caught.value.in_full


async def test_an_encrypted_key_needs_a_passphrase_or_an_agent(machines, encrypted):
    """What helps is said before any machine is asked."""
    with pytest.raises(ConfigurationError, match="is encrypted") as caught:
        await machines.executor(PS_PRIVATE_KEY=str(encrypted))
    assert "SEATRIAL_SSH_PASSPHRASE" in caught.value.hint
    assert f"ssh-add {encrypted}" in caught.value.hint


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="there is no ssh-agent here")
async def test_an_agent_lets_in(machines, guarded, key, encrypted, monkeypatch):
    """Also for the key file that is given, where that is encrypted."""
    socket = f"{machines.home}/agent"
    agent = await asyncio.create_subprocess_exec("ssh-agent", "-D", "-a", socket, stdout=asyncio.subprocess.PIPE)
    try:
        assert re.search(rb"SSH_AUTH_SOCK", await agent.stdout.readline())
        add = await asyncio.create_subprocess_exec("ssh-add", "-q", key, env={**os.environ, "SSH_AUTH_SOCK": socket})
        assert await add.wait() == 0
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        for variables in ({}, {"PS_PRIVATE_KEY": str(encrypted)}):
            assert (await (await machines.executor(**variables)).run("n1", "echo in")).output == "in\n"
    finally:
        agent.terminate()
        await agent.wait()


async def test_a_file_that_is_no_key_is_said_at_once(machines, home):
    """Or is not there."""
    (home / "shopping").write_text("milk\n")
    with pytest.raises(ConfigurationError, match="shopping is no private key that can be used"):
        await machines.executor(PS_PRIVATE_KEY=str(home / "shopping"))
    with pytest.raises(ConfigurationError, match="there is no file /nowhere"):
        await machines.executor(PS_PRIVATE_KEY="/nowhere")
