"""YAML as the schema files use it: safe, duplicate keys refused, only true and false are truth values.

YAML 1.1 would read `No` as false, `011` as 9 and `1e-6` as a text. Here, as in YAML 1.2, `No` is a text and `1e-6` a
number; and `011` is a text, because leading zeros belong to codes.
"""

import re
from typing import Any

import yaml

from medsynth.errors import SchemaError
from medsynth.schema.texts import shown

MOST_NODES = 1_000_000
MOST_CHARACTERS = 20_000_000
_RESOLVERS = (
    ("bool", re.compile(r"(?:true|false)\Z"), "tf"),
    ("int", re.compile(r"[-+]?(?:0|[1-9]\d*)\Z", re.ASCII), "-+0123456789"),
    (
        "float",
        re.compile(
            r"[-+]?(?:(?:(?:0|[1-9]\d*)\.\d*|\.\d+)(?:[eE][-+]?\d+)?|(?:0|[1-9]\d*)[eE][-+]?\d+|\.(?:inf|nan))\Z",
            re.ASCII,
        ),
        "-+0123456789.",
    ),
    ("null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""]),
    ("timestamp", re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII), "0123456789"),
    ("merge", re.compile(r"<<\Z"), "<"),
)


class _Loader(yaml.SafeLoader):
    """Reads every key as text, and refuses a key that occurs twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002
        if isinstance(node, yaml.MappingNode):
            self._refuse_duplicates(node)
            self.flatten_mapping(node)
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        return {_key(key): self.construct_object(value, deep=True) for key, value in pairs}

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            name = _key(key)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {shown(name)} occurs twice. Remove one", key.start_mark
                )
            seen.add(name)


def _key(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "a key must be text. Put it in quotes", node.start_mark)
    return str(node.value)


def _construct_mapping(loader: _Loader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


def _construct_float(_loader: _Loader, node: Any) -> float:
    return float(node.value.replace(".inf", "inf").replace(".nan", "nan"))


class _Dumper(yaml.SafeDumper):
    """Writes text that this loader and any YAML 1.1 reader understand alike."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, list(_first))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _RESOLVERS[2][1], list("-+0123456789."))
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def read_yaml(text: str, where: str) -> Any:
    """Parses one document.

    Raises:
      SchemaError: With the file name and line.
    """
    if len(text) > MOST_CHARACTERS:
        raise SchemaError(f"{where}: longer than 20 million characters. Shorten it.")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _limit_size(node, {}, where)
        return loader.construct_document(node)
    except yaml.YAMLError as problem:
        raise SchemaError(f"{where}: {_yaml_sentence(problem)}") from None
    except RecursionError:
        raise SchemaError(f"{where}: nested too deeply. Flatten it.") from None
    except ValueError as problem:
        raise SchemaError(f"{where}: a value cannot be read ({shown(str(problem))}). Put it in quotes.") from None


def read_nodes(text: str, where: str) -> Any:
    """The document as nodes that know their place in the text.

    Raises:
      SchemaError: With the file name and line.
    """
    try:
        return _Loader(text).get_single_node()
    except yaml.YAMLError as problem:
        raise SchemaError(f"{where}: {_yaml_sentence(problem)}") from None


def _limit_size(node: Any, sizes: dict[int, int], where: str) -> int:
    """Counts nodes with aliases expanded: a small file can stand for an endless one."""
    if id(node) in sizes:
        if sizes[id(node)] < 0:
            raise SchemaError(f"{where}: an alias contains itself. Write the value out.")
        return sizes[id(node)]
    sizes[id(node)] = -1
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    size = 1 + sum(_limit_size(child, sizes, where) for child in children)
    if size > MOST_NODES:
        raise SchemaError(f"{where}: more than a million values. Shorten it.")
    sizes[id(node)] = size
    return size


def _yaml_sentence(problem: yaml.YAMLError) -> str:
    mark = getattr(problem, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    reason = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "this is not YAML"
    return f"{line}{str(reason).rstrip('.')}. Correct the YAML."


def write_yaml(value: Any) -> str:
    """YAML text of plain values, keys in their order."""
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )


def quoted(text: str) -> str:
    r"""A text in double quotes on one line, whatever it holds.

    >>> quoted("a\nb: #")
    '"a\\nb: #"'
    """
    return str(yaml.dump(text, Dumper=_Dumper, default_style='"', allow_unicode=True, width=10**9)).rstrip("\n")
