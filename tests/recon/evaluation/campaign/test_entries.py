"""Short forms of long lists."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.recon.evaluation.campaign import entries
from stemscan.recon.evaluation.campaign.entries import expanded, files_of, seeds_of


def test_examples() -> None:
    assert doctest.testmod(entries).failed == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), max_size=3))
def test_every_combination_stands_once(spans: list[tuple[int, int]]) -> None:
    text = "".join(f"a{{{low}..{low + more}}}" for low, more in spans) + "b"
    found = list(expanded(text))
    count = 1
    for _, more in spans:
        count *= more + 1
    assert len(set(found)) == len(found) == count
    assert all("{" not in one for one in found)


@given(st.integers(0, 2**64 - 1000), st.integers(0, 999))
def test_seeds_from_the_first_to_the_last(first: int, more: int) -> None:
    assert list(seeds_of(f"{first}..{first + more}")) == list(range(first, first + more + 1))
    assert list(seeds_of(first)) == [first]


@pytest.mark.parametrize("entry", ["5..1", -1, 2**64, True, 1.5, "x", "1..x", "0..99999999999", None])
def test_other_entries_are_no_seeds(entry: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        seeds_of(entry)


@pytest.mark.parametrize("text", ["synthetic:{5..1}/0", "a{0..9999}{0..9999}"])
def test_lists_that_are_none_or_too_long(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        list(expanded(text))


def test_files_by_a_pattern(tmp_path: Path) -> None:
    for name in ("b.tif", "a.tif", "c.png", "x[1].tif"):
        (tmp_path / name).touch()
    assert files_of("*.tif", tmp_path) == ["a.tif", "b.tif", "x[1].tif"]
    assert files_of("x[1].tif", tmp_path) == ["x[1].tif"]
    assert files_of("*.dm4", tmp_path) == []
