"""Models that are loaded when a policy has something for them, or when somebody asks what the language is.

Most policies use few of the steps, matchers and actions that there are, and making all of their models takes longer
than a small experiment. A `OneKey` therefore names those it may hold: `Annotated[Any, LateModel(...)]`.
"""

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class LateModel:
    """Annotates a value that is a map of one model, and loads that when there is such a value.

    What stands in it is written with the keys of the file, also where the models are filled in Python.

    Args:
        load: loads the model; what it raises is raised where the value is validated.
    """

    def __init__(self, load: Callable[[], type[BaseModel]]) -> None:
        self._load = load

    @classmethod
    def at(cls, place: str) -> "LateModel":
        """The model at a place such as `seatrial.targets.day_time:DayTime`."""
        module, _, name = place.partition(":")
        return cls(lambda: getattr(import_module(module), name))

    @cached_property
    def model(self) -> type[BaseModel]:
        """The model, loaded."""
        return self._load()

    def _model_for(self, value: Any) -> type[BaseModel]:  # noqa: ARG002 -- some have several
        return self.model

    def _validate(self, value: Any) -> BaseModel:
        return self._model_for(value).model_validate(value, by_alias=True, by_name=False)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validated by the model; how it is written back, it knows itself."""
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the model."""
        self.model.model_rebuild()  # models are built when they are first used
        # In an envelope, since a handler looks at what stands inside for what a schema says of itself.
        return handler(core_schema.definitions_schema(self.model.__pydantic_core_schema__, []))


def late_model_of(field: FieldInfo) -> LateModel | None:
    """What loads the model of a field's values, where that is late."""
    return next((each for each in field.metadata if isinstance(each, LateModel)), None)


def type_of(field: FieldInfo) -> Any:
    """The type of a field's values; a late model is loaded for that."""
    late = late_model_of(field)
    return late.model if late else field.annotation
