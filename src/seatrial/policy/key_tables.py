"""Maps with one key out of those that packages add: steps, observers, actions.

A table is the type of a field, and the `OneKey` for its values is made when there is one. As long as what is written is
built in, nobody looks for what other packages add.
"""

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from seatrial.policy.base import Model, OneKey, one_key
from seatrial.policy.extensions import Extensions
from seatrial.policy.late_models import LateModel

T = TypeVar("T")


class KeyTable(LateModel, Generic[T]):
    """Annotates a value that is a map with one key: the name of one of `options`, whose model has what stands below.

    Args:
        name: the name of the `OneKey`, which is also its title in the schema.
        options: what there is, by name.
        model_of: the model of one of them.
        doc: one sentence for the reference page.
    """

    def __init__(self, name: str, options: Extensions[T], model_of: Callable[[T], type[Model]], *, doc: str) -> None:
        super().__init__(lambda: self._made_of(options))
        self._name = name
        self._options = options
        self._model_of = model_of
        self._doc = doc

    @cached_property
    def _of_built_in(self) -> type[OneKey]:
        return self._made_of(self._options.built_in)

    def _made_of(self, names: Iterable[str]) -> type[OneKey]:
        options = {name: LateModel(partial(self._load_option, name)) for name in names}
        return one_key(self._name, options, doc=self._doc)

    def _load_option(self, name: str) -> type[Model]:
        return self._model_of(self._options[name])

    def _model_for(self, value: Any) -> type[BaseModel]:
        """What is wrong with a value is said in view of all there is."""
        is_built_in = isinstance(value, dict) and len(value) == 1 and value.keys() <= self._options.built_in
        return self._of_built_in if is_built_in or isinstance(value, self._of_built_in) else self.model
