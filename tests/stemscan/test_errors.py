"""Errors: one base, a fitting built-in each, an exit code, and a test that raises each."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from stemscan import errors
from stemscan.errors import StemscanError

TESTS = Path(__file__).resolve().parents[1]
CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, StemscanError) and cls is not StemscanError
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_error_is_also_a_built_in_and_has_an_exit_code(cls: type[StemscanError]) -> None:
    built_in = [base for base in cls.__mro__ if base.__module__ == "builtins"]
    assert built_in[0] not in (Exception, BaseException, object)
    assert cls.exit_code in (1, 2)
    assert cls.__doc__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_some_test_raises_it(cls: type[StemscanError]) -> None:
    pattern = re.compile(rf"pytest\.raises\(\s*\(?[^)]*\b{cls.__name__}\b")
    assert any(pattern.search(file.read_text()) for file in TESTS.rglob("test_*.py"))
