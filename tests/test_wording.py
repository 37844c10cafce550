"""Messages and tables in plain English: no number stands before a noun in the plural unasked."""

from __future__ import annotations

import ast
import re
from pathlib import Path

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


def poor_beginnings(source: str) -> list[str]:
    """Docstrings whose first line begins with What or Whether, and entries of parameters that begin with Whether."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    first = [text.split("\n")[0] for text in texts if text.startswith(("What ", "Whether "))]
    return first + [line.strip() for text in texts for line in text.split("\n")[1:] if re.match(r"\s+Whether ", line)]


def test_docstrings_begin_with_nouns_or_imperatives() -> None:
    assert poor_beginnings('"""What it is."""')
    assert poor_beginnings('def f(a):\n    """Do it.\n\n    a : bool\n        Whether to do it.\n    """')
    files = {path.resolve() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    found = {f"{path.relative_to(ROOT)}: {line}" for path in files for line in poor_beginnings(path.read_text())}
    assert sorted(found) == []
