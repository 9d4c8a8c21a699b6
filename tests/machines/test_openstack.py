"""The driver for OpenStack, against a small Keystone and Nova over HTTP."""

import asyncio
import os
import sys
import time

import pytest
import yaml

from seatrial.errors import ConfigurationError, MachineError, UsageError
from seatrial.machines.driver import Capability, MachineState
from seatrial.machines.matching import pair_machines
from seatrial.machines.openstack import OpenStackMachines, open_connection
from seatrial.machines.pace import Pace
from seatrial.machines.registry import find_driver
from seatrial.machines.threads import Threads
from tests.fakes.openstack import PASSWORD, PROJECT, FakeOpenStack, Server
from tests.machines.made import node

# The SDK warns of what its own later versions won't have.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

QUICK = Pace(first_seconds=0.001, most_seconds=0.01, answer_seconds=20, deadline_seconds=20)
SOON = Pace(first_seconds=0.001, most_seconds=0.01, answer_seconds=0.3, deadline_seconds=0.3)
ONE, TWO, THREE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")


@pytest.fixture(autouse=True)
def _no_settings_of_whoever_runs_the_tests(monkeypatch, tmp_path):
    """No OS_* variable, and no clouds.yaml but that of the test."""
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def cloud():
    made = FakeOpenStack({
        ONE: Server(ONE, "node1", zone="az-1", fixed="10.0.0.1", floating="203.0.113.9", tags=("pool-a",)),
        TWO: Server(TWO, "node2", zone="az-2", fixed="10.0.0.2", status="SHUTOFF"),
        THREE: Server(THREE, "node3", zone="az-2", fixed="10.0.0.3"),
    })  # fmt: skip
    async with made.running(None):
        yield made


@pytest.fixture
def clouds_yaml(cloud, tmp_path):
    """Write clouds.yaml; what is given changes the cloud `garden`."""

    def write(**changes):
        auth = {
            "auth_url": f"{cloud.url}/identity/v3", "username": "gardener", "password": PASSWORD,
            "project_name": PROJECT, "user_domain_name": "Default", "project_domain_name": "Default",
        }  # fmt: skip
        auth |= changes.pop("auth", {})
        garden = {"auth": auth, "region_name": "east", **changes}
        (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"garden": garden, "other": {"auth": {}}}}))

    write()
    return write


@pytest.fixture
async def driver(cloud, clouds_yaml):
    connection = await asyncio.to_thread(open_connection, "garden")
    made = OpenStackMachines(connection, threads=Threads(8, name="openstack"), pace=QUICK)
    yield made
    await made.close()


async def test_all_servers_of_the_project_are_listed(cloud, driver):
    """Page by page; with zone, region, tags as groups, metadata as labels, fixed addresses before floating ones."""
    one, two, three = await driver.list()
    assert (one.id, one.name, one.state) == (ONE, "node1", MachineState.UP)
    assert (one.zone, one.region, one.groups, one.labels) == ("az-1", "east", ("pool-a",), {"role": "worker"})
    assert one.addresses == ("10.0.0.1", "203.0.113.9")
    assert [two.state, three.state] == [MachineState.DOWN, MachineState.UP]
    assert cloud.asked("GET", "/servers/detail") == 2


@pytest.mark.parametrize(
    ("provider_id", "found"),
    [
        (f"openstack:///{ONE}", True),
        (f"openstack://east/{ONE}", True),
        (f"openstack://west/{ONE}", False),
        (f"openstack:///{TWO[:-1]}9", False),
    ],
)
async def test_a_node_finds_its_server_by_both_forms_of_provider_ids(driver, provider_id, found):
    """With the region and without; a server of that id in another region is another's, whatever its address."""
    pairing = pair_machines([node("n", provider_id=provider_id, ip="10.0.0.1")], await driver.list())
    assert [each.id for each in pairing.machines.values()] == ([ONE] if found else [])


async def test_a_stop_ends_when_nova_says_so_and_is_not_asked_twice(cloud, driver):
    """Nova answers before anything is done; a server that is down already is left alone."""
    await driver.stop(ONE)
    assert (cloud.servers[ONE].status, cloud.servers[ONE].task) == ("SHUTOFF", None)
    assert (await driver.describe(ONE)).state is MachineState.DOWN
    await driver.stop(ONE, force=True)
    assert cloud.asked("POST", "/action") == 1


async def test_two_that_stop_one_server_both_see_it_down(cloud, driver):
    """Nova refuses the second request: what counts is the state."""
    await asyncio.gather(driver.stop(ONE), driver.stop(ONE))
    assert cloud.servers[ONE].status == "SHUTOFF"


@pytest.mark.parametrize("act", ["stop", "delete"])
async def test_a_server_in_error_is_stopped_and_deleted_as_others_are(cloud, driver, act):
    """Its status stays until the task is done."""
    cloud.servers[ONE].status = "ERROR"
    await getattr(driver, act)(ONE)
    assert cloud.servers[ONE].status == "SHUTOFF" or cloud.servers[ONE].gone


@pytest.mark.parametrize("status", ["SHUTOFF", "PAUSED", "SUSPENDED"])
async def test_a_start_leads_up_from_every_rest(cloud, driver, status):
    """What is off is started, what is paused or suspended goes on; what is up is left alone."""
    cloud.servers[ONE].status = status
    await driver.start(ONE)
    await driver.start(ONE)
    assert cloud.servers[ONE].status == "ACTIVE"
    assert cloud.asked("POST", "/action") == 1


@pytest.mark.parametrize("task", ["powering-off", "powering-on", "migrating", "deleting"])
async def test_a_server_with_a_task_is_neither_up_nor_down(cloud, driver, task):
    """Whatever its status says; one that is being copied into an image runs on."""
    cloud.never_done, cloud.servers[ONE].task = True, task
    assert (await driver.describe(ONE)).state is MachineState.UNKNOWN
    cloud.servers[ONE].task = "image_uploading"
    assert (await driver.describe(ONE)).state is MachineState.UP


@pytest.mark.parametrize("status", ["ERROR", "BUILD", "SHELVED_OFFLOADED", "PAUSED", "UNKNOWN"])
async def test_other_states_are_unknown(cloud, driver, status):
    """Nothing is made of what Nova itself doesn't call ACTIVE or SHUTOFF."""
    cloud.servers[ONE].status = status
    assert (await driver.describe(ONE)).state is MachineState.UNKNOWN


async def test_a_stop_under_way_is_waited_for_before_a_start(cloud, driver):
    """Nova refuses requests while a task runs: it is let finish first."""
    server = cloud.servers[ONE]
    server.task, server.becomes = "powering-off", "SHUTOFF"
    await driver.start(ONE)
    assert server.status == "ACTIVE"


@pytest.mark.parametrize("force", [False, True])
async def test_a_reboot_ends_when_it_is_up_again(cloud, driver, force):
    """Softly, or (force) hard."""
    await driver.reboot(ONE, force=force)
    assert (cloud.servers[ONE].status, cloud.servers[ONE].task) == ("ACTIVE", None)


async def test_a_pause_freezes(cloud, driver):
    """The driver says that it can, and does."""
    assert Capability.PAUSE in await driver.capabilities()
    await driver.require(*Capability)
    await asyncio.gather(driver.pause(ONE), driver.pause(ONE))
    await driver.pause(ONE)
    assert cloud.servers[ONE].status == "PAUSED"
    with pytest.raises(MachineError, match="can't pause server"):
        await driver.pause(TWO)


async def test_a_delete_ends_when_the_server_is_gone(cloud, driver):
    """One that is gone already is no error."""
    await driver.delete(ONE)
    assert [each.id for each in await driver.list()] == [TWO, THREE]
    await driver.delete(ONE)


@pytest.mark.parametrize(("refuses", "fault"), [("ERROR", "No valid host was found"), ("SHUTOFF", "")])
async def test_a_machine_that_refuses_to_start_again_is_said(cloud, driver, refuses, fault):
    """It went into error, with what Nova says of it, or fell back to where it was."""
    cloud.refuses, cloud.servers[TWO].fault = refuses, fault
    with pytest.raises(MachineError, match=f"server {TWO} did not start: it is {refuses}.*{fault}") as caught:
        await driver.start(TWO)
    assert "openstack server event list" in caught.value.hint


async def test_a_task_that_never_ends_has_a_deadline(cloud, driver):
    """The state that it hangs in is part of what is said."""
    cloud.never_done, driver._pace = True, SOON
    told = f"stopping server {ONE} took longer than 0.3 s: it was last seen ACTIVE, task powering-off"
    with pytest.raises(MachineError, match=told):
        await driver.stop(ONE)


@pytest.mark.parametrize("status", [429, 413])
async def test_a_rate_limit_is_honoured(cloud, driver, status):
    """Asked again no sooner than Retry-After says, also where what was refused is a change."""
    await driver.describe(ONE)
    cloud.throttled = [(status, {"Retry-After": "1"})]
    begun = time.monotonic()
    await driver.stop(ONE)
    assert time.monotonic() - begun >= 1
    assert cloud.servers[ONE].status == "SHUTOFF"


async def test_a_rate_limit_without_end_is_an_error(cloud, driver):
    """After a while, of tries later and later."""
    cloud.throttled, driver._pace = [(429, {})] * 10_000, SOON
    with pytest.raises(MachineError, match=r"did not answer within 0.3 s \(last: .*asked too often"):
        await driver.list()
    assert len(cloud.throttled) > 9000


async def test_a_rate_limit_for_hours_is_an_error_at_once(cloud, driver):
    """A step doesn't hang for so long; nor is it asked sooner than Nova said."""
    cloud.throttled = [(429, {"Retry-After": "7200"})]
    with pytest.raises(MachineError, match="asked too often"):
        await driver.list()
    assert cloud.asked("GET", "/servers/detail") == 1


async def test_a_gateway_that_fails_and_a_broken_connection_are_met_by_asking_again(cloud, driver):
    """They pass."""
    cloud.throttled, cloud.breaks = [(503, {})], 2
    assert len(await driver.list()) == 3


async def test_a_reboot_of_which_nobody_knows_whether_it_began_is_not_sent_twice(cloud, driver):
    """It would be two reboots."""
    await driver.describe(ONE)
    act = driver._connection.compute.reboot_server

    def failing(*arguments):
        cloud.throttled = [(503, {})]
        return act(*arguments)

    driver._connection.compute.reboot_server = failing
    with pytest.raises(MachineError, match="can't reboot server"):
        await driver.reboot(ONE)
    assert cloud.asked("POST", "/action") == 1


async def test_an_expired_token_is_renewed(cloud, driver):
    """Nobody notices."""
    await driver.list()
    cloud.valid_tokens.clear()
    assert len(await driver.list()) == 3
    assert cloud.asked("POST", "/auth/tokens") == 2


@pytest.mark.parametrize(
    ("policy", "act"), [("detail", "list"), ("stop", "stop"), ("start", "start"), ("reboot", "reboot")]
)
async def test_a_missing_permission_is_named(cloud, driver, policy, act):
    """As Nova's policy file has it."""
    cloud.forbidden = frozenset({policy})
    with pytest.raises(MachineError, match=f"can't {act} server.*Policy doesn't allow") as caught:
        await getattr(driver, act)(*([] if act == "list" else [TWO if act == "start" else ONE]))
    assert caught.value.hint.endswith(f"os_compute_api:servers:{policy}")


@pytest.mark.parametrize("act", ["describe", "start", "stop", "reboot"])
async def test_a_server_that_is_gone_is_said(driver, act):
    """With where it was looked for."""
    with pytest.raises(MachineError, match="no server 4444 in the region east") as caught:
        await getattr(driver, act)("4444")
    assert "another project or region" in caught.value.hint


async def test_a_locked_server_is_said_with_its_remedy(cloud, driver):
    """Nova's words, and the command that unlocks."""
    cloud.servers[ONE].locked = True
    with pytest.raises(MachineError, match="is locked") as caught:
        await driver.stop(ONE)
    assert caught.value.hint == f"openstack server unlock {ONE}"


async def test_the_command_for_a_person_names_cloud_and_region(driver):
    """So that it starts this server, in whatever shell."""
    expected = f"openstack --os-cloud garden --os-region-name east server start {ONE}"
    assert await driver.start_command(ONE) == expected


async def test_the_run_s_flag_names_the_cloud(cloud, clouds_yaml):
    """`--openstack-cloud-name`, as the journal keeps it, leads to it."""
    found = await find_driver("openstack?OPENSTACK_CLOUD_NAME=garden", None)
    assert (found.name, len(await found.list())) == ("openstack", 3)
    await found.close()


async def test_variables_do_without_a_file(cloud, monkeypatch):
    """The OS_* variables of every OpenStack client."""
    values = {
        "AUTH_URL": f"{cloud.url}/identity/v3", "USERNAME": "gardener", "PASSWORD": PASSWORD, "PROJECT_NAME": PROJECT,
        "USER_DOMAIN_NAME": "Default", "PROJECT_DOMAIN_NAME": "Default", "REGION_NAME": "east",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"OS_{name}", value)
    found = await find_driver("openstack", None)
    assert await found.start_command(ONE) == f"openstack --os-region-name east server start {ONE}"
    await found.close()


@pytest.mark.parametrize("name", ["nowhere", "other", None])
async def test_settings_that_lead_nowhere_are_a_mistake_of_configuration(clouds_yaml, name):
    """A cloud that isn't in the file, one that says nothing, several and none named."""
    with pytest.raises(ConfigurationError, match="no OpenStack cloud is configured") as caught:
        await asyncio.to_thread(open_connection, name)
    assert "--openstack-cloud-name" in caught.value.hint


async def test_a_region_without_nova_is_said(clouds_yaml):
    """By name, with how to look regions up."""
    clouds_yaml(region_name="west")
    with pytest.raises(ConfigurationError, match="no compute service in the region west") as caught:
        await asyncio.to_thread(open_connection, "garden")
    assert "region list" in caught.value.hint


async def test_rejected_credentials_are_said_without_showing_them(clouds_yaml):
    """No error holds the password."""
    clouds_yaml(auth={"password": "hunter2"})
    with pytest.raises(MachineError, match="rejects the credentials") as caught:
        await asyncio.to_thread(open_connection, "garden")
    assert "hunter2" not in caught.value.in_full


async def test_a_cloud_that_is_not_there_is_said(clouds_yaml):
    """Nobody listens at its address."""
    clouds_yaml(auth={"auth_url": "http://127.0.0.1:1/v3"})
    with pytest.raises(MachineError, match="can't be reached"):
        await asyncio.to_thread(open_connection, "garden")


async def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    """The SDK is loaded with the driver, not before."""
    monkeypatch.setitem(sys.modules, "openstack", None)
    with pytest.raises(UsageError) as caught:
        await find_driver("openstack", None)
    assert caught.value.hint == 'install it: pip install "seatrial[openstack]"'
