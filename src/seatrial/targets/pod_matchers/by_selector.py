"""Pods by their labels or fields."""

from typing import Annotated

from pydantic import AfterValidator, Field

from seatrial.kube.selectors import SelectorError, parse_field_selector, parse_label_selector
from seatrial.policy.base import Model, complain
from seatrial.targets.pod_matchers.reader import Matched, PodReader, in_words


def _as_label_selector(selector: str) -> str:
    if not selector.strip():
        raise complain("is empty, which selects nothing; to take all pods of a namespace use the 'namespace' matcher")
    try:
        parse_label_selector(selector)
    except SelectorError as error:
        raise complain(f"is no valid label selector: {error.message}") from None
    return selector


def _as_field_selector(selector: str) -> str:
    if not selector.strip():
        raise complain("is empty, which selects nothing; to take all pods of a namespace use the 'namespace' matcher")
    try:
        parse_field_selector(selector)
    except SelectorError as error:
        raise complain(f"is no valid field selector: {error.message}") from None
    return selector


LabelSelectorText = Annotated[str, AfterValidator(_as_label_selector), Field(json_schema_extra={"minLength": 1})]
FieldSelectorText = Annotated[str, AfterValidator(_as_field_selector), Field(json_schema_extra={"minLength": 1})]


class LabelsMatcher(Model):
    """The pods that a label selector selects."""

    selector: LabelSelectorText
    """A Kubernetes label selector: `app=web,tier!=cache`, `env in (staging, test)`, `!legacy`."""

    namespace: str
    """The namespace to look in; `*` or an empty string: all; a glob such as `team-*` matches whole names."""

    def __str__(self) -> str:
        return f"labels {self.selector} in {in_words(self.namespace)}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        return await reader.list_in(self.namespace, label_selector=self.selector)


class FieldMatcher(Model):
    """The pods that a field selector selects; the API server decides which fields there are."""

    selector: FieldSelectorText
    """A Kubernetes field selector: `status.phase=Pending`, `spec.nodeName=worker-1,status.phase!=Failed`."""

    namespace: str
    """The namespace to look in; `*` or an empty string: all; a glob such as `team-*` matches whole names."""

    def __str__(self) -> str:
        return f"field {self.selector} in {in_words(self.namespace)}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        return await reader.list_in(self.namespace, field_selector=self.selector)
