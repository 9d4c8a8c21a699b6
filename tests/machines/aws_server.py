"""Amazon over HTTP: moto's server, and before it a proxy that sees each request and can answer in its place."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>
<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"""


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
        if self.refusals.get(action):
            status, text = self.refusals[action].pop(0)
            return web.Response(status=status, text=text, content_type="text/xml")
        async with self.http.post(f"{self.moto}{request.path}", data=body, headers=request.headers) as answer:
            text = await answer.text()
            if self.rewritings.get(action):
                text = text.replace(*self.rewritings[action].pop(0))
            return web.Response(status=answer.status, text=text, content_type="text/xml")
