"""Machines of Google Cloud, over HTTPS."""

import asyncio
import json

import pytest

from seatrial.choice import write_choice
from seatrial.errors import ConfigurationError, MachineError, UsageError
from seatrial.kube.resources import NODES
from seatrial.machines import gcp
from seatrial.machines.driver import Capability, MachineGone, MachineState
from seatrial.machines.gcp_settings import read_settings
from seatrial.machines.pace import Pace
from seatrial.machines.registry import find_driver
from tests.fakes.google_cloud import GoogleCloud, failing, throttled

QUICK = Pace(first_seconds=0.001, most_seconds=0.01, answer_seconds=20, deadline_seconds=20)
SOON = Pace(first_seconds=0.001, most_seconds=0.01, answer_seconds=0.3, deadline_seconds=0.3)
MACHINE = "shop/eu-1-b/vm-1"
GROUP = "zones/eu-1-b/instanceGroupManagers/pool"


@pytest.fixture
async def cloud(tmp_path, monkeypatch):
    """Google Cloud, trusted, with a key file that `GCP_CONFIG_FILE` names."""
    async with GoogleCloud().running(tmp_path) as running:
        for name, value in running.variables(tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(gcp, "Pace", lambda: QUICK)
        yield running


@pytest.fixture
async def driver(cloud, control):
    """As `--gcp` makes it."""
    made = await find_driver("gcp", control.cluster)
    yield made
    await made.close()


def impatient(driver):
    """The same with deadlines that a test can wait for."""
    driver._pace = driver._api._pace = SOON
    return driver


async def test_all_machines_are_listed_over_all_pages(cloud, driver):
    """Each with its state, zone, region, addresses, group, node pool, and the id that Kubernetes knows it by."""
    interface = {
        "networkIP": "10.0.0.1", "accessConfigs": [{"natIP": "192.0.2.1"}, {}],
        "ipv6AccessConfigs": [{"externalIpv6": "2001:db8::1"}],
    }  # fmt: skip
    cloud.add("vm-1", group=GROUP, labels={"goog-k8s-node-pool-name": "default"}, networkInterfaces=[interface])
    cloud.add("vm-2", status="TERMINATED")
    cloud.add("vm-3", zone="us-2-c", status="PROVISIONING")
    cloud.add("vm-4", zone="us-2-c", status="SUSPENDED")
    cloud.add("vm-5", zone="us-2-c")
    first, *others = await driver.list()
    assert first.id == MACHINE
    assert (first.name, first.state) == ("vm-1", MachineState.UP)
    assert (first.provider_id, first.zone, first.region) == (f"gce://{MACHINE}", "eu-1-b", "eu-1")
    assert first.addresses == ("10.0.0.1", "192.0.2.1", "2001:db8::1")
    assert first.groups == ("pool", "default")
    assert [(each.name, each.state.value) for each in others] == [
        ("vm-2", "DOWN"), ("vm-3", "UNKNOWN"), ("vm-4", "UNKNOWN"), ("vm-5", "UP"),
    ]  # fmt: skip
    assert await driver.describe(MACHINE) == first


@pytest.mark.parametrize(("force", "group"), [(False, ""), (True, ""), (False, GROUP), (True, GROUP)])
async def test_a_machine_is_stopped_and_started(cloud, driver, force, group):
    """It is down, or up, when the call returns; one in a managed group by its group, which else would mend it."""
    cloud.add("vm-1", group=group)
    await driver.stop(MACHINE, force=force)
    assert (cloud.state("vm-1"), cloud.instances["eu-1-b", "vm-1"]["_forced"]) == ("TERMINATED", force)
    await driver.start(MACHINE)
    assert cloud.state("vm-1") == "RUNNING"


async def test_a_regional_group_is_asked_in_its_region(cloud, driver):
    """Its operations are there, too."""
    cloud.add("vm-1", group="regions/eu-1/instanceGroupManagers/wide")
    await driver.stop(MACHINE)
    assert cloud.state("vm-1") == "TERMINATED"


@pytest.mark.parametrize(("act", "status"), [("start", "RUNNING"), ("stop", "TERMINATED")])
async def test_what_is_so_already_is_left_alone(cloud, driver, act, status):
    """One question, no change."""
    cloud.add("vm-1", status=status)
    await getattr(driver, act)(MACHINE)
    assert (cloud.state("vm-1"), cloud.asked) == (status, 1)


@pytest.mark.parametrize("status", ["STOPPING", "SUSPENDED"])
async def test_a_start_waits_for_a_stop_and_resumes_what_is_suspended(cloud, driver, status):
    """From a state between two others it goes on when that is over."""
    cloud.add("vm-1", status=status)
    cloud.looks_between = 3
    await driver.start(MACHINE)
    assert cloud.state("vm-1") == "RUNNING"


async def test_reset_and_delete(cloud, driver):
    """A reboot is one press of the reset button; what is deleted is gone."""
    cloud.add("vm-1")
    await driver.reboot(MACHINE)
    assert cloud.instances["eu-1-b", "vm-1"]["resets"] == 1
    await driver.delete(MACHINE)
    assert cloud.instances == {}


async def test_throttling_and_failures_that_pass_are_waited_out(cloud, driver):
    """Rate limits with Retry-After, 429, 503, broken connections; a change is still made once."""
    cloud.add("vm-1")
    cloud.trouble = [throttled(**{"Retry-After": "0"}), failing(429), failing(503)]
    await driver.reboot(MACHINE)
    cloud.breaks = 2
    await driver.reboot(MACHINE)
    assert cloud.instances["eu-1-b", "vm-1"]["resets"] == 2


async def test_a_server_that_throttles_for_ever_is_given_up(cloud, driver):
    """With what it said last."""
    cloud.trouble = [throttled(**{"Retry-After": "1"})] * 9
    with pytest.raises(MachineError, match=r"did not answer within 0.3 s \(last: .*Quota exceeded"):
        await impatient(driver).list()
    assert cloud.asked == 1


async def test_operations_that_are_waited_for_take_nobodys_place(cloud, driver):
    """The API holds such a request for up to two minutes: others go on meanwhile."""
    cloud.add("vm-1")
    driver._api._in_flight = asyncio.Semaphore(1)
    with cloud.waiting_room.shut():
        stops = [asyncio.create_task(driver.stop(MACHINE)) for _ in range(2)]
        await cloud.waiting_room.waiting.wait()
        assert (await driver.describe(MACHINE)).state is MachineState.UNKNOWN
    await asyncio.gather(*stops)
    assert cloud.state("vm-1") == "TERMINATED"


async def test_an_expired_token_is_replaced(cloud, driver):
    """A token that the API refuses is fetched anew, once, and the request repeated."""
    cloud.add("vm-1")
    await driver.list()
    cloud.tokens.clear()
    assert [each.name for each in await driver.list()] == ["vm-1"]
    assert len(cloud.tokens) == 1


async def test_credentials_that_are_refused_are_said_without_secrets(cloud, driver):
    """With how to log in."""
    cloud.token_refused = True
    with pytest.raises(MachineError, match=r"gives no token: .*invalid_grant") as caught:
        await driver.list()
    assert "application-default login" in caught.value.hint
    assert "PRIVATE" not in caught.value.in_full


@pytest.mark.parametrize(
    ("permission", "group"), [("compute.instances.stop", ""), ("compute.instanceGroupManagers.update", GROUP)]
)
async def test_a_missing_permission_is_named(cloud, driver, permission, group):
    """The very one to grant; nothing was changed."""
    cloud.add("vm-1", group=group)
    cloud.denied = {permission}
    with pytest.raises(MachineError, match="Required") as caught:
        await driver.stop(MACHINE)
    assert f"grant {permission}" in caught.value.hint
    assert cloud.state("vm-1") == "RUNNING"


async def test_a_machine_that_is_gone_is_said(cloud, driver):
    """Not found, in which zone of which project."""
    with pytest.raises(MachineGone, match="vm-1 is not in eu-1-b of the project shop") as caught:
        await driver.start(MACHINE)
    assert "gone" in caught.value.hint


async def test_what_is_no_id_is_an_error(driver):
    """Of another cloud, for example."""
    with pytest.raises(MachineError, match="'i-123' is no machine of Google Cloud"):
        await driver.describe("i-123")


async def test_a_machine_that_refuses_to_start_again(cloud, driver):
    """The zone has no room: the operation fails, and says so."""
    cloud.add("vm-1", status="TERMINATED")
    cloud.start_error = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources"}
    with pytest.raises(MachineError, match="start failed: The zone does not have enough") as caught:
        await driver.start(MACHINE)
    assert "no room" in caught.value.hint


@pytest.mark.parametrize(("endless", "seen"), [("operation", "RUNNING"), ("state", "STOPPING")])
async def test_what_never_ends_is_given_up(cloud, driver, endless, seen):
    """At the deadline, whether it is the operation or the state between two others."""
    cloud.add("vm-1", group=GROUP if endless == "state" else "")
    cloud.waits = None if endless == "operation" else 0
    cloud.looks_between = 10**9
    told = f"stopping machine {MACHINE} took longer than 0.3 s: it was last seen {seen}"
    with pytest.raises(MachineError, match=told):
        await impatient(driver).stop(MACHINE)


async def test_a_zone_that_can_t_be_reached_is_said(cloud, driver):
    """Its machines are not taken for gone."""
    cloud.add("vm-1")
    cloud.unreachable_zone = "eu-1-c"
    with pytest.raises(MachineError, match="can't reach zones/eu-1-c at present"):
        await driver.list()


async def test_a_cloud_that_isn_t_there_is_said(cloud, driver):
    """Soon: what never answered isn't asked for a minute."""
    driver._api._endpoint = "https://127.0.0.1:1/compute/v1/"
    with pytest.raises(MachineError, match=r"can't reach https://127\.0\.0\.1:1"):
        await driver.list()


async def test_a_region_is_kept_to(cloud, control, tmp_path, monkeypatch):
    """Machines of others aren't listed; where it has none at all, it is said where there are some."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    cloud.add("vm-1")
    cloud.add("vm-2", zone="us-2-c")
    for region in ("us-2", "moon-1"):
        config = tmp_path / f"{region}.json"
        config.write_text(json.dumps({"core": {"project": "shop"}, "compute": {"region": region}}))
        driver = await find_driver(write_choice("gcp", {"GCP_CONFIG_FILE": str(config)}), control.cluster)
        if region == "us-2":
            assert [each.id for each in await driver.list()] == ["shop/us-2-c/vm-2"]
        else:
            with pytest.raises(MachineError, match="no machines of shop in the region moon-1") as caught:
                await driver.list()
            assert "eu-1, us-2" in caught.value.hint
        await driver.close()


async def test_the_nodes_say_which_project_it_is(cloud, control, tmp_path, monkeypatch):
    """Without any setting; the provider id of each names it."""
    (tmp_path / "user.json").write_text(json.dumps({**json.loads(cloud.key_file()), "project_id": "elsewhere"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "user.json"))
    monkeypatch.delenv("GCP_CONFIG_FILE")
    cloud.add("vm-1")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"providerID": f"gce://{MACHINE}"}}
    await control.cluster.create(NODES, node)
    driver = await find_driver("gcp", control.cluster)
    assert [each.id for each in await driver.list()] == [MACHINE]
    await driver.close()


async def test_the_command_for_a_person(cloud, driver):
    """By gcloud; for a member of a group by its group."""
    cloud.add("vm-1")
    cloud.add("vm-2", group="regions/eu-1/instanceGroupManagers/wide")
    assert await driver.start_command(MACHINE) == "gcloud compute instances start vm-1 --zone=eu-1-b --project=shop"
    assert await driver.start_command("shop/eu-1-b/vm-2") == (
        "gcloud compute instance-groups managed start-instances wide --instances=vm-2 --region=eu-1 --project=shop"
    )


async def test_what_it_can_do(driver):
    """Everything but pausing."""
    await driver.require(*await driver.capabilities())
    with pytest.raises(MachineError, match="can't pause"):
        await driver.require(Capability.PAUSE)


def test_settings_are_read_from_gclouds_forms(tmp_path):
    """JSON and ini say the same; a variable moves the endpoint; a key never shows."""
    (tmp_path / "a.json").write_text('{"core": {"project": "p"}, "compute": {"region": "r"}}')
    (tmp_path / "b").write_text("[core]\nproject = p\n[compute]\nregion = r\n[other]\nx = %(y)s\n")
    (tmp_path / "key.json").write_text('{"type": "service_account", "project_id": "p", "private_key": "secret"}')
    for name in ("a.json", "b"):
        read = read_settings({"GCP_CONFIG_FILE": str(tmp_path / name)})
        assert (read.project, read.region) == ("p", "r")
        assert read.endpoint == "https://compute.googleapis.com/compute/v1/"
    key = read_settings({"GCP_CONFIG_FILE": str(tmp_path / "key.json")})
    assert key.project == "p"
    assert "secret" not in repr(key)
    moved = read_settings({"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": "https://x/compute/v1"})
    assert moved.endpoint == "https://x/compute/v1/"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "neither JSON nor"), ("project = p", "neither JSON nor"), ("{}", "neither a project nor"),
        ('{"type": "authorized_user"}', "not of a service account"), (None, "can't read"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_said(tmp_path, text, problem):
    """With what it may be."""
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        read_settings({"GCP_CONFIG_FILE": str(path)})
    assert caught.value.hint


async def test_the_extra_is_asked_for(control, monkeypatch):
    """Where google-auth isn't installed."""
    monkeypatch.setitem(__import__("sys").modules, "google.auth", None)
    with pytest.raises(UsageError, match="extra 'gcp'") as caught:
        await find_driver("gcp", control.cluster)
    assert caught.value.hint == 'install it: pip install "seatrial[gcp]"'
