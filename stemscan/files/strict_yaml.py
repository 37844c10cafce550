"""Reading untrusted YAML: plain data only, every key once, and the line of each value for error messages.

Built on PyYAML's safe loader, with anchors and aliases refused (a few lines of them can stand for gigabytes), tags
refused (a value means what it looks like), duplicate keys refused (PyYAML keeps the last in silence), and size, depth
and number of values bounded: PyYAML takes some 40 microseconds for each.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from stemscan.errors import StemscanError

__all__ = ["MAX_BYTES", "YamlProblem", "looks_like_number", "parse"]

MAX_BYTES = 1_000_000
_MAX_DEPTH = 20
_MOST_VALUES = 50_000
_MOST_DIGITS = 400
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")

_SURPRISE = re.compile(r"[-+]?0[0-7_]+$|.*:")  # octal, and base 60
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

Path = tuple[str | int, ...]


class YamlProblem(StemscanError, ValueError):
    """The text is not the kind of YAML that is read here."""


class _Loader(yaml.SafeLoader):
    """Safe loader without anchors, aliases and tags, of bounded depth and number of values."""

    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise YamlProblem(f"expected plain values, got an anchor or alias in line {line}; write the value out")
        if (tag := getattr(event, "tag", None)) is not None:
            raise YamlProblem(f"expected plain values, got the tag {tag!r} in line {line}; remove it")
        self._values += 1
        if self._values > _MOST_VALUES:
            raise YamlProblem(
                f"expected at most {_MOST_VALUES} keys and values, got more in line {line}; put long lists into a "
                "file of their own (csv or npy)"
            )
        self._depth += 1
        if self._depth > _MAX_DEPTH + 1:
            raise YamlProblem(f"expected at most {_MAX_DEPTH} levels of nesting, got more in line {line}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def parse(text: str) -> tuple[Any, dict[Path, int]]:
    """Read one YAML document.

    Parameters
    ----------
    text : str
        The document, at most `MAX_BYTES` characters.

    Returns
    -------
    data : object
        Plain data: dict, list, str, int, float, bool, None and dates.
    lines : dict
        For each path of keys and indices, the line (from 1) on which the value or its key stands.

    Raises
    ------
    YamlProblem
        When the text is too long, too deep, not YAML, repeats a key, or asks for anything but plain data.

    Examples
    --------
    >>> parse("a: 1\\nb: {c: x}")
    ({'a': 1, 'b': {'c': 'x'}}, {(): 1, ('a',): 1, ('b',): 2, ('b', 'c'): 2})
    """
    if len(text) > MAX_BYTES:
        raise YamlProblem(f"expected at most {MAX_BYTES} characters, got {len(text)}")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Path, int] = {(): 1}
        return (None if node is None else _construct(loader, node, (), lines)), lines
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlProblem(f"expected YAML with plain values, got at {where}{problem.problem}") from problem
    except YamlProblem:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as problem:  # the last of an impossible \U
        raise YamlProblem(f"expected YAML with plain values, got {' '.join(str(problem).split())}") from problem
    finally:
        if loader is not None:
            loader.dispose()


def looks_like_number(value: object) -> bool:
    """Tell whether a text is what most people would call a number, such as 1.0e3, which YAML 1.1 reads as text."""
    return isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is not None


def _construct(loader: _Loader, node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    """Build plain data from a node and note the line of each value."""
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(loader, node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, child in enumerate(node.value):
            lines[(*path, index)] = child.start_mark.line + 1
            items.append(_construct(loader, child, (*path, index), lines))
        return items
    return _construct_scalar(loader, node)


def _construct_scalar(loader: _Loader, node: yaml.Node) -> Any:
    """A number, text, date, yes or no, or nothing."""
    line = node.start_mark.line + 1
    if node.tag in _NUMBER_TAGS and len(node.value) > _MOST_DIGITS:
        raise YamlProblem(
            f"expected numbers of at most {_MOST_DIGITS} digits, got {len(node.value)} in line {line}; write the "
            "number that you mean"
        )
    if not node.value.isascii():
        _refuse_half_characters(node.value, line)
    try:
        value = loader.construct_object(node)
    except (ValueError, OverflowError) as problem:  # of 0b_ and of the 32nd of a month
        raise YamlProblem(
            f"expected plain values, got {node.value[:40]!r} in line {line}, which is no "
            f"{node.tag.rpartition(':')[2]}; put text into quotes"
        ) from problem
    if node.tag in _NUMBER_TAGS and _SURPRISE.match(node.value):
        raise YamlProblem(
            f"expected numbers in plain decimal, got {node.value[:40]!r} in line {line}, which YAML 1.1 reads as "
            f"{str(value)[:40]}; write the number that you mean"
        )
    return value


def _refuse_half_characters(text: str, line: int) -> None:
    """Refuse text that cannot be written again, as of "\\uD800"."""
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise YamlProblem(f"expected text of whole characters, got half of one in line {line}; correct it") from problem


def _construct_mapping(loader: _Loader, node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    """Build a dict whose keys are texts and stand once each."""
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlProblem(f"expected a name as a key, got a list or mapping in line {line}")
        key = key_node.value
        _refuse_half_characters(key, line)
        if key in result:
            first = lines[(*path, key)]
            raise YamlProblem(f"expected each key once, got {key!r} in line {line} and in line {first}; remove one")
        lines[(*path, key)] = line
        result[key] = _construct(loader, value_node, (*path, key), lines)
    return result
