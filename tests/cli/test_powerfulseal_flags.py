"""Each flag and each variable of PowerfulSeal 3.x, as its users have them in scripts and manifests."""

import click
import pytest
from click.testing import CliRunner

from seatrial.choice import read_choice
from seatrial.cli.autonomous import autonomous
from seatrial.cli.interactive import interactive
from seatrial.cli.label import label
from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.main import run, seatrial
from seatrial.cli.metrics_options import MetricsChoice, metrics_options
from seatrial.cli.options import web_options
from seatrial.errors import UsageError

VARIABLES = {
    "OPENSTACK_CLOUD", "AWS_CLOUD", "AZURE_CLOUD", "GCP_CLOUD", "NO_CLOUD", "OPENSTACK_CLOUD_NAME",
    "AZURE_RESORUCE_GROUP_NAME", "AZURE_NODE_RESORUCE_GROUP_NAME", "AZURE_RESOURCE_GROUP_NAME",
    "AZURE_NODE_RESOURCE_GROUP_NAME", "GCP_CONFIG_FILE", "INVENTORY_FILE", "PS_REMOTE_USER", "PS_PRIVATE_KEY",
    "PS_SSH_PASSWORD", "PS_SSH_KILL_COMMAND", "STDOUT_COLLECTOR", "PROMETHEUS_COLLECTOR", "DATADOG_COLLECTOR",
    "POLICY_FILE", "HOST", "PORT", "CONFIG",
}  # fmt: skip
COMMON = [
    ["--kubeconfig", "FILE"], ["--use-pod-delete-instead-of-ssh-kill"], ["--execution-mode", "kubernetes"],
    ["--execution-mode", "ssh"], ["--openstack"], ["--aws"], ["--azure"], ["--gcp"], ["--no-cloud"],
    ["--openstack-cloud-name", "NAME"], ["--azure-resource-group-name", "NAME"],
    ["--azure-node-resource-group-name", "NAME"], ["--gcp-config-file", "FILE"], ["-i", "INVENTORY"],
    ["--inventory-file", "INVENTORY"], ["--inventory-kubernetes"], ["--remote-user", "NAME"],
    ["--ssh-allow-missing-host-keys"], ["--override-ssh-host", "HOST"], ["--use-private-ip"],
    ["--ssh-path-to-private-key", "FILE"], ["--ssh-password", "SECRET"], ["--ssh-kill-command", "kill {container_id}"],
]  # fmt: skip
METRICS = [
    ["--stdout-collector"], ["--prometheus-collector"], ["--prometheus-host", "127.0.0.1"],
    ["--prometheus-port", "0"], ["--datadog-collector"],
]  # fmt: skip
WEB = [["--headless"], ["--host", "0.0.0.0"], ["--port", "8080"], ["--accept-proxy-headers"]]
LABEL = [
    ["--kubernetes-namespace", "a,b"], ["--kubernetes-namespace="], ["--min-seconds-between-runs", "0"],
    ["--max-seconds-between-runs", "300"],
]  # fmt: skip
FLAGS = [
    *((autonomous, each) for each in [["--policy-file", "FILE"], *COMMON, *METRICS, *WEB]),
    *((label, each) for each in [*COMMON, *METRICS, *LABEL]),
    *((interactive, each) for each in COMMON),
]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    """None of the variables is set by whoever runs the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts.ini"
    path.write_text("[workers]\n10.0.0.7\n")
    return str(path)


@pytest.mark.parametrize(
    ("command", "given"), FLAGS, ids=[f"{index}-{command.name}" for index, (command, _) in enumerate(FLAGS)]
)
def test_every_flag_is_understood(command, given, hosts):
    """On each command that has it in PowerfulSeal; what click makes of it is a valid command line."""
    arguments = [hosts if each == "INVENTORY" else each for each in given]
    needed = ["--policy-file", "p.yml"] if command is autonomous and "--policy-file" not in arguments else []
    with command.make_context("seatrial", [*needed, *arguments], **seatrial.context_settings) as context:
        assert context.params


@pytest.mark.parametrize("before", [["-v"], ["-vv"], ["--verbose"], ["-s"], ["-ss"], ["--silent"], ["-c", "FILE"]])
def test_the_flags_before_the_command_are_understood(before, tmp_path, capsys):
    """As in `powerfulseal -v validate ...`: PowerfulSeal has them nowhere else."""
    options, policy = tmp_path / "options.yml", tmp_path / "p.yml"
    options.write_text("policy-file: unused.yml\n")
    policy.write_text("scenarios: []")
    arguments = [str(options) if each == "FILE" else each for each in before]
    assert run([*arguments, "validate", "--policy-file", str(policy)]) == 0
    assert "valid" in capsys.readouterr().out


@click.command
@metrics_options
@machine_options
@web_options
@click.pass_obj
def keeps(kept, **values):
    kept.update(values)


def made_of(*arguments, **variables):
    """What the command gets of a command line and variables; or the message where that is an error."""
    kept = {}
    result = CliRunner().invoke(keeps, arguments, env=variables, obj=kept, catch_exceptions=False)
    return kept if result.exit_code == 0 else result.output


@pytest.mark.parametrize(
    ("variable", "flag", "cloud"),
    [
        ("OPENSTACK_CLOUD", "--openstack", "openstack"),
        ("AWS_CLOUD", "--aws", "aws"),
        ("AZURE_CLOUD", "--azure", "azure"),
        ("GCP_CLOUD", "--gcp", "gcp"),
        ("NO_CLOUD", "--no-cloud", None),
    ],
)
def test_a_cloud_is_asked_for_by_flag_or_variable(variable, flag, cloud):
    """Both mean the same; any word in the variable does, except those that mean no."""
    assert made_of(flag)["machines"].cloud == cloud
    for yes in ("1", "true", "TRUE", "yes", "my-cloud"):
        assert made_of(**{variable: yes})["machines"].cloud == cloud
    for no in ("", "0", "false", "False", "no", "off", " false "):
        assert made_of(**{variable: no})["machines"].cloud is None


def test_there_is_one_cloud():
    """Two flags or two variables are an error; a flag wins over any variable, also the flag for none."""
    assert "there can be one cloud only, here are: --aws, --gcp" in made_of("--gcp", "--aws")
    assert "here are: --openstack, --aws" in made_of(AWS_CLOUD="1", OPENSTACK_CLOUD="1")
    assert made_of("--gcp", AWS_CLOUD="1")["machines"].cloud == "gcp"
    assert made_of("--no-cloud", AWS_CLOUD="1")["machines"].cloud is None


def test_a_driver_of_a_plugin_is_asked_for_by_its_name():
    """As one cloud among the others."""
    assert made_of("--cloud", "moon", AWS_CLOUD="1")["machines"].driver == "moon"
    assert "there can be one cloud only, here are: --aws, --cloud" in made_of("--cloud", "moon", "--aws")


def test_the_name_of_the_cloud_goes_with_the_driver():
    """By flag or variable; the journal has it, so that clean-up after a crash needs neither."""
    wanted = "openstack?OPENSTACK_CLOUD_NAME=prod"
    assert made_of("--openstack", "--openstack-cloud-name", "prod")["machines"].driver == wanted
    assert made_of("--openstack", OPENSTACK_CLOUD_NAME="prod")["machines"].driver == wanted
    assert made_of("--aws", OPENSTACK_CLOUD_NAME="prod")["machines"].driver == "aws"


def test_what_is_said_to_a_cloud_goes_with_its_driver(tmp_path, monkeypatch):
    """By flag or variable, PowerfulSeal's own spelling among them; the journal has it for clean-up."""
    groups = "azure?AZURE_NODE_RESOURCE_GROUP_NAME=mc&AZURE_RESOURCE_GROUP_NAME=rg"
    flags = ("--azure-resource-group-name", "rg", "--azure-node-resource-group-name", "mc")
    assert made_of("--azure", *flags)["machines"].driver == groups
    misspelt = {"AZURE_RESORUCE_GROUP_NAME": "rg", "AZURE_NODE_RESORUCE_GROUP_NAME": "mc"}
    assert made_of("--azure", **misspelt)["machines"].driver == groups
    monkeypatch.chdir(tmp_path)
    _, settings = read_choice(made_of("--gcp", "--gcp-config-file", "config.json")["machines"].driver)
    assert settings == {"GCP_CONFIG_FILE": str(tmp_path / "config.json")}
    assert made_of("--gcp", *flags)["machines"].driver == "gcp"


def test_regions_go_with_aws():
    """By flag or variable, in the one text that the journal keeps of the cloud; without AWS they mean nothing."""
    assert (
        made_of("--aws", "--aws-region", "eu-west-1,us-east-1")["machines"].driver
        == "aws?AWS_REGIONS=eu-west-1%2Cus-east-1"
    )
    assert made_of("--aws", AWS_REGIONS="eu-west-1")["machines"].driver == "aws?AWS_REGIONS=eu-west-1"
    assert made_of("--gcp", "--aws-region", "eu-west-1")["machines"].driver == "gcp"


@pytest.mark.parametrize("variable", sorted(VARIABLES - {"POLICY_FILE", "CONFIG"}))
def test_every_variable_is_understood(variable, hosts):
    """Nothing that PowerfulSeal reads from the environment is an error here."""
    values = {"INVENTORY_FILE": hosts, "PORT": "8000"}
    assert isinstance(made_of(**{variable: values.get(variable, "1")}), dict)


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("STDOUT_COLLECTOR", "stdout_collector"),
        ("PROMETHEUS_COLLECTOR", "prometheus_collector"),
        ("DATADOG_COLLECTOR", "datadog_collector"),
    ],
)
def test_collectors_are_asked_for_by_variables_too(variable, field):
    """`false` is no: PowerfulSeal took it for a yes."""
    assert getattr(made_of(**{variable: "1"})["metrics"], field) is True
    assert made_of(**{variable: "false"})["metrics"] == MetricsChoice()


def test_metrics_are_served_to_this_machine_only_by_default():
    """At port 9000, as in PowerfulSeal, but not to everybody."""
    assert made_of("--prometheus-collector")["metrics"] == MetricsChoice(
        prometheus_collector=True, prometheus_host="127.0.0.1", prometheus_port=9000
    )


def test_the_inventory_is_a_file_or_the_cluster(hosts):
    """By flag or variable; --inventory-kubernetes wins over the variable, and contradicts the flag."""
    groups = {"workers": ("10.0.0.7",)}
    assert made_of()["machines"] == MachineChoice()
    assert made_of("-i", hosts)["machines"].inventory == groups
    assert made_of(INVENTORY_FILE=hosts)["machines"].inventory == groups
    assert made_of("--inventory-kubernetes", INVENTORY_FILE=hosts)["machines"].inventory is None
    assert "goes without --inventory-file" in made_of("--inventory-kubernetes", "-i", hosts)


def test_the_inventory_may_come_from_the_cloud(hosts):
    """Beside the cluster's nodes; a file says which of both, and --inventory-kubernetes contradicts it."""
    assert made_of("--inventory-cloud")["machines"] == MachineChoice(inventory_cloud=True)
    both = made_of("--inventory-cloud", "-i", hosts)["machines"]
    assert (both.inventory_cloud, both.inventory) == (True, {"workers": ("10.0.0.7",)})
    assert "goes without --inventory-cloud" in made_of("--inventory-kubernetes", "--inventory-cloud")


def test_commands_go_the_way_that_is_asked_for():
    """SSH where somebody says so, else what the cluster offers."""
    assert made_of("--execution-mode", "ssh")["machines"].executor == "ssh"
    assert made_of("--execution-mode", "ssh", "--remote-user", "core")["machines"].executor == "ssh?PS_REMOTE_USER=core"
    assert made_of("--execution-mode", "kubernetes")["machines"].executor is None


@pytest.mark.parametrize(
    ("arguments", "variables", "warning"),
    [
        ([], {}, ""),
        (["--headless"], {}, ""),
        (["--headless", "--port", "1"], {}, ""),
        ([], {"HOST": "0.0.0.0", "PORT": "80"}, ""),
        (["--port", "1"], {}, "there is no web page yet: --port does nothing"),
        (["--host", "h", "--port", "1"], {}, "there is no web page yet: --host and --port do nothing"),
    ],
)
def test_who_asks_for_a_web_page_is_told_that_there_is_none(arguments, variables, warning):
    """Only who asks on the command line: variables of these names mean much elsewhere."""
    assert made_of(*arguments, **variables)["web"] == warning


def over_ssh(*arguments, **variables):
    return made_of("--execution-mode", "ssh", *arguments, **variables)


def test_flags_of_ssh_say_what_variables_say(tmp_path, monkeypatch):
    """Under the variables' names, in the text that the journal keeps; files by where they are, from wherever."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").touch()
    flags = over_ssh(
        "--remote-user", "core", "--ssh-path-to-private-key", "key", "--ssh-port", "2222", "--use-private-ip",
        "--ssh-jump-host", "ops@bastion", "--ssh-allow-missing-host-keys", "--override-ssh-host", "10.0.0.1",
        "--ssh-known-hosts", "key",
    )["machines"]  # fmt: skip
    expected = {
        "PS_REMOTE_USER": "core",
        "PS_PRIVATE_KEY": str(tmp_path / "key"),
        "SEATRIAL_SSH_PORT": "2222",
        "SEATRIAL_SSH_USE_PRIVATE_IP": "1",
        "SEATRIAL_SSH_JUMP_HOST": "ops@bastion",
        "SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS": "1",
        "SEATRIAL_SSH_OVERRIDE_HOST": "10.0.0.1",
        "SEATRIAL_SSH_KNOWN_HOSTS": str(tmp_path / "key"),
    }
    assert read_choice(flags.executor) == ("ssh", expected)
    assert over_ssh(**expected)["machines"].executor == flags.executor


def test_a_password_is_in_no_journal():
    """Nor is it shown; a key that a flag names wins over the variable, and one of them is enough."""
    machines = over_ssh("--ssh-password", "hunter2")["machines"]
    assert machines.secrets == {"PS_SSH_PASSWORD": "hunter2"}
    assert "hunter2" not in repr(machines)
    assert over_ssh(PS_SSH_PASSWORD="hunter2")["machines"].secrets == {"PS_SSH_PASSWORD": "hunter2"}
    with_key = over_ssh("--ssh-path-to-private-key", __file__, PS_SSH_PASSWORD="hunter2")["machines"]
    assert with_key.secrets == {"PS_SSH_PASSWORD": ""}
    assert "can be one of" in over_ssh("--ssh-path-to-private-key", __file__, "--ssh-password", "hunter2")
    assert made_of("--ssh-password", "hunter2")["machines"].secrets == {}


def test_pods_are_killed_over_ssh_where_that_is_the_way():
    """As PowerfulSeal did: by a command of one's own, or by deleting them all the same."""
    assert made_of()["machines"].kill_command is None
    assert over_ssh()["machines"].kill_command == ""
    command = "podman kill -s {signal} {container_id}"
    assert over_ssh("--ssh-kill-command", command)["machines"].kill_command == command
    assert over_ssh(PS_SSH_KILL_COMMAND=command)["machines"].kill_command == command
    assert over_ssh("--use-pod-delete-instead-of-ssh-kill")["machines"].kill_command is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ssh-kill-command", "docker kill"], "can't be filled in"),
        (["--ssh-jump-host", "a,b"], "is no jump host"),
        (["--ssh-path-to-private-key", "/nowhere"], "there is no file /nowhere"),
    ],
)
def test_what_ssh_can_not_mean_is_said_at_once(arguments, said):
    """Before anything begins; without SSH it doesn't matter."""
    with pytest.raises(UsageError, match=said):
        over_ssh(*arguments)
    assert made_of(*arguments)["machines"].executor is None


def test_every_command_of_powerfulseal_is_there():
    """Under the same names."""
    assert {"autonomous", "interactive", "label", "validate"} <= set(seatrial.list_commands(click.Context(seatrial)))
