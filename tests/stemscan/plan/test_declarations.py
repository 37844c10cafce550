"""Patterns, regions and orders are declared once; texts, options, strategies and tables are made of that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given

from stemscan.errors import UsageError
from stemscan.plan.declared import field_texts, sentence_of
from stemscan.plan.dose import Dose, Limits
from stemscan.plan.options import pattern_from_options, pattern_options
from stemscan.plan.order import ORDERS, SETTINGS, Order, OrderKind, SettleModel
from stemscan.plan.patterns import PATTERNS
from stemscan.plan.region import RegionBase
from stemscan.plan.scan_plan import ScanPlan
from stemscan.plan.tables import order_table, pattern_notes, pattern_table, region_table
from stemscan.plan.value import PlanValue, by_kind
from stemscan.testing import patterns

ROOT = Path(__file__).resolve().parents[3]

MADE_UP = '''
"""Every pixel, in a way that somebody made up."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.raster import FullPattern

__all__ = ["Crawl"]


class Crawl(FullPattern):
    """Every pixel, but crawled.

    Parameters
    ----------
    legs : int
        Number of legs, 2 to 1000.
    """

    default_order: ClassVar[str] = "raster"
    kind: Literal["crawl"] = "crawl"
    legs: Annotated[int, Field(ge=2, le=1000), Option(default=8, tried=range(2, 100))]
'''

USE = """
import sys
from hypothesis import find
from stemscan.errors import PlanError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.plan.tables import pattern_table
from stemscan.testing import patterns

plan = ScanPlan.load("plan.yaml")
assert plan.to_dict()["pattern"] == {"kind": "crawl", "legs": 8}, plan
assert ScanPlan.from_yaml(plan.to_yaml()) == plan
assert plan.order.kind == "raster"
assert ScanPath(plan).positions(0, 3).tolist() == [[0, 0], [0, 1], [0, 2]]
for key, words in (("legs: 1", "greater than or equal to 2"), ("lags: 8", "did you mean 'legs'")):
    try:
        ScanPlan.from_yaml(plan.to_yaml().replace("legs: 8", key))
    except PlanError as problem:
        assert "pattern." in str(problem) and words in str(problem), problem
    else:
        raise AssertionError(key)
assert find(patterns(), lambda pattern: pattern["kind"] == "crawl") == {"kind": "crawl", "legs": 2}
assert "| `crawl` | `legs`: number of legs, 2 to 1000 | Every pixel, but crawled | `raster` |" in pattern_table()
"""


def test_a_pattern_touches_one_module(tmp_path: Path) -> None:
    """All that knows patterns knows one that is added as a file."""
    shutil.copytree(ROOT / "stemscan", tmp_path / "stemscan", symlinks=True)
    for room in ("cli", "recon", "simulators"):
        (tmp_path / room).symlink_to(ROOT / room)
    (tmp_path / "stemscan" / "plan" / "patterns" / "crawl.py").write_text(MADE_UP)
    for arguments, words in (
        (["-m", "stemscan", "plan", "--help"], "crawl: number of legs, 2 to 1000. [default: 8]"),
        (["-m", "stemscan", "plan", "-o", "plan.yaml", "--pattern", "crawl", "--shape", "4x4"], "100 %"),
        (["-c", USE], ""),
    ):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert words in " ".join(done.stdout.split())


def test_the_tables_of_the_documentation_are_what_is_declared() -> None:
    text = (ROOT / "docs" / "plan.md").read_text()
    for table in (pattern_table(), pattern_notes(), region_table(), order_table()):
        assert table in text, "paste what `python -m stemscan.plan.tables` prints"


@pytest.mark.parametrize(
    "value", [*PATTERNS.values(), *by_kind(RegionBase).values(), Dose, Limits, Order, SettleModel, ScanPlan]
)
def test_every_class_and_field_has_its_text(value: type[PlanValue]) -> None:
    assert sentence_of(value).endswith(".")
    assert set(value.model_fields) - {"kind"} <= set(field_texts(value))


def test_every_order_and_setting_is_declared() -> None:
    assert set(ORDERS) == set(get_args(OrderKind))
    assert set(SETTINGS) == set(Order.model_fields) - {"kind"}


@given(patterns())
def test_options_make_what_fields_make(pattern: dict[str, object]) -> None:
    kind = str(pattern["kind"])
    flags = {"--per-block": "samples_per_block"}
    given = {}
    for flag, _, _ in pattern_options(PATTERNS):
        field = flags.get(flag, flag.lstrip("-").replace("-", "_"))
        value = pattern.get(field)
        given[flag] = "x".join(map(str, value)) if isinstance(value, list) else value
    assert pattern_from_options(kind, given, PATTERNS) == pattern


def test_options_have_defaults_and_say_what_is_wrong() -> None:
    assert pattern_from_options("spiral", {}, PATTERNS) == {"kind": "spiral", "pitch": 4.0, "spacing": 4.0}
    for kind, options, words in (
        ("snail", {}, "--pattern: expected one of block-random, .*got 'snail'; choose"),
        ("spirl", {}, "got 'spirl'; did you mean 'spiral'"),
        ("uniform", {}, "--ratio: expected a value with the pattern uniform, got none; add --ratio"),
        ("raster", {"--step": 3}, "--step: expected no such option with the pattern raster, got 3; leave it out"),
        ("lissajous", {"--cycles": "7", "--ratio": 1.0}, "--cycles: expected two whole numbers as 31x32, got '7'"),
    ):
        with pytest.raises(UsageError, match=words):
            pattern_from_options(kind, options, PATTERNS)
