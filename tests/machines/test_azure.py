"""Machines of Azure, over HTTPS, through Azure's own SDK."""

import asyncio
import sys
import time

import pytest
from aiohttp import web

from seatrial.errors import MachineError, UsageError
from seatrial.kube.resources import NODES
from seatrial.machines import azure
from seatrial.machines.azure_settings import read_settings
from seatrial.machines.driver import Capability, MachineGone, MachineState
from seatrial.machines.pace import Pace
from seatrial.machines.registry import find_driver
from tests.fakes.azure import SECRET, SUBSCRIPTION, Azure, failing, throttled

QUICK = Pace(first_seconds=0.01, most_seconds=0.01, answer_seconds=20, deadline_seconds=20)
SOON = Pace(first_seconds=0.01, most_seconds=0.01, answer_seconds=0.5, deadline_seconds=0.5)


@pytest.fixture
async def cloud(tmp_path, monkeypatch):
    """Azure, trusted, with a service principal that the variables name."""
    async with Azure().running(tmp_path) as running:
        for name, value in running.variables(tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(azure, "Pace", lambda: QUICK)
        yield running


@pytest.fixture
async def driver(cloud, control):
    """As `--azure` makes it."""
    made = await find_driver("azure", control.cluster)
    yield made
    await made.close()


async def test_all_machines_are_listed_over_all_pages(cloud, driver):
    """Machines by themselves and in scale sets, with states, zones, names, groups, and the ids Kubernetes knows."""
    for number, state in enumerate(["running", "stopped", "deallocated", "starting", "deallocating"]):
        cloud.add(f"vm-{number}", state=state, zones=["2"])
    member = cloud.add(
        "0", scale_set="aks-pool-vmss", tags={"aks-managed-poolName": "pool"},
        properties={"osProfile": {"computerName": "aks-pool-vmss000000"}},
    )  # fmt: skip
    cloud.add("vm-other", group="another")
    last, *alone = sorted(await driver.list(), key=lambda each: each.name)
    assert [(each.name, each.state.value) for each in alone] == [
        ("vm-0", "UP"), ("vm-1", "DOWN"), ("vm-2", "DOWN"), ("vm-3", "UNKNOWN"), ("vm-4", "UNKNOWN"),
    ]  # fmt: skip
    assert (alone[0].zone, alone[0].region) == ("westeurope-2", "westeurope")
    assert (last.id, last.provider_id) == (member, f"azure://{member}")
    assert (last.name, last.groups) == ("aks-pool-vmss000000", ("aks-pool-vmss", "pool"))
    assert await driver.describe(member) == last


async def test_a_flexible_scale_set_has_virtual_machines(cloud, driver):
    """They are listed as such, not a second time as members."""
    cloud.add("0", scale_set="flex", kind="Flexible")
    cloud.add("flex_1")
    assert [each.name for each in await driver.list()] == ["flex_1"]


@pytest.mark.parametrize("scale_set", ["", "pool"])
@pytest.mark.parametrize("force", [False, True])
async def test_a_machine_is_stopped_and_started(cloud, driver, scale_set, force):
    """It is down, or up, when the call returns; `force` skips the shutdown."""
    id_ = cloud.add("1", scale_set=scale_set)
    await driver.stop(id_, force=force)
    assert (cloud.state(id_), cloud.machines[id_]["skipped"]) == ("stopped", force)
    await driver.start(id_)
    assert cloud.state(id_) == "running"


@pytest.mark.parametrize(
    ("act", "state"), [("start", "running"), ("stop", "stopped"), ("stop", "deallocated"), ("stop", "deallocating")]
)
async def test_what_is_so_already_is_left_alone(cloud, driver, act, state):
    """No change is asked for; a state between two others is waited for."""
    id_ = cloud.add("vm-1", state=state)
    await getattr(driver, act)(id_)
    assert cloud.changes == 0
    assert (await driver.describe(id_)).state is (MachineState.UP if act == "start" else MachineState.DOWN)


async def test_restart_and_delete(cloud, driver):
    """A reboot leaves it running; what is deleted is gone."""
    id_ = cloud.add("vm-1")
    await driver.reboot(id_)
    assert (cloud.state(id_), cloud.changes) == ("running", 1)
    await driver.delete(id_)
    assert cloud.machines == {}


async def test_throttling_and_failures_that_pass_are_waited_out(cloud, driver):
    """429 with Retry-After, and 503."""
    id_ = cloud.add("vm-1")
    cloud.trouble = [throttled(0), failing(503)]
    await driver.stop(id_)
    assert cloud.state(id_) == "stopped"


async def test_a_server_that_throttles_for_long_is_given_up(cloud, driver):
    """Retry-After is respected, the deadline, too."""
    cloud.trouble = [throttled(60)] * 9
    driver._pace = SOON
    with pytest.raises(MachineError, match=r"did not answer within 0\.5 s"):
        await driver.list()
    assert len(cloud.trouble) == 8


async def test_an_expired_token_is_replaced(cloud, driver):
    """Before the API sees it: no request is refused."""
    cloud.token_seconds = 1
    id_ = cloud.add("vm-1")
    await driver.describe(id_)
    async with asyncio.timeout(20):
        while max(cloud.tokens.values()) > time.monotonic():  # noqa: ASYNC110 -- a clock tells nobody
            await asyncio.sleep(0.05)
    await driver.describe(id_)
    assert (len(cloud.tokens), cloud.refused) == (2, 0)


async def test_credentials_that_are_refused_are_said_without_secrets(cloud, driver):
    """With how to log in."""
    cloud.secret = "other"
    with pytest.raises(MachineError, match=r"mc_shop: Azure gives no token: AADSTS7000215") as caught:
        await driver.list()
    assert "az login" in caught.value.hint
    assert SECRET not in caught.value.in_full


@pytest.mark.parametrize("scale_set", ["", "pool"])
async def test_a_missing_permission_is_named(cloud, driver, scale_set):
    """The very action to grant; nothing was changed."""
    id_ = cloud.add("1", scale_set=scale_set)
    kind = "virtualMachineScaleSets/virtualMachines" if scale_set else "virtualMachines"
    cloud.denied = {f"{kind}/powerOff/action"}
    with pytest.raises(MachineError, match="does not have authorization") as caught:
        await driver.stop(id_)
    assert f"grant Microsoft.Compute/{kind}/powerOff/action" in caught.value.hint
    assert cloud.state(id_) == "running"


async def test_a_missing_permission_to_see_states_is_said(cloud, driver):
    """Also where many are asked at once."""
    cloud.add("vm-1")
    cloud.add("vm-2")
    cloud.denied = {"virtualMachines/read"}
    with pytest.raises(MachineError, match="list the machines") as caught:
        await driver.list()
    assert "grant Microsoft.Compute/virtualMachines/read" in caught.value.hint


async def test_a_machine_that_is_gone_is_said(cloud, driver):
    """Not found; and so is a resource group that isn't there."""
    id_ = cloud.add("vm-1")
    cloud.machines.clear()
    cloud.groups.clear()
    with pytest.raises(MachineGone, match=r"can't read machine vm-1: .*not found") as caught:
        await driver.start(id_)
    assert "gone" in caught.value.hint
    with pytest.raises(MachineError, match="'mc_shop' could not be found") as caught:
        await driver.list()
    assert not isinstance(caught.value, MachineGone)
    assert "az group list" in caught.value.hint


async def test_a_subscription_that_is_not_there_is_said(cloud, driver):
    """With how to see those that are."""
    cloud.trouble = [_missing_subscription]
    with pytest.raises(MachineError, match="'s' could not be found") as caught:
        await driver.list()
    assert "az account list" in caught.value.hint


def _missing_subscription():
    message = "The subscription 's' could not be found."
    return web.json_response({"error": {"code": "SubscriptionNotFound", "message": message}}, status=404)


async def test_what_is_no_id_is_an_error(driver):
    """Of another cloud, for example."""
    with pytest.raises(MachineError, match="'i-123' is no machine of Azure"):
        await driver.describe("i-123")


async def test_a_machine_that_refuses_to_start_again(cloud, driver):
    """There is no room for it: the operation fails, and says so."""
    id_ = cloud.add("vm-1", state="stopped")
    cloud.start_error = {"code": "AllocationFailed", "message": "Allocation failed. Not enough capacity."}
    with pytest.raises(MachineError, match=r"can't start machine vm-1: .*Not enough capacity") as caught:
        await driver.start(id_)
    assert "no room" in caught.value.hint


@pytest.mark.parametrize(("endless", "seen"), [("operation", "running"), ("state", "deallocating")])
async def test_what_never_ends_is_given_up(cloud, driver, endless, seen):
    """At the deadline, whether it is the operation or the state between two others."""
    id_ = cloud.add("vm-1", state="running" if endless == "operation" else seen)
    cloud.polls, cloud.rests_after = None, 10**9
    driver._pace = SOON
    with pytest.raises(MachineError, match=f"stopping machine vm-1 took longer than 0.5 s: it was last seen {seen}"):
        await driver.stop(id_)


async def test_the_nodes_say_which_groups_there_are(cloud, control, monkeypatch):
    """Without any flag: the provider id of each has subscription and resource group."""
    monkeypatch.delenv("AZURE_NODE_RESOURCE_GROUP_NAME")
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    id_ = cloud.add("vm-1", group="elsewhere")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"providerID": f"azure://{id_}"}}
    await control.cluster.create(NODES, node)
    driver = await find_driver("azure", control.cluster)
    assert [each.id for each in await driver.list()] == [id_]
    await driver.close()


async def test_without_any_group_it_says_what_to_give(cloud, control, monkeypatch):
    """Before anything is touched."""
    monkeypatch.delenv("AZURE_NODE_RESOURCE_GROUP_NAME")
    driver = await find_driver("azure", control.cluster)
    with pytest.raises(MachineError, match="no resource group") as caught:
        await driver.require(Capability.STOP)
    assert "--azure-node-resource-group-name" in caught.value.hint
    await driver.close()


def test_flags_add_to_what_nodes_say_unless_the_machines_group_is_given():
    """Names are compared ignoring case, as Azure does."""
    node = "azure:///subscriptions/s/resourceGroups/MC_shop/providers/Microsoft.Compute/virtualMachines/vm"

    def groups(**variables):
        return read_settings(variables, [node, "gce://p/z/n"]).groups

    assert groups() == (("s", "MC_shop"),)
    assert groups(AZURE_RESOURCE_GROUP_NAME="shop") == (("s", "shop"), ("s", "MC_shop"))
    assert groups(AZURE_RESOURCE_GROUP_NAME="mc_SHOP") == (("s", "MC_shop"),)
    assert groups(AZURE_NODE_RESOURCE_GROUP_NAME="x") == (("s", "x"),)


@pytest.mark.parametrize(
    ("authority", "endpoint", "private"),
    [
        ("https://login.microsoftonline.us/", "https://management.usgovcloudapi.net", False),
        ("login.chinacloudapi.cn", "https://management.chinacloudapi.cn", False),
        ("https://stack.example", "https://management.azure.com", True),
    ],
)
def test_national_clouds_are_known_by_who_gives_tokens(authority, endpoint, private):
    """By the variable that Azure's own tools read."""
    settings = read_settings({"AZURE_AUTHORITY_HOST": authority}, [])
    assert (settings.endpoint, settings.private) == (endpoint, private)


async def test_the_command_for_a_person(cloud, driver):
    """By Azure's own program."""
    rest = f"--resource-group mc_shop --subscription {SUBSCRIPTION}"
    assert await driver.start_command(cloud.add("vm-1")) == f"az vm start --name vm-1 {rest}"
    member = cloud.add("3", scale_set="pool")
    assert await driver.start_command(member) == f"az vmss start --name pool --instance-ids 3 {rest}"


async def test_the_extra_is_asked_for(control, monkeypatch):
    """Where the SDK isn't installed."""
    monkeypatch.delitem(sys.modules, "seatrial.machines.azure_client", raising=False)
    monkeypatch.setitem(sys.modules, "azure.mgmt.compute.aio", None)
    with pytest.raises(UsageError, match="extra 'azure'") as caught:
        await find_driver("azure", control.cluster)
    assert caught.value.hint == 'install it: pip install "seatrial[azure]"'
