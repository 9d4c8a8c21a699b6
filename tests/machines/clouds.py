"""The four clouds, each as a fake that is asked over HTTP, with what sets them apart in tests of all drivers."""

import inspect
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType

from aiohttp import web

from seatrial.machines import aws, azure, gcp, openstack
from tests.fakes.azure import SUBSCRIPTION, Azure
from tests.fakes.google_cloud import GoogleCloud
from tests.fakes.openstack import FakeOpenStack
from tests.machines.aws_server import ERROR, Amazon


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """`provider` stands before an id in a node's provider id; `unknown` is the id of no machine.

    `throttled` and `broken` make answers: come again, and something failed inside. `flag` says what a variable of the
    fake says, else.
    """

    module: ModuleType
    fake: type
    provider: str
    unknown: str
    throttled: object
    broken: object
    flag: tuple
    variables: tuple = ()


def _amazon(status, code):
    return lambda: web.Response(status=status, text=ERROR.format(code=code, message=""), content_type="text/xml")


def _json(status, body):
    return lambda: web.json_response(body, status=status)


CLOUDS = {
    "aws": Cloud(
        module=aws, fake=Amazon, provider="aws:///eu-west-1a/", unknown="i-00000000000000000",
        throttled=_amazon(503, "RequestLimitExceeded"), broken=_amazon(500, "InternalError"),
        flag=("--aws-region", "AWS_REGIONS"),
        variables=("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"),
    ),
    "azure": Cloud(
        module=azure, fake=Azure, provider="azure://",
        unknown=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/mc_shop/providers/Microsoft.Compute/virtualMachines/none",
        flag=("--azure-node-resource-group-name", "AZURE_NODE_RESOURCE_GROUP_NAME"),
        throttled=_json(429, {"error": {"code": "TooManyRequests", "message": "slow down"}}),
        broken=_json(503, {"error": {"code": "ServerError", "message": "oops"}}),
    ),
    "gcp": Cloud(
        module=gcp, fake=GoogleCloud, provider="gce://", unknown="shop/eu-1-b/none",
        flag=("--gcp-config-file", "GCP_CONFIG_FILE"),
        throttled=_json(429, {"error": {"message": "slow down"}}), broken=_json(503, {"error": {"message": "oops"}}),
    ),
    "openstack": Cloud(
        module=openstack, fake=FakeOpenStack, provider="openstack:///", unknown="99999999-0000-4000-8000-000000000000",
        throttled=_json(429, {"overLimit": {"message": "slow down"}}),
        broken=_json(503, {"computeFault": {"message": "oops"}}),
        flag=("--openstack-cloud-name", "OPENSTACK_CLOUD_NAME"),
        variables=("OS_CLOUD",),
    ),
}  # fmt: skip


@asynccontextmanager
async def running(name, directory, *, request, environ):
    """A fake at work, and the environment that leads to it; `request` gets the server behind Amazon."""
    cloud = CLOUDS[name]
    made = (
        cloud.fake.running(request.getfixturevalue("moto_server")) if name == "aws" else cloud.fake().running(directory)
    )
    async with made as fake:
        for variable in cloud.variables:
            environ.delenv(variable, raising=False)
        for variable, value in fake.variables(directory).items():
            environ.setenv(variable, value)
        yield fake


async def add(fake, name):
    """A machine that runs; its id."""
    made = fake.add(name)
    return await made if inspect.isawaitable(made) else made
