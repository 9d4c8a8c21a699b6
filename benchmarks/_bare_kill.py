"""The peer of `choose_and_kill`: choose pods by label and force-kill them, with aiohttp and nothing else.

It reads metadata only, as the tool does, and has 50 deletions in flight. Arguments: access as JSON, selector, number.
"""

import asyncio
import base64
import json
import random
import ssl
import sys

import aiohttp

_PAGE = 500
_IN_FLIGHT = 50


async def main(access: dict[str, str], selector: str, number: int) -> None:
    tls = ssl.create_default_context(cadata=base64.b64decode(access["ca"]).decode())
    headers = {"Authorization": f"Bearer {access['token']}"}
    connector = aiohttp.TCPConnector(ssl=tls, limit=_IN_FLIGHT)
    async with aiohttp.ClientSession(access["server"], connector=connector, headers=headers) as session:
        found, token = [], ""
        while True:
            query = {"labelSelector": selector, "limit": str(_PAGE), **({"continue": token} if token else {})}
            accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
            async with session.get("/api/v1/namespaces/default/pods", params=query, headers=accept) as answer:
                page = json.loads(await answer.read())
            found += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                break
        victims = random.sample(found, number)
        permits = asyncio.Semaphore(_IN_FLIGHT)
        await asyncio.gather(*(kill(session, permits, pod["metadata"]) for pod in victims))


async def kill(session: aiohttp.ClientSession, permits: asyncio.Semaphore, meta: dict[str, str]) -> None:
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
    async with permits, session.delete(f"/api/v1/namespaces/default/pods/{meta['name']}", json=options) as answer:
        await answer.read()
        assert answer.status == 200


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
