"""What a cluster is known by from run to run: addresses and contexts change, and several lead to one cluster."""

import asyncio

import msgspec

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.objects import ObjectMeta
from seatrial.kube.resources import NAMESPACES


class ClusterIdentity(msgspec.Struct, frozen=True):
    """A cluster's id, and the version of its API server; empty where that isn't told."""

    id: str
    version: str


class _Namespace(msgspec.Struct, frozen=True):
    metadata: ObjectMeta


async def identity_of(cluster: Client, *, disposable: bool = False) -> ClusterIdentity:
    """The UID of the namespace `kube-system`, which lives as long as the cluster.

    Where that can't be read, the address of the API server; `sandbox` for a disposable one, since what is measured on
    embedded clusters of the same make belongs together.
    """
    id_, version = await asyncio.gather(_id(cluster, disposable=disposable), _version(cluster))
    return ClusterIdentity(id_, version)


async def _id(cluster: Client, *, disposable: bool) -> str:
    if disposable:
        return "sandbox"
    try:
        return (await cluster.get(NAMESPACES, "kube-system", type=_Namespace)).metadata.uid
    except ClusterError:
        return cluster.server


async def _version(cluster: Client) -> str:
    try:
        return await cluster.version()
    except ClusterError:
        return ""
