"""What every model of the policy language shares: strictness, documentation, rules between fields.

`Model` is a map with known keys; `OneKey` is a map with exactly one key out of several, the shape of everything
that a list in a policy holds (steps, matchers, filters, actions). The models are the single source of the
validator, the defaults, the JSON Schema and the reference pages, so every class and every field has a docstring.

pydantic stops at the first error between fields, and skips those checks when a field is wrong. `Model.rules`
sees the values as they were written, whatever else is wrong, so that all problems of a file come together.
`problems` turns what is raised here into lines for the user.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Any, NamedTuple, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from seatrial.policy.documentation import documentation_of, summary_of
from seatrial.policy.late_models import LateModel

UNKNOWN_KEY = "unknown_key"
RULE = "rule"


class Complaint(NamedTuple):
    """A rule that is broken: `path` leads from the model to the place, in the keys of the file."""

    message: str
    path: tuple[str | int, ...] = ()
    at_key: bool = False


def complain(message: str, **context: Any) -> PydanticCustomError:
    """The error for a validator to raise; the message completes "path: ..." and has no full stop."""
    return PydanticCustomError(RULE, "{message}", {"message": message, **context})


class Model(BaseModel):
    """A map with known keys: any other key is an error, and values are never converted."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:  # noqa: ARG003 -- for models with rules
        """What must hold between fields; `given` has the keys that were written, with values of any type."""
        yield from ()

    @classmethod
    def allowed_keys(cls) -> list[str]:
        """The keys as they stand in a file."""
        return [_alias(cls, name) for name in cls.model_fields]

    @classmethod
    def needs(cls) -> str:
        """What has to stand here, for a message."""
        return f"a map with the keys: {', '.join(cls.allowed_keys())}"

    @classmethod
    def accepts_null(cls) -> bool:
        """Whether a key with nothing after it means "all defaults": only where nothing has to be said."""
        required = any(field.is_required() for field in cls.model_fields.values())
        return not required and not any(cls.rules({}))

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if data is None:  # a key with nothing after it: what is missing, if anything, is said key by key
            data = {}
        if isinstance(data, cls):
            return handler(data)
        if not isinstance(data, dict):
            raise complain(f"needs {cls.needs()}", says_found=True, allowed=cls.allowed_keys())
        given = {_alias(cls, key) if key in cls.model_fields else key: value for key, value in data.items()}
        complaints = list(cls.rules(given))
        try:
            model = handler(data)
        except ValidationError as error:
            details = [cls._describe(detail) for detail in error.errors(include_url=False)]
        else:
            if not complaints:
                return model
            details = []
        details += [_as_detail(each, data) for each in complaints]
        raise ValidationError.from_exception_data(cls.__name__, details)

    @classmethod
    def _describe(cls, error: ErrorDetails) -> InitErrorDetails:
        context = error.get("ctx", {})
        kind: str | PydanticCustomError = error["type"]
        if kind == "extra_forbidden" and len(error["loc"]) == 1:
            kind = PydanticCustomError(
                UNKNOWN_KEY, "{message}", {"message": "unknown key", "allowed": cls.allowed_keys(), "at_key": True}
            )
        elif "message" in context:
            kind = PydanticCustomError(cast("Any", kind), "{message}", context)
        return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)

    @classmethod
    def _describe_needed_keys(cls) -> JsonSchemaValue:
        """Ask the rules about no key, each key alone, and each pair: they stay the only place that knows."""

        def are_enough(*keys: str) -> bool:
            return not any(cls.rules(dict.fromkeys(keys, object())))

        if are_enough():
            return {}
        sufficient = [key for key in cls.allowed_keys() if are_enough(key)]
        together = any(are_enough(*pair) for pair in combinations(sufficient, 2))
        choices = [{"required": [key], "properties": {key: {"not": {"type": "null"}}}} for key in sufficient]
        return {"anyOf" if together else "oneOf": choices}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What pydantic can't know: the documentation, where null is fine, and which keys the rules ask for."""
        described = handler.resolve_ref_schema(handler(schema))
        properties = described.get("properties", {})
        for name, text in documentation_of(cls).items():
            properties[_alias(cls, name)]["description"] = text
        for each in properties.values():
            if any("$ref" in kind for kind in (each, *each.get("anyOf", ()))):
                each.pop("title", None)  # a model has its own, and of a late one pydantic doesn't know that it is one
        described.update(cls._describe_needed_keys())
        if cls.accepts_null():
            described["type"] = ["object", "null"]
        return described


class OneKey(Model):
    """A map with exactly one key; every field is one of the keys it may be, declared with `option()`."""

    @property
    def key(self) -> str:
        """The key that was written."""
        return _alias(type(self), self._chosen)

    @property
    def spec(self) -> Any:
        """What stands under the key: a `Model`, or a plain value where the option is one."""
        return getattr(self, self._chosen)

    @property
    def _chosen(self) -> str:
        return next(iter(self.model_fields_set))

    @classmethod
    def needs(cls) -> str:
        """What has to stand here, for a message."""
        return f"a map with exactly one of the keys: {', '.join(cls.allowed_keys())}"

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Exactly one key; a key that isn't known has its own complaint."""
        allowed = cls.allowed_keys()
        known = [key for key in given if key in allowed]
        if not given:
            yield Complaint(f"is empty; needs exactly one of: {', '.join(allowed)}")
        for extra in known[1:]:
            message = f"is a second key beside '{known[0]}'; exactly one is allowed: give it a list item of its own"
            yield Complaint(message, (extra,), at_key=True)

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in {self.key, self._chosen}}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show the one key, not those that it isn't."""
        yield self.key, self.spec

    @classmethod
    def _describe_needed_keys(cls) -> JsonSchemaValue:
        """Exactly one: editors complete that shape better than a `oneOf`."""
        return {"minProperties": 1, "maxProperties": 1}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A key that isn't there has no default."""
        described = super().__get_pydantic_json_schema__(schema, handler)
        for option in described.get("properties", {}).values():
            option.pop("default", None)
        return described


def option(**constraints: Any) -> Any:
    """Declare one of the keys of a `OneKey`."""
    return Field(default=None, **constraints)


def one_key(name: str, options: Mapping[str, Any], *, doc: str) -> type[OneKey]:
    """Make a `OneKey` from a table of keys and types, such as one that a registry holds.

    A `LateModel` is loaded when a value has its key.

    Args:
        name: the class's name, which is also its title in the schema.
        options: the key as it stands in the file, and its type: a `Model`, a late one, or anything a field may be.
        doc: one sentence for the reference page.
    """
    fields: dict[str, Any] = {
        f"option_{key}": (
            Annotated[Any, kind] if isinstance(kind, LateModel) else kind,
            # A table has no room for the documentation of its keys.
            Field(default=None, alias=key, description=summary_of(kind) if _is_model(kind) else None),
        )
        for key, kind in options.items()
    }
    return create_model(name, __base__=OneKey, __doc__=doc, __module__=__name__, **fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _alias(model: type[Model], name: str) -> str:
    return model.model_fields[name].alias or name


def _as_detail(complaint: Complaint, data: Any) -> InitErrorDetails:
    error = complain(complaint.message, at_key=complaint.at_key)
    return InitErrorDetails(type=error, loc=complaint.path, input=data, ctx={})
