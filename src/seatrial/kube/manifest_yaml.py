"""YAML as kubectl reads it: version 1.1 without its dates and base-60 numbers, `2030-01-01` and `10:30` stay texts.

What comes of it is what JSON can hold, for that is what is sent.
"""

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_NUMBERS = {
    f"{_TAG}int": re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)$"),
    f"{_TAG}float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
}
_NOT_KUBECTLS = frozenset({f"{_TAG}timestamp", f"{_TAG}value"})


class ManifestLoader(yaml.SafeLoader):
    """A loader for `yaml.load_all`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        """A map as JSON can have it: of `no: 1` the key is the text `false`, as it is to kubectl.

        Raises:
            ConstructorError: a key is neither a text, nor a number, nor a truth value.
        """
        return {self._key(key, node): value for key, value in super().construct_mapping(node, deep=deep).items()}

    def _key(self, key: object, node: yaml.MappingNode) -> str:
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, str | int | float):
            return str(key)
        message = f"the key {key!r} is no text"
        raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)


ManifestLoader.yaml_implicit_resolvers = {
    first: [(tag, _NUMBERS.get(tag, pattern)) for tag, pattern in resolvers if tag not in _NOT_KUBECTLS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
