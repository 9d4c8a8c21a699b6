"""Auto-scaling groups: what they do to machines that are stopped is said, or held off and undone."""

import asyncio
import json

import pytest
from msgspec.structs import replace

from seatrial.actions.machine_starts import START_MACHINE
from seatrial.actions.machine_stops import plan_stops, stop_machines
from seatrial.actions.scaling_group_holds import RESUME_SCALING_GROUP
from seatrial.cli.main import run as run_command
from seatrial.engine.unwind import unwind
from seatrial.errors import MachineError
from seatrial.kube.resources import NODES
from seatrial.machines.aws import AwsMachines
from seatrial.machines.aws_api import AwsApi
from seatrial.machines.driver import Capability, MachineState
from seatrial.machines.pace import Pace
from seatrial.machines.scaling_groups import ScalingGroup
from seatrial.runtime.context import Settings
from seatrial.runtime.events import ReplacementForeseen, ScalingGroupResumed, ScalingGroupSuspended
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.targets.nodes import list_targets
from tests.machines.aws_server import new_session
from tests.machines.made import MemoryCloud, machine

REGION = "eu-west-1"
GROUP = f"{REGION}/workers"
BOTH = ("HealthCheck", "ReplaceUnhealthy")


@pytest.fixture
async def api(amazon):
    """Amazon's API."""
    made = AwsApi(new_session)
    yield made
    made.close()


@pytest.fixture
def driver(api):
    """A driver with little patience."""
    return AwsMachines(api, [REGION], pace=Pace(first_seconds=0.01, most_seconds=0.02, deadline_seconds=30))


@pytest.fixture
async def workers(api):
    """A group of two instances; their ids."""

    async def call(operation, **arguments):
        return await api.call(operation, region=REGION, service="autoscaling", **arguments)

    await call(
        "create_launch_configuration", LaunchConfigurationName="lc", ImageId="ami-12c6146b", InstanceType="t3.micro"
    )
    await call(
        "create_auto_scaling_group", AutoScalingGroupName="workers", LaunchConfigurationName="lc",
        MinSize=2, MaxSize=2, AvailabilityZones=["eu-west-1a"],
    )  # fmt: skip
    described = await call("describe_auto_scaling_groups", AutoScalingGroupNames=["workers"])
    return sorted(each["InstanceId"] for each in described["AutoScalingGroups"][0]["Instances"])


@pytest.fixture
async def nodes(control, on_cluster, driver, workers):
    """A node on each instance; the nodes as targets, and the context in which they are hit."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    for id_ in workers:
        body = {"metadata": {"name": f"node-of-{id_}"}, "spec": {"providerID": f"aws:///eu-west-1a/{id_}"}}
        await control.cluster.create(NODES, body)
    context = replace(on_cluster.context, machines=driver, settings=Settings(recovery_timeout_seconds=0))
    targets, _ = await list_targets(context, needs_machines=True)
    return targets, context


async def told(recorder, kind):
    return [event for event in await recorder.events() if isinstance(event, kind)]


def stop(nodes, **given):
    targets, context = nodes
    return stop_machines(targets[:1], context, **{"force": False, "auto_restart": True, **given})


async def planned(nodes, **given):
    targets, context = nodes
    options = {"force": False, "auto_restart": True, "suspend_processes": False, **given}
    return await plan_stops(targets[:1], context, **options)


async def test_a_group_is_known_by_its_instances(api, driver, workers):
    """Which of them are its own, and by what it replaces those that are stopped."""
    expected = ScalingGroup(id=GROUP, machines=frozenset(workers), replacing=BOTH)
    assert await driver.groups_of(workers) == [expected]
    lone = await api.call("run_instances", region=REGION, ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    assert await driver.groups_of([lone["Instances"][0]["InstanceId"]]) == []


@pytest.mark.parametrize("process", [*BOTH, "Terminate"])
async def test_a_group_with_suspended_processes_replaces_nothing(driver, workers, process):
    """Any of the three is enough."""
    await driver.suspend(GROUP, (process,))
    [group] = await driver.groups_of(workers)
    assert group.replacing == ()


async def test_instances_on_standby_are_not_replaced(api, driver, workers):
    """The group doesn't look after them."""
    await api.call(
        "enter_standby", region=REGION, service="autoscaling", AutoScalingGroupName="workers",
        InstanceIds=workers[:1], ShouldDecrementDesiredCapacity=True,
    )  # fmt: skip
    [group] = await driver.groups_of(workers)
    assert group.machines == frozenset(workers[1:])


async def test_that_a_group_will_replace_a_machine_is_said_before_it_is_stopped(nodes, on_cluster, workers):
    """By the plan and by the run; the group itself is left alone."""
    plan = await planned(nodes)
    assert plan.notes == (f"group {GROUP} replaces machines that are stopped: {workers[0]} may not come back",)
    assert (await stop(nodes)).passed
    assert next(type(event) for event in await on_cluster.events()) is ReplacementForeseen
    [foreseen] = await told(on_cluster, ReplacementForeseen)
    assert (foreseen.group, foreseen.machines, foreseen.doubt) == (GROUP, (workers[0],), "")
    _, context = nodes
    assert [each.undo.kind for each in context.journal.newer_than(0)] == [START_MACHINE.kind]


async def test_a_machine_that_was_replaced_as_foreseen_needs_no_start(nodes, api, workers):
    """Clean-up notes that it is gone; where nobody foresaw it, it fails."""
    assert (await stop(nodes)).passed
    await api.call("terminate_instances", region=REGION, InstanceIds=workers[:1])
    _, context = nodes
    [written] = context.journal.newer_than(0)
    note = await START_MACHINE.run(written.undo.args, context.world)
    assert f"instance {workers[0]} is terminated" in note
    assert f"its group {GROUP} replaces it" in note
    with pytest.raises(MachineError, match="is terminated"):
        await START_MACHINE.run({**written.undo.args, "group": ""}, context.world)


async def test_processes_are_suspended_before_and_resumed_after(nodes, driver, on_cluster, workers):
    """The undo is in the journal first, comes last at clean-up, and is safe to repeat."""
    assert (await planned(nodes, suspend_processes=True)).changes == (
        f"suspend HealthCheck, ReplaceUnhealthy of group {GROUP}, resume them at clean-up",
        f"stop machine {workers[0]} of node node-of-{workers[0]}, start it again at clean-up",
    )
    assert (await stop(nodes, suspend_processes=True)).passed
    _, context = nodes
    started, resumed = context.journal.newer_than(0)
    assert (started.undo.kind, resumed.undo.kind) == (START_MACHINE.kind, RESUME_SCALING_GROUP.kind)
    assert resumed.undo.manual == (
        "aws autoscaling resume-processes --region eu-west-1 --auto-scaling-group-name workers "
        "--scaling-processes HealthCheck ReplaceUnhealthy"
    )
    assert (await driver.groups_of(workers))[0].replacing == ()
    for _ in range(2):
        assert await RESUME_SCALING_GROUP.run(resumed.undo.args, context.world) == ""
    assert (await driver.groups_of(workers))[0].replacing == BOTH
    assert await told(on_cluster, ReplacementForeseen) == []
    assert [event.processes for event in await told(on_cluster, ScalingGroupSuspended)] == [BOTH]
    assert {event.group for event in await told(on_cluster, ScalingGroupResumed)} == {GROUP}


async def test_what_somebody_else_suspended_stays_so(nodes, driver, workers):
    """A group that replaces nothing already has no undo."""
    await driver.suspend(GROUP, ("ReplaceUnhealthy",))
    assert (await stop(nodes, suspend_processes=True)).passed
    _, context = nodes
    assert [each.undo.kind for each in context.journal.newer_than(0)] == [START_MACHINE.kind]


async def test_a_group_that_is_gone_needs_no_resuming(nodes, api):
    """That is a note of clean-up, not a failure."""
    assert (await stop(nodes, suspend_processes=True)).passed
    await api.call(
        "delete_auto_scaling_group",
        region=REGION,
        service="autoscaling",
        AutoScalingGroupName="workers",
        ForceDelete=True,
    )
    _, context = nodes
    resumed = context.journal.newer_than(0)[-1]
    assert await RESUME_SCALING_GROUP.run(resumed.undo.args, context.world) == f"group {GROUP} is gone"


async def test_a_refused_suspension_leaves_the_machines_up(nodes, driver, amazon, workers):
    """The step is not carried out, with the permission that is missing; the undo is there, and does no harm."""
    amazon.refuse("SuspendProcesses", "AccessDenied", status=403)
    outcome = await stop(nodes, suspend_processes=True)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "AWS does not permit autoscaling:SuspendProcesses" in outcome.reasons[0]
    assert {each.state for each in await driver.list()} == {MachineState.UP}
    _, context = nodes
    await unwind(context.journal.newer_than(0), context, hurry=asyncio.Event())
    assert context.journal.failures == []


async def test_a_group_that_may_not_be_looked_at_is_assumed_to_replace(nodes, amazon, workers):
    """The tag says that there is one."""
    amazon.refuse("DescribeAutoScalingGroups", "AccessDenied", status=403)
    [note] = (await planned(nodes)).notes
    assert note.startswith(
        f"group {GROUP} replaces machines that are stopped (assumed: AWS does not permit autoscaling:Describe"
    )


async def test_machines_that_cannot_be_stopped_hold_up_all_of_them(nodes, driver, amazon, workers):
    """Before anything is touched; the plan says so, too."""
    store = ("<rootDeviceType>ebs<", "<rootDeviceType>instance-store<")
    amazon.rewrite("DescribeInstances", store)
    assert (await planned(nodes)).refused == (
        f"machine {workers[0]} can't be stopped: its root is an instance store, so it can only be terminated",
    )
    amazon.rewrite("DescribeInstances", store)
    outcome = await stop(nodes)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "instance store" in outcome.reasons[0]
    assert {each.state for each in await driver.list()} == {MachineState.UP}


async def test_what_the_cloud_does_not_permit_is_in_the_plan(nodes, amazon):
    """As a missing permission, which stops a plan; without a restart, starting isn't asked for."""
    amazon.refuse("StopInstances", "UnauthorizedOperation", status=403)
    plan = await planned(nodes, auto_restart=False)
    assert plan.missing_permissions == ("AWS does not permit ec2:StopInstances in region eu-west-1",)
    assert "StartInstances" not in amazon.actions()


async def test_other_drivers_have_no_groups(nodes):
    """What they don't know is not asked of them; the option changes nothing."""
    _, context = nodes
    cloud = MemoryCloud(machine("a"), can=frozenset({Capability.STOP}))
    elsewhere = replace(context, machines=cloud)
    assert (await stop_machines([], elsewhere, force=False, auto_restart=True, suspend_processes=True)).passed
    with pytest.raises(MachineError, match="the driver 'memory' can't resume group g"):
        await RESUME_SCALING_GROUP.run({"driver": "memory", "group": "g", "processes": ["p"]}, elsewhere.world)


POLICY = """
config: {seed: 7}
scenarios:
- name: lose a zone
  steps:
  - nodeAction:
      matches: [{property: {name: az, value: eu-west-1a}}]
      actions: [{stop: {}}]
"""


async def test_the_command_line_reaches_aws(control, nodes, amazon, tmp_path, capsys, workers):
    """`--aws`: the plan names instances, says what the group would do, and exits with 3 for a missing permission."""
    policy = tmp_path / "policy.yml"
    policy.write_text(POLICY)
    arguments = [
        "plan",
        str(policy),
        "--aws",
        "--kubeconfig",
        str(control.directory / "kubeconfig"),
        "--output",
        "json",
    ]
    assert await asyncio.to_thread(run_command, arguments) == 0
    [[step]] = [each["steps"] for each in json.loads(capsys.readouterr().out)["scenarios"]]
    assert [change.split()[2] for change in step["changes"]] == workers
    assert f"group {GROUP} replaces machines that are stopped: {', '.join(workers)} may not come back" in step["notes"]
    amazon.refuse("StartInstances", "UnauthorizedOperation", status=403)
    assert await asyncio.to_thread(run_command, [*arguments, "--aws-region", REGION]) == 3
    [[step]] = [each["steps"] for each in json.loads(capsys.readouterr().out)["scenarios"]]
    assert step["missing_permissions"] == ["AWS does not permit ec2:StartInstances in region eu-west-1"]


async def test_instances_that_no_node_runs_on_are_matched_where_the_cloud_is_the_inventory(
    control, nodes, api, tmp_path, capsys, workers
):
    """By the zone that AWS says, or a tag; without the flag they are left alone, and said."""
    made = await api.call(
        "run_instances", region=REGION, ImageId="ami-12c6146b", MinCount=1, MaxCount=1,
        Placement={"AvailabilityZone": "eu-west-1a"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "db-1"}]}],
    )  # fmt: skip
    stray = made["Instances"][0]["InstanceId"]
    policy = tmp_path / "policy.yml"
    arguments = ["plan", str(policy), "--aws", "--kubeconfig", str(control.directory / "kubeconfig"), "-o", "json"]

    async def planned_step(text, *more):
        policy.write_text(text)
        await asyncio.to_thread(run_command, [*arguments, *more])
        [[step]] = [each["steps"] for each in json.loads(capsys.readouterr().out)["scenarios"]]
        return step

    alone = await planned_step(POLICY)
    assert [change.split()[2] for change in alone["changes"]] == workers
    assert alone["notes"][0].startswith("1 machine of the cloud without a node here: left alone")
    whole_zone = await planned_step(POLICY, "--inventory-cloud")
    assert [change.split()[2] for change in whole_zone["changes"]] == [*workers, stray]
    tagged = await planned_step(POLICY.replace("name: az, value: eu-west-1a", "name: group, value: Name=db-1$"),
                                "--inventory-cloud")  # fmt: skip
    [change] = tagged["changes"]
    assert change.startswith(f"stop machine {stray} of no node (")
