"""`sync` and `use`: looking anew, and looking elsewhere."""

import json


async def test_sync_lists_everything_anew_and_shows_the_nodes(shell, control):
    """As PowerfulSeal's does; the numbers are those of its list."""
    await control.server.api.create("nodes", {"metadata": {"name": "node1"}})
    assert await shell.do("pods; nodes") == 0
    await shell.shell.live.pods.close()
    await control.create_pods("web-1")
    await control.server.api.create("nodes", {"metadata": {"name": "node2"}})
    shell.shell.live.pods.open()
    shell.forget()
    assert await shell.do("sync") == 0
    assert "node1" in shell.shown
    assert "node2" in shell.shown
    assert list(shell.shell.numbered_nodes) == ["node1", "node2"]
    assert shell.shell.live.pods.get("default", "web-1") is not None


async def test_commands_look_into_the_namespace_that_is_used(shell, control):
    """From `use` on; without a name it says which it is."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}})
    await control.create_pods("cart-1", namespace="shop")
    assert await shell.do("use shop; pods -o json") == 0
    assert shell.shown.startswith("namespace shop\n")
    assert [row["name"] for row in json.loads(shell.shown.partition("\n")[2])] == ["cart-1"]
    shell.forget()
    assert await shell.do("use") == 0
    assert shell.shown == "namespace shop\n"


async def test_a_namespace_that_is_not_there_is_not_used(shell):
    """What was used before still is."""
    assert await shell.do("use shpo") == 2
    assert "there is no namespace 'shpo'" in shell.errors
    assert shell.shell.namespace == "default"
