"""lightkube, and its generic resources for custom ones."""

from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apiextensions_v1 import CustomResourceDefinitionSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import PatchType

from tests.conformance.clients.checks import BOATS, DEPLOYMENT, NAMESPACE, POD, Checks, kubeconfig

check = Checks()


@check
def create(client: Any) -> None:
    """Objects are created and waited for."""
    client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    client.create(Deployment.from_dict(DEPLOYMENT))
    client.create(Pod.from_dict(POD))
    client.wait(Deployment, "web", for_conditions=["Available"], namespace=NAMESPACE)
    client.wait(Pod, "talk", for_conditions=["Ready"], namespace=NAMESPACE)


@check
def lists(client: Any) -> None:
    """Selectors, paging."""
    assert len(list(client.list(Pod, namespace=NAMESPACE, labels={"app": "web"}))) == 2
    assert len(list(client.list(Pod, namespace=NAMESPACE, chunk_size=1))) == 3


@check
def patches(client: Any) -> None:
    """Every patch type, and apply with a field manager."""
    for kind, patch in (
        (PatchType.STRATEGIC, {"metadata": {"labels": {"a": "1"}}}),
        (PatchType.MERGE, {"metadata": {"labels": {"b": "2"}}}),
        (PatchType.JSON, [{"op": "add", "path": "/metadata/labels/c", "value": "3"}]),
    ):
        client.patch(Deployment, "web", patch, namespace=NAMESPACE, patch_type=kind)
    labels = client.get(Deployment, "web", namespace=NAMESPACE).metadata.labels
    assert labels == {"app": "web", "a": "1", "b": "2", "c": "3"}
    applied = client.apply(
        ConfigMap(metadata=ObjectMeta(name="cm", namespace=NAMESPACE), data={"k": "v"}), field_manager="clients"
    )
    assert applied.metadata.managedFields[0].manager == "clients"


@check
def scale(client: Any) -> None:
    """The scale subresource."""
    obj = Deployment.Scale(metadata=ObjectMeta(name="web", namespace=NAMESPACE), spec={"replicas": 1})
    assert client.replace(obj, "web").spec.replicas == 1


@check
def logs(client: Any) -> None:
    """A pod's log."""
    assert list(client.log("talk", namespace=NAMESPACE)) == ["one\n", "two\n"]


@check
def watching(client: Any) -> None:
    """A watch lists first, then follows."""
    for kind, obj in client.watch(ConfigMap, namespace=NAMESPACE, server_timeout=20):
        if obj.metadata.name == "cm":
            assert kind == "ADDED"
            return
    raise AssertionError("not seen")


@check
def custom(client: Any) -> None:
    """A custom resource without a model."""
    spec = CustomResourceDefinitionSpec.from_dict(BOATS["spec"])
    client.create(CustomResourceDefinition(metadata=ObjectMeta(name=BOATS["metadata"]["name"]), spec=spec))
    client.wait(CustomResourceDefinition, BOATS["metadata"]["name"], for_conditions=["Established"])
    boat = create_namespaced_resource("clients.example.com", "v1", "Boat", "boats")
    client.create(boat(metadata=ObjectMeta(name="nina", namespace=NAMESPACE), spec={"length": 9}))
    assert client.get(boat, "nina", namespace=NAMESPACE).spec == {"length": 9}
    client.delete(CustomResourceDefinition, BOATS["metadata"]["name"])


@check
def missing(client: Any) -> None:
    """What isn't there is 404."""
    with pytest.raises(ApiError) as caught:
        client.get(Pod, "nosuch", namespace=NAMESPACE)
    assert caught.value.status.code == 404


@check
def delete(client: Any) -> None:
    """A namespace is deleted with everything in it."""
    client.delete(Namespace, NAMESPACE)
    for kind, obj in client.watch(Namespace, server_timeout=30):
        if kind == "DELETED" and obj.metadata.name == NAMESPACE:
            return
    raise AssertionError("still there")


if __name__ == "__main__":
    check.run(client=Client(KubeConfig.from_file(kubeconfig()).get(), trust_env=False))
