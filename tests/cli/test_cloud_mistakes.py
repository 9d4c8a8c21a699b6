"""What users of a cloud get wrong: each is said in a line with a hint, and never by a traceback."""

import asyncio
import json
import os
from dataclasses import dataclass, field

import pytest
from google.auth._cloud_sdk import CLOUD_SDK_CLIENT_ID

from seatrial.cli.main import run as run_command
from seatrial.kube.resources import NODES

# OpenStack's SDK warns of what its own later versions won't have.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore:.*:DeprecationWarning:openstack")

POLICY = """
scenarios:
- name: lose a node
  steps:
  - nodeAction:
      matches: [{property: {name: name, value: victim}}]
      actions: [{stop: {}}]
"""
PROVIDER_IDS = {
    "aws": "aws:///eu-west-1a/i-0123456789abcdef0",
    "gcp": "gce://shop/eu-1-b/vm-1",
    "azure": "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm-1",
    "openstack": "openstack:///11111111-0000-4000-8000-000000000000",
}
NOBODY = "https://127.0.0.1:1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "x"}
PRINCIPAL = {
    "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    "AZURE_TENANT_ID": "11111111-2222-3333-4444-555555555555",
    "AZURE_CLIENT_ID": "c",
    "AZURE_CLIENT_SECRET": "s",
}
WORKLOAD = {
    "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
    "AZURE_TENANT_ID": "11111111-2222-3333-4444-555555555555",
    "AZURE_CLIENT_ID": "c",
    "AZURE_FEDERATED_TOKEN_FILE": "nowhere-token",
}
KEY = {"GOOGLE_APPLICATION_CREDENTIALS": "key.json"}
USER = {
    "type": "authorized_user",
    "client_id": CLOUD_SDK_CLIENT_ID,
    "client_secret": "s",
    "refresh_token": "r",
    "token_uri": NOBODY,
}
SERVICE = {"type": "service_account", "client_email": "a@b", "private_key": "no key at all", "token_uri": NOBODY}
GARDEN = {"OS_CLOUD": "garden", "OS_CLIENT_CONFIG_FILE": "clouds.yaml"}
EXPIRED_LOGIN = """
[profile nightly]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = admin
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.example/start
"""


def garden(**more):
    """A clouds.yaml, which is JSON as well."""
    names = {"user_domain_name": "d", "project_domain_name": "d", "project_name": "p"}
    auth = {"auth_url": f"{NOBODY}/v3", "username": "u", "password": "p", **names}
    return json.dumps({"clouds": {"garden": {"auth": auth, **more}}})


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """Variables and files with something wrong, what is told of it, and what of the hint."""

    cloud: str
    variables: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    told: str
    hint: str


MISTAKES = {
    "no credentials": Mistake(cloud="aws", told="there are no AWS credentials", hint="set AWS_PROFILE"),
    "a profile that isn't there": Mistake(
        cloud="aws", variables={"AWS_PROFILE": "nowhere"}, told="config profile (nowhere) could not", hint="AWS_PROFILE"
    ),
    "an expired login": Mistake(
        cloud="aws", variables={"AWS_PROFILE": "nightly", "AWS_CONFIG_FILE": "config"}, files={"config": EXPIRED_LOGIN},
        told="no valid AWS credentials: Error loading SSO Token", hint="aws sso login",
    ),
    "a broken configuration": Mistake(
        cloud="aws", variables={"AWS_CONFIG_FILE": "config"}, files={"config": "profile nightly]"},
        told="Unable to parse config file: config", hint="aws sts get-caller-identity",
    ),
    "an endpoint without a scheme": Mistake(
        cloud="aws", variables={**KEYS, "AWS_ENDPOINT_URL": "localhost:4566"},
        told="Invalid endpoint: localhost:4566", hint="look at",
    ),
    "an endpoint where nobody is": Mistake(
        cloud="aws", variables={**KEYS, "AWS_ENDPOINT_URL": NOBODY},
        told="can't reach AWS in region eu-west-1", hint="the network and proxies",
    ),
    "nobody logged in": Mistake(cloud="gcp", told="no credentials for Google Cloud", hint="application-default login"),
    "a key file that isn't there": Mistake(
        cloud="gcp", variables=KEY, told="File key.json was not found", hint="application-default login"
    ),
    "a key file that is no JSON": Mistake(
        cloud="gcp", variables=KEY, files={"key.json": "{"}, told="not a valid json", hint="application-default login"
    ),
    "a key that is none": Mistake(
        cloud="gcp", variables=KEY, files={"key.json": json.dumps(SERVICE)},
        told="no credentials for Google Cloud", hint="application-default login",
    ),
    "a token's giver who isn't there": Mistake(
        cloud="gcp", variables=KEY, files={"key.json": json.dumps(USER)},
        told="Google Cloud gives no token", hint="application-default login",
    ),
    "authorities to trust that aren't there": Mistake(
        cloud="gcp", variables={**KEY, "REQUESTS_CA_BUNDLE": "nowhere.pem"}, files={"key.json": json.dumps(USER)},
        told="nowhere.pem", hint="application-default login",
    ),
    "nothing that is logged in": Mistake(
        cloud="azure", variables={"AZURE_TOKEN_CREDENTIALS": "dev"},
        told="nothing here is logged in to Azure", hint="az login",
    ),
    "variables that are incomplete": Mistake(
        cloud="azure", variables={"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "AZURE_CLIENT_ID": "c"},
        told="nothing here is logged in to Azure", hint="AZURE_CLIENT_SECRET",
    ),
    "a workload's token that isn't there": Mistake(
        cloud="azure", variables=WORKLOAD, told="nowhere-token", hint="az login"
    ),
    "an authority without TLS": Mistake(
        cloud="azure", variables={**PRINCIPAL, "AZURE_AUTHORITY_HOST": "http://127.0.0.1:1"},
        told="is an invalid authority", hint="AZURE_* variables",
    ),
    "an authority where nobody is": Mistake(
        cloud="azure", variables={**PRINCIPAL, "AZURE_AUTHORITY_HOST": NOBODY},
        told="Cannot connect to host 127.0.0.1:1", hint="az login",
    ),
    "a tenant that is none": Mistake(
        cloud="azure", variables={**PRINCIPAL, "AZURE_TENANT_ID": "no tenant"},
        told="Invalid tenant ID", hint="AZURE_* variables",
    ),
    "a certificate that isn't there": Mistake(
        cloud="azure", variables={**PRINCIPAL, "SSL_CERT_FILE": "nowhere.pem"},
        told="no file nowhere.pem", hint="certificate",
    ),
    "no cloud named": Mistake(cloud="openstack", told="no OpenStack cloud is configured", hint="clouds.yaml"),
    "a clouds.yaml that is none": Mistake(
        cloud="openstack", variables=GARDEN, files={"clouds.yaml": "clouds: 3"},
        told="no OpenStack cloud is configured", hint="clouds.yaml",
    ),
    "a cloud's certificate that isn't there": Mistake(
        cloud="openstack", variables=GARDEN, files={"clouds.yaml": garden(cacert="nowhere.pem")},
        told="nowhere.pem", hint="clouds.yaml",
    ),
    "an unknown way to log in": Mistake(
        cloud="openstack", variables=GARDEN, files={"clouds.yaml": garden(auth_type="telepathy")},
        told="plugin telepathy could not be found", hint="clouds.yaml",
    ),
    "a cloud where nobody is": Mistake(
        cloud="openstack", variables=GARDEN, files={"clouds.yaml": garden()},
        told="it can't be reached", hint="127.0.0.1:1",
    ),
}  # fmt: skip


@pytest.fixture
def _alone(monkeypatch, tmp_path):
    """Without any setting of whoever runs the tests, and without asking the machine that they run on."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "ARM_", "OS_", "GOOGLE_", "GCP_", "CLOUDSDK_", "SSL_", "REQUESTS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PATH", str(tmp_path))  # az, and whatever else may be logged in
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_a_mistake_is_said_in_a_line(control, tmp_path, monkeypatch, capsys, caplog, mistake):
    """The plan is refused (3) with what is wrong and what to do; the SDK adds nothing of its own."""
    for name, content in mistake.files.items():
        (tmp_path / name).write_text(content)
    for name, value in mistake.variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "p.yml").write_text(POLICY)
    body = {"metadata": {"name": "victim"}, "spec": {"providerID": PROVIDER_IDS[mistake.cloud]}}
    await control.cluster.create(NODES, body)
    arguments = ["plan", "p.yml", f"--{mistake.cloud}", "--kubeconfig", str(control.directory / "kubeconfig")]
    assert await asyncio.to_thread(run_command, arguments) == 3
    shown = capsys.readouterr()
    [line] = [each for each in shown.out.splitlines() if "REFUSED" in each]
    assert mistake.told in line
    assert mistake.hint in line.partition(mistake.told)[2]
    assert shown.err == ""
    assert [each.name for each in caplog.records if each.levelname in {"WARNING", "ERROR"}] == []
