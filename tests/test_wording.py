"""Messages and tables in plain English: no number stands before a noun in the plural unasked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stemscan.units import counted

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("stemscan", "recon", "simulators", "cli")
NOUNS = (
    "bytes|cases|channels|coefficients|commands|copies|cores|electrons|errors|failures|files|findings|"
    "frames|images|jumps|minutes|numbers|outliers|pages|passes|places|points|positions|processes|processors|readings|"
    "samples|signals|steps|tensors|threads|times|values|visits"
)
TEXTS = (
    "frames",
    "suffix",
    "path.suffix",
    "has",
    "largest",
    "points",
    "expected",
    "committed",
    "n",
    "every",
    "len(numbers) or 'no'",
)
"""Of expressions of which the code says that they are no number, or not 1."""

_BEFORE_NOUN = re.compile(rf" (?:\w+ )?(?:{NOUNS})\b")


def bare_numbers(source: str) -> list[str]:
    """Places of an f-string at which a value that may be 1 stands before a noun in the plural."""
    found = []
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for before, value, text in zip([None, *parts], parts, parts[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            sides = isinstance(before, ast.Constant) and str(before.value).endswith(" x ")  # of a grid
            name = ast.unparse(value.value)
            fixed = re.search(r"\b_?[A-Z][A-Z_]+\b", name) is not None or name in TEXTS  # a constant is not 1
            measured = value.format_spec is not None and not ast.unparse(value.format_spec).endswith("d'")
            called = isinstance(value.value, ast.Call) and not name.startswith(("len(", "format_count(", "sum("))
            text_of_it = value.conversion != -1 or isinstance(value.value, ast.IfExp | ast.BoolOp)
            if _BEFORE_NOUN.match(str(text.value)) and not (fixed or measured or called or text_of_it or sides):
                found.append(f"line {value.lineno}: {name}{str(text.value)[:30]!r}")
    return found


def test_bare_numbers_are_found() -> None:
    assert bare_numbers('f"{number} passes"')
    assert bare_numbers('f"{number} whole frames of it"')
    assert bare_numbers('f"{format_count(number)} samples"')
    assert not bare_numbers("f\"{counted(n, 'pass')} of it\"")
    assert not bare_numbers('f"{_MOST} passes, {dose:g} electrons, {path!r} frames"')


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
def test_a_noun_agrees_with_its_number(number: int) -> None:
    assert counted(number, "pass").endswith(" pass" if number == 1 else " passes")


def test_no_message_says_one_passes() -> None:
    files = {path.resolve() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    found = [f"{path.relative_to(ROOT)} {place}" for path in sorted(files) for place in bare_numbers(path.read_text())]
    assert found == [], "use stemscan.units.counted:\n" + "\n".join(found)


_KINDS = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_QUESTION = re.compile(r"(What|Whether|Which|How|Where)\b")
_TELLS_MORE = re.compile(r"[({\[]")
"""In a type: a shape, values or a range, which no signature says."""


class Entry(NamedTuple):
    """Entry of a section of a docstring."""

    section: str
    name: str
    text: str


def docstrings(source: str) -> list[str]:
    """The docstrings of a module and of all that it defines."""
    return [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, _KINDS)]


def entries(docstring: str) -> list[Entry]:
    """Entries of the sections of parameters, attributes and results."""
    found: list[Entry] = []
    section = ""
    lines = docstring.split("\n")
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if after.startswith("---"):
            section = line
        elif section not in ("Parameters", "Attributes", "Returns", "Yields") or not line or line.startswith("---"):
            continue
        elif not line.startswith(" "):
            found.append(Entry(section, line, ""))
        elif found:
            found[-1] = found[-1]._replace(text=f"{found[-1].text} {line.strip()}".strip())
    return found


def poor_beginnings(source: str) -> list[str]:
    """Docstrings that begin with What or Whether, and entries of their sections that begin as a question."""
    texts = docstrings(source)
    first = [text.split("\n")[0] for text in texts if text.startswith(("What ", "Whether "))]
    return first + [one.text for text in texts for one in entries(text) if _QUESTION.match(one.text)]


def bare_entries(source: str) -> list[str]:
    """Entries of docstrings that say nothing which the signature does not."""
    found = [one for text in docstrings(source) for one in entries(text) if not one.text]
    return [f"{one.section}: {one.name}" for one in found if not _TELLS_MORE.search(one.name)]


def _sources() -> Iterator[tuple[str, str]]:
    """Modules of all rooms: name and text."""
    for path in sorted({path.resolve() for room in ROOMS for path in (ROOT / room).rglob("*.py")}):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_docstrings_begin_with_nouns_or_imperatives() -> None:
    assert poor_beginnings('"""What it is."""')
    parts = "Do it.", "", "Parameters", "----------", "a : bool", "    Whether to do it.", ""
    entry = 'def f(a):\n    """' + "\n    ".join(parts) + '"""'
    assert poor_beginnings(entry)
    assert not poor_beginnings(entry.replace("Whether to do", "Do"))
    assert [f"{name}: {line}" for name, text in _sources() for line in poor_beginnings(text)] == []


def test_no_entry_of_a_docstring_is_bare() -> None:
    parts = "Do it.", "", "Parameters", "----------", "a : int", "", "Returns", "-------", "int", ""
    bare = 'def f(a):\n    """' + "\n    ".join(parts) + '"""'
    assert bare_entries(bare) == ["Parameters: a : int", "Returns: int"]
    assert not bare_entries(bare.replace("int", "ndarray of float32, (H, W)"))
    assert [f"{name}: {entry}" for name, text in _sources() for entry in bare_entries(text)] == []
