"""Amazon over HTTP: moto's server, and before it a proxy that sees each request and can answer in its place."""

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import aiohttp
import boto3
import botocore.session
from aiohttp import web

from tests.fakes.gate import Gate

SECRET = "hushed-key-of-amazon"
ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>
<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"""

_DESCRIPTIONS = botocore.session.get_session().get_component("data_loader")


def new_session():
    """A session of boto3; the services' descriptions, most of what it takes to make a client, are read once."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _DESCRIPTIONS)
    return boto3.Session(botocore_session=session)


@dataclass
class Request:
    """What the driver sent; `key` is the access key that signed it."""

    action: str
    arguments: dict
    region: str
    key: str


@dataclass
class Amazon:
    """The proxy: `requests` has what came, in order."""

    url: str
    moto: str
    http: aiohttp.ClientSession
    requests: list = field(default_factory=list)
    refusals: dict = field(default_factory=dict)
    rewritings: dict = field(default_factory=dict)
    refused_changes: int = 0
    disguises: list = field(default_factory=list)
    gate: Gate = field(default_factory=Gate)

    @classmethod
    @asynccontextmanager
    async def running(cls, moto):
        """Before moto's server at that address, which is emptied after."""
        async with aiohttp.ClientSession() as http:
            there = cls(url="", moto=moto, http=http)
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", there.handle)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            there.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield there
            finally:
                await runner.cleanup()
                async with http.post(f"{moto}/moto-api/reset", raise_for_status=True):
                    pass

    def variables(self, directory):
        """The environment in which boto3 is led to it, and to nothing else."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIDTEST",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_CONFIG_FILE": str(directory / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGIONS": "eu-west-1",
        }

    async def add(self, name):
        """Its id, in eu-west-1."""
        tags = {"TagSpecification.1.ResourceType": "instance", "TagSpecification.1.Tag.1.Key": "Name"}
        asked = {"Action": "RunInstances", "Version": "2016-11-15", "ImageId": "ami-12c6146b", "MinCount": "1"}
        data = {**asked, **tags, "MaxCount": "1", "TagSpecification.1.Tag.1.Value": name}
        headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/eu-west-1/ec2/aws4_request"}
        async with self.http.post(self.moto, data=data, headers=headers, raise_for_status=True) as answer:
            return re.search(r"<instanceId>(i-[0-9a-f]+)<", await answer.text())[1]

    def never_end(self):
        """What is stopped seems to be stopping for ever."""
        self.disguises = [("<name>stopped</name>", "<name>stopping</name>")]

    def go_on(self):
        """It is seen to be stopped after all."""
        self.disguises = []

    def allow(self):
        self.refusals.clear()

    def forbid(self, verb):
        self.refuse(f"{verb.capitalize()}Instances", "UnauthorizedOperation", status=403, times=1000)

    def secrets(self):
        return [SECRET]

    def restarts(self, _id):
        return len(self.sent("RebootInstances")) - self.refused_changes

    def actions(self):
        return [each.action for each in self.requests]

    def sent(self, action):
        return [each for each in self.requests if each.action == action]

    def refuse(self, action, code, message="because", *, status=400, times=1):
        """Answer the next requests of that kind with an error, in the form of the EC2 API's reference."""
        answer = (status, ERROR.format(code=code, message=message))
        self.refusals.setdefault(action, []).extend([answer] * times)

    def rewrite(self, action, *changes):
        """Change the text of the next answers: one (old, new) for each."""
        self.rewritings.setdefault(action, []).extend(changes)

    async def handle(self, request):
        body = await request.read()
        form = {key: value[0] for key, value in parse_qs(body.decode()).items()}
        signed = request.headers["Authorization"].partition("Credential=")[2].split("/")
        action = form.get("Action", "")
        self.requests.append(Request(action=action, arguments=form, region=signed[2], key=signed[0]))
        is_change = not action.startswith("Describe")
        if refusal := await self.gate.passed(is_change=is_change):
            self.refused_changes += is_change
            return refusal
        if self.refusals.get(action):
            status, text = self.refusals[action].pop(0)
            return web.Response(status=status, text=text, content_type="text/xml")
        async with self.http.post(f"{self.moto}{request.path}", data=body, headers=request.headers) as answer:
            text = await answer.text()
            if self.rewritings.get(action):
                text = text.replace(*self.rewritings[action].pop(0))
            for disguise in self.disguises if action == "DescribeInstances" else ():
                text = text.replace(*disguise)
            return web.Response(status=answer.status, text=text, content_type="text/xml")
