"""YAML as the API server writes it (sorted keys, no folding, quotes as Go sets them) and reads it (YAML 1.1)."""

import json
import re
from functools import cache
from typing import Any, Final

import msgspec

from seatrial.sandbox.apiserver import json_text

_STRING = "tag:yaml.org,2002:str"
_OLD_BOOLEAN = re.compile(r"^[yYnN]$")
# Reading YAML takes seconds a megabyte, in which nobody else is served.
_LONGEST: Final = 256 * 1024
_MOST_REPEATED: Final = 10
_REPEATED_FREELY: Final = 100_000


def load(data: bytes) -> Any:
    """The JSON value that a document stands for; raises `ValueError` for what is none."""
    if data.lstrip()[:1] in (b"{", b"["):
        # Most of what is called YAML is JSON, which is read much more quickly.
        try:
            return json_text.decode(data)
        except msgspec.DecodeError:
            pass
    if len(data) > _LONGEST:
        raise ValueError(f"document is longer than {_LONGEST} bytes: send JSON")
    import yaml  # noqa: PLC0415 -- hardly any client sends YAML

    try:
        _refuse_depth(data)
        loader = _loader()(data)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_expansion(node)
            value = json.dumps(loader.construct_document(node), default=str, allow_nan=False)
        finally:
            loader.dispose()
        return json_text.decode(value.encode())
    except (yaml.YAMLError, msgspec.DecodeError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _refuse_depth(data: bytes) -> None:
    """ValueError for what lies too deep: libyaml's composer, unlike its parser, recurses and crashes the process."""
    import yaml  # noqa: PLC0415 -- hardly any client sends YAML

    depth = 0
    for event in yaml.parse(data, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > json_text.DEEPEST:
                raise ValueError("exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_expansion(root: Any) -> None:
    """ValueError for a document that its aliases make many times as large as it looks, or endless."""
    sizes: dict[int, int] = {}
    written = _count(root, sizes, set())
    if written > max(_REPEATED_FREELY, _MOST_REPEATED * len(sizes)):
        raise ValueError("document contains excessive aliasing")


def _count(node: Any, sizes: dict[int, int], above: set[int]) -> int:
    """How many nodes there are when each alias is replaced by what it stands for."""
    if id(node) in above:
        raise ValueError("anchor contains itself")
    if id(node) in sizes:
        return sizes[id(node)]
    above.add(id(node))
    size = 1
    for child in node.value if isinstance(node.value, list) else ():
        for part in child if isinstance(child, tuple) else (child,):
            size += _count(part, sizes, above)
    above.discard(id(node))
    sizes[id(node)] = size
    return size


@cache
def _loader() -> Any:
    """The safe loader with all of YAML 1.1's booleans: `y` and `n` are some, for Go as for the standard."""
    import yaml  # noqa: PLC0415 -- hardly any client sends YAML

    # On libyaml's loader where there is one.
    made: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})

    def construct(loader: Any, node: Any) -> bool:
        return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")

    made.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))
    made.add_constructor("tag:yaml.org,2002:bool", construct)
    return made


def dump(value: Any) -> bytes:
    """A JSON value as YAML."""
    import yaml  # noqa: PLC0415 -- hardly any client asks for YAML

    text: str = yaml.dump(
        value, Dumper=_dumper(), default_flow_style=False, sort_keys=True, allow_unicode=True, width=float("inf")
    )
    return text.encode()


@cache
def _dumper() -> Any:
    """A safe dumper with double quotes around texts that would otherwise be read as something else."""
    import yaml  # noqa: PLC0415 -- hardly any client asks for YAML

    class Dumper(yaml.SafeDumper):
        """YAML without aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            """Repeat what stands twice."""
            del data
            return True

    def represent(dumper: Any, text: str) -> Any:
        style = None
        if dumper.resolve(yaml.ScalarNode, text, (True, False)) != _STRING or _OLD_BOOLEAN.match(text):
            style = '"'
        elif "\n" in text:
            style = "|"
        return dumper.represent_scalar(_STRING, text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper
