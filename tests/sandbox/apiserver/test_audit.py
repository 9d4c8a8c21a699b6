"""The audit log: what a line says, what it keeps to itself, and that requests don't depend on it."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from seatrial.sandbox.apiserver.audit import Level
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.pki import Authority

TOKEN = "administrator"
SECRETS = "/api/v1/namespaces/default/secrets"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@asynccontextmanager
async def audited(authority: Authority, path: Path, level: Level = "Metadata") -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a server that audits; the log is complete when the block is left."""
    config = ApiServerConfig(
        "127.0.0.1", 0, authority.directory, "127.3.128.0/17", TOKEN, audit_log=path, audit_level=level
    )
    server = ApiServer(config, authority)
    await server.start()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority.ca_file)))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
            yield session
    finally:
        await server.stop()


def lines(path: Path) -> list[Any]:
    """The events of a log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_line_says_who_did_what_with_what_result(authority: Authority, tmp_path: Path) -> None:
    """User, verb, object, code, decision, and both times, but no bodies."""
    path = tmp_path / "audit.jsonl"
    async with audited(authority, path) as session:
        async with session.post(CONFIG_MAPS, json={"metadata": {"name": "c"}}) as answer:
            assert answer.status == 201
        async with session.get(f"{CONFIG_MAPS}/missing", headers={"Impersonate-User": "jane"}) as answer:
            assert answer.status == 403
    created, refused = lines(path)
    assert (created["kind"], created["apiVersion"], created["stage"]) == (
        "Event",
        "audit.k8s.io/v1",
        "ResponseComplete",
    )
    assert (created["level"], created["verb"], created["user"]["username"]) == (
        "Metadata",
        "create",
        "kubernetes-admin",
    )
    assert created["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert created["responseStatus"] == {"metadata": {}, "code": 201}
    assert created["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert "requestObject" not in created
    assert created["requestReceivedTimestamp"] <= created["stageTimestamp"]
    assert refused["impersonatedUser"]["username"] == "jane"
    assert (refused["responseStatus"]["code"], refused["responseStatus"]["reason"]) == (403, "Forbidden")
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"


@pytest.mark.parametrize("level", ["Request", "RequestResponse"])
async def test_higher_levels_tell_bodies(authority: Authority, tmp_path: Path, level: Level) -> None:
    """What was sent, and at the highest level what was answered; of secrets neither."""
    path = tmp_path / "audit.jsonl"
    async with audited(authority, path, level) as session:
        for where in (CONFIG_MAPS, SECRETS):
            async with session.post(where, json={"metadata": {"name": "x"}}) as answer:
                assert answer.status == 201
    shown, hidden = lines(path)
    assert shown["requestObject"] == {"metadata": {"name": "x"}}
    assert ("responseObject" in shown) == (level == "RequestResponse")
    assert hidden["level"] == "Metadata"
    assert not {"requestObject", "responseObject"} & hidden.keys()


async def test_a_watch_is_told_when_it_ends(authority: Authority, tmp_path: Path) -> None:
    """Also when its client just goes away."""
    path = tmp_path / "audit.jsonl"
    async with audited(authority, path) as session:
        answer = await session.get(CONFIG_MAPS, params={"watch": "1"})
        assert answer.status == 200
        answer.close()
    assert [(event["verb"], event["responseStatus"]["code"]) for event in lines(path)] == [("watch", 200)]


async def test_a_full_disk_costs_lines_not_requests(authority: Authority) -> None:
    """Requests are served as ever; that lines are missing is said once."""
    path = Path("/dev/full")
    with capture_logs() as said:
        async with audited(authority, path) as session:
            for _ in range(3):
                answer = await session.get(CONFIG_MAPS)
                assert answer.status == 200
    assert len([entry for entry in said if "audit log incomplete" in entry["event"]]) == 1
