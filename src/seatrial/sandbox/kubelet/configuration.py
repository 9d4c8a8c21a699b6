"""ConfigMaps, Secrets and service account tokens, read from the API server when a pod needs them."""

from typing import Final

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.kubelet.environment import ConfigurationMissingError

DEFAULT_TOKEN_SECONDS: Final = 3600
_NOT_FOUND: Final = 404


class ClusterConfiguration:
    """`environment.Configuration` from the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def config_map(self, namespace: str, name: str) -> Object:
        """Read a ConfigMap."""
        return await self._read("configmaps", "configmap", namespace, name)

    async def secret(self, namespace: str, name: str) -> Object:
        """Read a Secret."""
        return await self._read("secrets", "secret", namespace, name)

    async def claim_directory(self, namespace: str, name: str) -> str:
        """The directory of the volume that a PersistentVolumeClaim is bound to."""
        claim = await self._read("persistentvolumeclaims", "persistentvolumeclaim", namespace, name)
        volume_name = claim["spec"].get("volumeName")
        if not volume_name or (claim.get("status") or {}).get("phase") != "Bound":
            raise ConfigurationMissingError(f'persistentvolumeclaim "{name}" is not bound')
        volume = (await self._read("persistentvolumes", "persistentvolume", None, volume_name))["spec"]
        path = (volume.get("hostPath") or volume.get("local") or {}).get("path")
        if not path:
            raise ConfigurationMissingError(f'persistentvolume "{volume_name}" is not a directory of the sandbox')
        return str(path)

    async def token(self, pod: Object, projection: Object) -> str:
        """A token of the pod's service account, bound to the pod (TokenRequest)."""
        metadata = pod["metadata"]
        request = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": pod["spec"].get("serviceAccountName", "default"), "namespace": metadata["namespace"]},
            "spec": {
                "audiences": [projection["audience"]] if projection.get("audience") else [],
                "expirationSeconds": projection.get("expirationSeconds", DEFAULT_TOKEN_SECONDS),
                "boundObjectRef": {
                    "kind": "Pod",
                    "apiVersion": "v1",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                },
            },
        }
        try:
            answer = await self._api.create("serviceaccounts/token", request, metadata["namespace"])
        except ApiError as error:
            raise ConfigurationMissingError(f"failed to fetch token: {error}") from error
        return str(answer["status"]["token"])

    async def _read(self, resource: str, kind: str, namespace: str | None, name: str) -> Object:
        try:
            return await self._api.get(resource, name, namespace)
        except ApiError as error:
            if error.code == _NOT_FOUND:
                raise ConfigurationMissingError(f'{kind} "{name}" not found') from error
            raise ConfigurationMissingError(f"failed to read {kind} {namespace or ''}/{name}: {error}") from error
