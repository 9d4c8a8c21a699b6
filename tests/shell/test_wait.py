"""`wait`: until what was done has been seen through, or for some seconds."""


async def test_waiting_for_a_recovery(sandbox_shell):
    """A person gets the prompt back at once after a kill; `wait` returns when the replacement is Ready."""
    assert await sandbox_shell.do("pods default; kill 1 --force --yes") == 0
    [deed] = sandbox_shell.session.deeds
    assert not deed.settling.done()
    assert await sandbox_shell.do("wait") == 0
    assert deed.settling.done()
    assert "recovered default/goldpinger" in sandbox_shell.words
    sandbox_shell.forget()
    assert await sandbox_shell.do("wait") == 0
    assert sandbox_shell.words == "there is nothing to wait for"


async def test_a_recovery_that_does_not_come(shell, control):
    """What was not seen in time is said, with the exit code of inconclusive."""
    replica_set = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "12"}
    await control.create_pods("web-1", owner=replica_set)
    await shell.do("kill web-1 --force --yes")
    assert await shell.do("wait") == 3
    assert "inconclusive: " in shell.shown


async def test_waiting_for_some_seconds_is_recorded(shell):
    """It is a step of its own, about which nobody is asked."""
    assert await shell.do("wait 0.01; record - --no-waits") == 0
    assert shell.questions == []
    assert "- wait:\n          seconds: 0.01\n" in shell.shown
    assert await shell.do("wait long") == 2
