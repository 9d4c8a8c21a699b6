"""What it costs to list 5,000 pods: our client against bare aiohttp and msgspec reading the same bytes.

A child process serves pods of 8 kB in pages of 500 over plain HTTP, as fast as it can, from bytes made beforehand.
Children of the same kind then list them, in turns: one with `seatrial.kube`, one with a dozen lines of aiohttp
and msgspec. CPU seconds and peak memory are those of these children. Run with `python -m benchmarks.list_pods`.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import msgspec

from benchmarks._server import serve_until_input_ends

PODS = 5_000
PAGE = 500
BYTES_PER_POD = 8_000
CPU_LIMIT = 2.0
MEMORY_LIMIT_MB = 150


def realistic_pod(number: int) -> dict[str, Any]:
    """A pod as a real API server sends it: managed fields, volumes, probes, statuses, 8 kB in all."""
    name = f"web-{number // 50:03d}-5d8c7b9f4-{number:05d}"
    when = "2026-01-02T03:04:05Z"
    uid = f"00000000-0000-4000-8000-{number:012d}"
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 5, "timeoutSeconds": 1}
    container = {
        "name": "web",
        "image": "registry.example.com/team/web:1.2.3",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{index}", "value": "some value of a usual length"} for index in range(12)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/token"}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "imagePullPolicy": "IfNotPresent",
    }
    condition_types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": when} for kind in condition_types
    ]
    status = {
        "name": "web", "ready": True, "started": True, "restartCount": 0, "image": container["image"],
        "imageID": f"{container['image']}@sha256:{'a' * 64}", "containerID": f"containerd://{'b' * 64}",
        "state": {"running": {"startedAt": when}}, "lastState": {},
    }  # fmt: skip
    pod = {
        "metadata": {
            "name": name,
            "generateName": f"{name[:-5]}",
            "namespace": f"team-{number % 20}",
            "uid": uid,
            "resourceVersion": str(100_000 + number),
            "creationTimestamp": when,
            "labels": {"app": "web", "tier": "front", "pod-template-hash": "5d8c7b9f4"},
            "annotations": {"example.com/checksum": "c" * 64},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name[:-6], "uid": uid, "controller": True}
            ],
            "managedFields": [],
        },
        "spec": {
            "nodeName": f"node-{number % 100}",
            "containers": [container],
            "volumes": [{"name": "token", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300}],
        },
        "status": {
            "phase": "Running", "conditions": conditions, "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}],
            "hostIP": "10.0.0.1", "startTime": when, "qosClass": "Burstable", "containerStatuses": [status],
        },
    }  # fmt: skip
    return _filled(pod)


def _filled(pod: dict[str, Any]) -> dict[str, Any]:
    """The same pod with as many managed fields as bring it to its size."""
    entry = {
        "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:containers": {}}},
    }  # fmt: skip
    missing = BYTES_PER_POD - len(json.dumps(pod, separators=(",", ":")))
    size = len(json.dumps(entry, separators=(",", ":"))) + 1
    pod["metadata"]["managedFields"] = [entry] * max(0, round(missing / size))
    return pod


async def serve() -> None:
    """The server's child: prints its port, then answers until its input ends."""
    from aiohttp import web  # noqa: PLC0415 -- each child loads what it needs, and no more

    starts = range(0, PODS, PAGE)
    pages = {str(start) if start else "": _page(start) for start in starts}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=pages[request.query.get("continue", "")], content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/v1/pods", answer)
    await serve_until_input_ends(app)


def _page(start: int) -> bytes:
    following = start + PAGE
    meta = {"resourceVersion": "200000", "continue": str(following) if following < PODS else ""}
    items = [realistic_pod(number) for number in range(start, start + PAGE)]
    return msgspec.json.encode({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})


async def list_with_seatrial(url: str) -> int:
    """Our client, as anybody would call it."""
    from seatrial.kube.auth import ClusterCredentials, FixedLogin  # noqa: PLC0415 -- see `serve`
    from seatrial.kube.client import Client  # noqa: PLC0415
    from seatrial.kube.kubeconfig import Cluster, User  # noqa: PLC0415
    from seatrial.kube.objects import Pod  # noqa: PLC0415
    from seatrial.kube.resources import PODS as RESOURCE  # noqa: PLC0415
    from seatrial.kube.transport import Transport  # noqa: PLC0415

    credentials = ClusterCredentials(Cluster(server=url), User(), FixedLogin("Bearer x"))
    async with Client(Transport(url, credentials)) as client:
        found = await client.list(RESOURCE, type=Pod, page_size=PAGE)
    return len(found.items)


async def list_bare(url: str) -> int:
    """The least there is to do: aiohttp, and msgspec with structures of the few fields that are read."""
    import aiohttp  # noqa: PLC0415 -- see `serve`

    from seatrial.kube.objects import Pod  # noqa: PLC0415

    class Meta(msgspec.Struct):
        continue_: str = msgspec.field(name="continue", default="")

    class Page(msgspec.Struct):
        metadata: Meta
        items: list[Pod]

    decoder = msgspec.json.Decoder(Page)
    pods: list[Pod] = []
    async with aiohttp.ClientSession() as session:
        token = ""
        while True:
            params = {"limit": str(PAGE), "continue": token}
            async with session.get(f"{url}/api/v1/pods", params=params) as response:
                page = decoder.decode(await response.read())
            pods += page.items
            token = page.metadata.continue_
            if not token:
                return len(pods)


CLIENTS = {"seatrial": list_with_seatrial, "bare": list_bare}


def measure(name: str, url: str) -> None:
    """A client's child: prints CPU seconds of the list (imports not counted) and the peak memory of all."""
    list_all = CLIENTS[name]

    async def run() -> tuple[float, float]:
        import aiohttp  # noqa: F401, PLC0415 -- loading is not listing

        import seatrial.kube.client  # noqa: F401, PLC0415

        cpu, wall = time.process_time(), time.perf_counter()
        assert await list_all(url) == PODS
        return time.process_time() - cpu, time.perf_counter() - wall

    cpu, wall = asyncio.run(run())
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    print(json.dumps({"cpu": cpu, "wall": wall, "peak_mb": peak_kb / 1024}))


def _child(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.list_pods", *arguments]


def compare(rounds: int) -> bool:
    """Run all children in turns and print the table; whether we are within the limits."""
    with subprocess.Popen(_child("serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        results: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
        for _ in range(rounds):
            for name, found in results.items():
                output = subprocess.run(_child("measure", name, url), check=True, capture_output=True, text=True).stdout
                found.append(json.loads(output))
        server.communicate()
    medians = {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]} for name, found in results.items()
    }
    print(f"list of {PODS} pods of {BYTES_PER_POD // 1000} kB, pages of {PAGE}, median of {rounds} runs each")
    print(f"{'':12}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
    for name, found in medians.items():
        print(f"{name:12}{found['cpu']:8.3f}{found['wall']:8.3f}{found['peak_mb']:9.0f}")
    ratio, peak = medians["seatrial"]["cpu"] / medians["bare"]["cpu"], medians["seatrial"]["peak_mb"]
    print(f"CPU ratio {ratio:.2f} (limit {CPU_LIMIT:g}), peak memory {peak:.0f} MB (limit {MEMORY_LIMIT_MB})")
    return ratio <= CPU_LIMIT and peak < MEMORY_LIMIT_MB


def main() -> None:
    """The command line: compare, or be one of the children."""
    parser = argparse.ArgumentParser(description="What it costs to list 5,000 pods.")
    parser.add_argument("role", nargs="?", default="compare", choices=["compare", "serve", "measure"])
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if given.role == "serve":
        asyncio.run(serve())
    elif given.role == "measure":
        measure(*given.arguments)
    else:
        sys.exit(0 if compare(given.rounds) else 1)


if __name__ == "__main__":
    main()
