"""Machines on AWS, against moto's server over HTTP, with a proxy before it that sees what is sent and can refuse."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
import pytest

from seatrial.errors import ConfigurationError, MachineError, UsageError
from seatrial.kube.resources import NODES
from seatrial.machines.aws import DRIVER, AwsMachines
from seatrial.machines.aws_api import AwsApi
from seatrial.machines.aws_settings import regions_of
from seatrial.machines.driver import Capability, MachineGone, MachineState
from seatrial.machines.matching import pair_machines
from seatrial.machines.pace import Pace
from seatrial.machines.registry import find_driver
from tests.machines.aws_server import SECRET, new_session
from tests.machines.made import node

WEST, EAST = "eu-west-1", "us-east-1"
IMAGE = "ami-12c6146b"
QUICK = Pace(first_seconds=0.01, most_seconds=0.02, answer_seconds=30, deadline_seconds=30)
SOON = Pace(first_seconds=0.01, most_seconds=0.02, answer_seconds=30, deadline_seconds=0.5)
STOPPED = "<name>stopped</name>"
RUNNING = "<name>running</name>"


@dataclass
class Setting:
    """A driver for two regions, and the API by which a test makes instances."""

    driver: AwsMachines
    api: AwsApi

    async def launch(self, count=1, *, region=WEST, tags=None, **arguments):
        """Make instances; their ids, in order."""
        tagged = (
            [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
            if tags
            else []
        )
        made = await self.api.call(
            "run_instances",
            region=region,
            ImageId=IMAGE,
            MinCount=count,
            MaxCount=count,
            TagSpecifications=tagged,
            **arguments,
        )
        return sorted(each["InstanceId"] for each in made["Instances"])


@pytest.fixture
async def aws(amazon):
    """The driver, with two regions and little patience."""
    api = AwsApi(new_session, pace=QUICK)
    yield Setting(driver=AwsMachines(api, [WEST, EAST], pace=QUICK, page_size=5), api=api)
    api.close()


async def test_instances_of_all_regions_are_listed(aws):
    """With zone, region, addresses, the id that the cloud provider writes into nodes, and tags as groups and labels."""
    tags = {"Name": "web-1", "eks:nodegroup-name": "workers", "env": "prod"}
    [west] = await aws.launch(tags=tags)
    [east] = await aws.launch(region=EAST)
    machines = await aws.driver.list()
    assert [each.id for each in machines] == [west, east]
    first = machines[0]
    assert (first.region, first.zone, first.state) == (WEST, "eu-west-1a", MachineState.UP)
    assert first.provider_id == f"aws:///eu-west-1a/{west}"
    assert first.labels == tags
    assert first.groups == ("workers", "Name=web-1", "eks:nodegroup-name=workers", "env=prod")
    assert first.addresses[0].startswith("10.")
    assert first.name.startswith("ip-10-")


async def test_a_node_finds_its_instance_by_provider_id_address_or_private_dns_name(aws):
    """Whichever of them the node has."""
    await aws.launch(3)
    machines = await aws.driver.list()
    nodes = [
        node("one", provider_id=machines[0].provider_id),
        node("two", ip=machines[1].addresses[0]),
        node(machines[2].name),
    ]
    assert list(pair_machines(nodes, machines).machines.values()) == machines


async def test_long_lists_come_in_pages(aws, amazon):
    """Twelve instances, at most five an answer."""
    ids = [(await aws.launch())[0] for _ in range(12)]
    assert {each.id for each in await aws.driver.list()} == set(ids)
    pages = [each for each in amazon.sent("DescribeInstances") if each.region == WEST]
    assert len(pages) == 3
    assert all("NextToken" in each.arguments for each in pages[1:])
    assert {each.arguments["Version"] for each in pages} == {"2016-11-15"}


async def test_a_stop_ends_when_amazon_says_stopped(aws, amazon):
    """While it is `stopping` its state is not known, and the driver waits."""
    [id_] = await aws.launch()
    amazon.rewrite("DescribeInstances", ("", ""), *[(STOPPED, "<name>stopping</name>")] * 3)
    await aws.driver.stop(id_)
    assert len(amazon.sent("DescribeInstances")) == 5
    assert (await aws.driver.describe(id_)).state is MachineState.DOWN
    assert "Force" not in amazon.sent("StopInstances")[0].arguments


@pytest.mark.parametrize("state", ["pending", "stopping", "shutting-down", "something-new"])
async def test_what_is_between_two_states_is_unknown(aws, amazon, state):
    """Neither up nor down, and so is a state that nobody has heard of."""
    [id_] = await aws.launch()
    amazon.rewrite("DescribeInstances", (RUNNING, f"<name>{state}</name>"))
    assert (await aws.driver.describe(id_)).state is MachineState.UNKNOWN


async def test_force_leaves_out_the_systems_shutdown_and_nothing_is_hibernated(aws, amazon):
    """`Force` alone would still let the system shut down first."""
    [id_] = await aws.launch()
    await aws.driver.stop(id_, force=True)
    [sent] = amazon.sent("StopInstances")
    assert (sent.arguments["Force"], sent.arguments["SkipOsShutdown"]) == ("true", "true")
    assert "Hibernate" not in sent.arguments
    with pytest.raises(MachineError, match="can't pause"):
        await aws.driver.require(Capability.PAUSE)
    await aws.driver.require(Capability.STOP, Capability.START, Capability.REBOOT, Capability.DELETE)


async def test_force_cuts_a_shutdown_short_that_is_under_way(aws, amazon):
    """It may hang for ever; without force it is waited for."""
    [id_] = await aws.launch()
    amazon.rewrite("DescribeInstances", (RUNNING, "<name>stopping</name>"))
    await aws.driver.stop(id_, force=True)
    assert amazon.actions()[1:3] == ["DescribeInstances", "StopInstances"]
    assert (await aws.driver.describe(id_)).state is MachineState.DOWN


async def test_what_is_so_already_is_left_so(aws, amazon):
    """Starting what runs and stopping what is stopped sends nothing."""
    [id_] = await aws.launch()
    await aws.driver.start(id_)
    await aws.driver.stop(id_)
    await aws.driver.stop(id_)
    await aws.driver.start(id_)
    assert [each for each in amazon.actions() if "Describe" not in each] == [
        "RunInstances",
        "StopInstances",
        "StartInstances",
    ]


async def test_a_start_waits_for_a_stop_that_is_under_way(aws, amazon):
    """Amazon would refuse it until then."""
    [id_] = await aws.launch()
    await aws.driver.stop(id_)
    amazon.requests.clear()
    amazon.rewrite("DescribeInstances", *[(STOPPED, "<name>stopping</name>")] * 2)
    await aws.driver.start(id_)
    assert amazon.actions()[:4] == ["DescribeInstances"] * 3 + ["StartInstances"]


async def test_an_instance_that_does_not_start_again_is_said(aws, amazon):
    """It was pending, and is stopped again."""
    [id_] = await aws.launch()
    await aws.driver.stop(id_)
    amazon.rewrite("DescribeInstances", ("", ""), (RUNNING, "<name>pending</name>"), (RUNNING, STOPPED))
    with pytest.raises(
        MachineError, match=f"instance {id_} is stopped again instead of running: Amazon gives no reason"
    ):
        await aws.driver.start(id_)


async def test_a_change_that_never_ends_is_given_up_with_the_state_it_is_in(aws, amazon):
    """After the deadline."""
    [id_] = await aws.launch()
    driver = AwsMachines(aws.api, [WEST], pace=SOON)
    amazon.rewrite("DescribeInstances", ("", ""), *[(STOPPED, "<name>stopping</name>")] * 500)
    with pytest.raises(
        MachineError, match=f"stopping instance {id_} took longer than 0.5 s: it was last seen stopping"
    ):
        await driver.stop(id_)
    amazon.rewritings.clear()


async def test_reboots(aws, amazon):
    """Amazon is told to; by force it is a stop without a shutdown and a start; what is down isn't rebooted."""
    [id_] = await aws.launch()
    await aws.driver.reboot(id_)
    await aws.driver.reboot(id_, force=True)
    acts = [each for each in amazon.actions() if "Describe" not in each]
    assert acts == ["RunInstances", "RebootInstances", "StopInstances", "StartInstances"]
    await aws.driver.stop(id_)
    with pytest.raises(MachineError, match="is stopped, so it can't be rebooted"):
        await aws.driver.reboot(id_)


async def test_deleting_terminates_also_spot_instances_and_is_safe_to_repeat(aws):
    """What is terminated is listed no more, is down, and can't be started."""
    market = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
    [id_] = await aws.launch(InstanceMarketOptions=market)
    [machine] = await aws.driver.list()
    assert "spot" in machine.groups
    await aws.driver.delete(id_)
    await aws.driver.delete(id_)
    await aws.driver.delete("i-00000000000000000")
    assert await aws.driver.list() == []
    assert (await aws.driver.describe(id_)).state is MachineState.DOWN
    with pytest.raises(MachineGone, match=f"instance {id_} is terminated"):
        await aws.driver.start(id_)


async def test_an_instance_of_another_region_is_said_to_be_unknown(aws):
    """With the regions that were looked in, and how to name others."""
    [id_] = await aws.launch(region="ap-south-1")
    with pytest.raises(MachineGone, match=f"AWS knows no instance {id_} in eu-west-1, us-east-1") as caught:
        await aws.driver.describe(id_)
    assert "--aws-region" in caught.value.hint


async def test_throttling_is_waited_out(aws, amazon):
    """Requests that go too fast are sent again, until they are answered."""
    [id_] = await aws.launch()
    amazon.refuse("StopInstances", "RequestLimitExceeded", status=503, times=2)
    await aws.driver.stop(id_)
    assert len(amazon.sent("StopInstances")) == 3


async def test_expired_credentials_are_read_anew_once(amazon):
    """A token that another program renewed meanwhile is taken; when that one has expired too, it is said."""
    keys = iter(["OLD", "NEW", "NEWER"])
    api = AwsApi(lambda: boto3.Session(aws_access_key_id=next(keys), aws_secret_access_key="x"))
    driver = AwsMachines(api, [WEST], pace=QUICK)
    amazon.refuse("DescribeInstances", "RequestExpired", "expired")
    assert await driver.list() == []
    assert [each.key for each in amazon.requests] == ["OLD", "NEW"]
    amazon.refuse("DescribeInstances", "ExpiredToken", "expired", times=2)
    with pytest.raises(MachineError, match="credentials have expired"):
        await driver.list()
    await driver.close()


@pytest.mark.parametrize(
    ("code", "told", "hint"),
    [
        (
            "UnauthorizedOperation",
            "AWS does not permit ec2:StopInstances in region eu-west-1",
            "allow ec2:StopInstances",
        ),
        ("AuthFailure", "does not accept these credentials in region eu-west-1", "region is enabled"),
        ("UnsupportedOperation", "AWS refused StopInstances: because", "one-time spot"),
        ("OperationNotPermitted", "AWS refused StopInstances: because", "protection"),
        ("SomethingElse", "AWS refused StopInstances: because", ""),
    ],
)
async def test_refusals_say_what_to_do(aws, amazon, code, told, hint):
    """In one line, and without what only Amazon can read."""
    [id_] = await aws.launch()
    secret = " Encoded authorization failure message: SECRET"
    amazon.refuse("StopInstances", code, f"because{secret}", status=403)
    with pytest.raises(MachineError, match=told) as caught:
        await aws.driver.stop(id_)
    assert hint in caught.value.hint
    assert "SECRET" not in caught.value.in_full
    assert SECRET not in caught.value.in_full


async def test_no_room_for_a_start_is_said(aws, amazon):
    """Amazon answers so where a zone has no machine of the type left."""
    [id_] = await aws.launch()
    await aws.driver.stop(id_)
    amazon.refuse("StartInstances", "InsufficientInstanceCapacity", "no capacity")
    with pytest.raises(MachineError, match="no capacity") as caught:
        await aws.driver.start(id_)
    assert "try again later" in caught.value.hint


async def test_missing_credentials_are_said(amazon, monkeypatch):
    """And how to give them."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    api = AwsApi(new_session)
    with pytest.raises(MachineError, match="there are no AWS credentials") as caught:
        await AwsMachines(api, [WEST]).list()
    assert "AWS_PROFILE" in caught.value.hint
    api.close()


@pytest.mark.parametrize(("endpoint", "region"), [("http://127.0.0.1:1", WEST), ("", "no such region")])
async def test_an_amazon_that_is_not_there_is_said(amazon, monkeypatch, endpoint, region):
    """Nobody answers, or the region's name is none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint or amazon.url)
    session = boto3.Session()
    api = AwsApi(lambda: _impatient(session))
    with pytest.raises(MachineError, match=f"in region {region}") as caught:
        await AwsMachines(api, [region]).list()
    assert "region's name" in caught.value.hint
    api.close()


def _impatient(session: Any) -> Any:
    """The session, which tries once."""
    from types import SimpleNamespace

    from botocore.config import Config

    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return SimpleNamespace(
        client=lambda service, region_name, config: session.client(service, region_name, config=config.merge(once))
    )


async def test_what_a_dry_run_says_of_permissions(aws, amazon):
    """Each operation that a stop and its undo take is tried, and nothing is changed."""
    [id_] = await aws.launch()
    review = await aws.driver.review_stops([id_], [*await aws.driver.capabilities()], force=True)
    assert (review.impediments, review.missing_permissions, review.notes) == ({}, (), ())
    tried = [each for each in amazon.requests if each.arguments.get("DryRun") == "true"]
    acts = ["RebootInstances", "StartInstances", "StopInstances", "TerminateInstances"]
    assert sorted(each.action for each in tried) == acts
    needed = (Capability.STOP, Capability.START)
    amazon.refuse("StartInstances", "UnauthorizedOperation", status=403)
    amazon.refuse("StopInstances", "IncorrectState", "it is odd")
    review = await aws.driver.review_stops([id_], needed, force=False)
    assert review.missing_permissions == ("AWS does not permit ec2:StartInstances in region eu-west-1",)
    assert review.notes == ("AWS refused StopInstances: it is odd",)
    assert (await aws.driver.describe(id_)).state is MachineState.UP


async def test_what_can_only_be_terminated_is_known_before_it_is_tried(aws, amazon):
    """Instances with an instance store as their root, and one-time spot instances."""
    [id_] = await aws.launch()
    amazon.rewrite("DescribeInstances", ("<rootDeviceType>ebs<", "<rootDeviceType>instance-store<"))
    review = await aws.driver.review_stops([id_], (), force=False)
    assert review.impediments == {id_: "its root is an instance store, so it can only be terminated"}
    requests = await aws.api.call(
        "request_spot_instances", region=WEST, InstanceCount=1, Type="one-time",
        LaunchSpecification={"ImageId": IMAGE, "InstanceType": "t2.micro"},
    )  # fmt: skip
    [request] = requests["SpotInstanceRequests"]
    amazon.rewrite(
        "DescribeInstances",
        (
            f"<instanceId>{id_}</instanceId>",
            f"<instanceId>{id_}</instanceId><spotInstanceRequestId>{request['SpotInstanceRequestId']}</spotInstanceRequestId>",
        ),
    )
    review = await aws.driver.review_stops([id_], (), force=False)
    assert review.impediments == {id_: "it is a one-time spot instance, so it can only be terminated"}


async def test_the_command_for_a_person_names_the_region(aws):
    """As Amazon's own program takes it."""
    [id_] = await aws.launch(region=EAST)
    assert await aws.driver.start_command(id_) == f"aws ec2 start-instances --region us-east-1 --instance-ids {id_}"


async def test_regions_are_those_given_or_those_of_the_nodes_and_the_configuration(control, aws):
    """Those of `--aws-region` alone, where it is there; else nodes tell theirs, and AWS's configuration one more."""
    regions = partial(regions_of, control.cluster, api=aws.api)
    with pytest.raises(ConfigurationError, match="which AWS regions") as caught:
        await regions({})
    assert "--aws-region" in caught.value.hint
    for name, provider_id in (
        ("a", "aws:///eu-west-1a/i-1"), ("b", "aws:///us-west-2-lax-1a/i-2"), ("c", "aws:///us-gov-west-1b/i-3"), ("d", "gce://x/y/z"),
    ):  # fmt: skip
        await control.cluster.create(NODES, {"metadata": {"name": name}, "spec": {"providerID": provider_id}})
    assert await regions({}) == ("eu-west-1", "us-gov-west-1", "us-west-2")
    assert (await regions({"AWS_REGION": "af-south-1"}))[0] == "af-south-1"
    assert await regions({"AWS_REGIONS": "us-east-1, eu-west-1"}) == ("us-east-1", "eu-west-1")


async def test_the_driver_is_found_by_its_name_with_its_settings(control, amazon):
    """As the command line and the journal have it."""
    driver = await find_driver("aws?AWS_REGIONS=eu-west-1%2Cus-east-1", control.cluster)
    assert driver.name == "aws"
    assert await driver.list() == []
    assert {each.region for each in amazon.requests} == {WEST, EAST}
    await driver.close()


async def test_without_boto3_it_says_how_to_install_it(control, monkeypatch):
    """The driver is there, its extra isn't."""
    monkeypatch.setitem(__import__("sys").modules, "seatrial.machines.aws_api", None)
    with pytest.raises(UsageError, match="need the extra 'aws'") as caught:
        await DRIVER.connect(control.cluster, {})
    assert caught.value.hint == 'install it: pip install "seatrial[aws]"'
