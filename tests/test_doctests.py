"""Examples in docstrings do what they say; those of pages are run in tests/docs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import stemscan

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(stemscan.__path__, "stemscan.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_docstrings_have_examples() -> None:
    finder = doctest.DocTestFinder()
    examples = sum(len(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name)))
    assert examples > 10
