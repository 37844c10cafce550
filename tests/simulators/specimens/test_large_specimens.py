"""Specimens too large for memory: the same bits as those that are made or read as a whole."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from stemscan.errors import DiskSpaceError
from stemscan.runtime import roomy
from stemscan.runtime.roomy import bands, give_back
from stemscan.simulators.session import simulate
from stemscan.simulators.specimens.crystal_specimen import render_crystal
from stemscan.simulators.specimens.loading import load_specimen
from stemscan.simulators.specimens.specimen import Specimen
from tests.stemscan.store_kit import contents, make_plan

SHAPE = 48, 40


def lies_in_a_file(array: Any) -> bool:
    """Tell whether an array is mapped."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array is not None


def same(found: Specimen, wanted: Specimen) -> None:
    """Compare two specimens."""
    np.testing.assert_array_equal(found.signal, wanted.signal)
    assert (found.sha256, found.record, found.limits) == (wanted.sha256, wanted.record, wanted.limits)
    assert lies_in_a_file(found.signal)
    assert not lies_in_a_file(wanted.signal)


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Arrays of a few pixels lie in files, and are gone through in bands of a few rows."""
    monkeypatch.setattr(roomy, "LARGE", 1000)
    monkeypatch.setattr(roomy, "_BAND", 1000)
    monkeypatch.setattr("stemscan.simulators.specimens.large_pictures._BAND_PIXELS", 300)
    return monkeypatch


@pytest.mark.parametrize("name", ["crystal:SrTiO3[001]", "crystal:Si[110]?vacancies=0.2&background=0.1"])
def test_crystals(name: str, small_memory: pytest.MonkeyPatch) -> None:
    large = render_crystal(name, SHAPE, pixel_size_nm=0.02)
    small_memory.undo()
    same(large, render_crystal(name, SHAPE, pixel_size_nm=0.02))


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4"])
@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_pictures(tmp_path: Path, dtype: str, kind: str, small_memory: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(1).uniform(0, 1, SHAPE).astype(dtype)
    path = tmp_path / f"picture.{kind}"
    if kind == "npy":
        np.save(path, picture)
    else:
        native = picture.dtype.newbyteorder("=")
        zarr.create_array(path, shape=SHAPE, chunks=(7, 16), dtype=native)[...] = picture.astype(native)
    large = load_specimen(path, SHAPE)
    small_memory.undo()
    whole = load_specimen(path, SHAPE)
    np.testing.assert_array_equal(large.signal, whole.signal)
    assert large.sha256 == whole.sha256
    assert large.record["steps"][-1] == whole.record["steps"][-1]
    assert lies_in_a_file(large.signal)


@pytest.mark.parametrize("change", ["scaled", "another shape", "integers", "not a number"])
def test_what_has_to_be_prepared_is_read_as_a_whole(
    tmp_path: Path, change: str, small_memory: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(1).uniform(0, 1, SHAPE)
    if change == "scaled":
        picture[3, 4] = 7
    if change == "not a number":
        picture[3, 4] = np.nan
    np.save(tmp_path / "p.npy", (255 * picture).astype(np.uint8) if change == "integers" else picture)
    shape = (40, 40) if change == "another shape" else SHAPE
    if change == "not a number":
        with pytest.raises(Exception, match="finite"):
            load_specimen(tmp_path / "p.npy", shape)
        return
    assert not lies_in_a_file(load_specimen(tmp_path / "p.npy", shape, fit="crop").signal)


def test_scans_are_the_same(tmp_path: Path, small_memory: pytest.MonkeyPatch) -> None:
    plan = make_plan(shape=list(SHAPE))
    large = simulate(plan, "crystal:SrTiO3[001]", tmp_path / "large.zarr", seed=1)
    small_memory.undo()
    whole = simulate(plan, "crystal:SrTiO3[001]", tmp_path / "whole.zarr", seed=1)
    assert contents(large.path) == contents(whole.path)


def test_what_is_given_back_is_not_lost(small_memory: pytest.MonkeyPatch) -> None:
    array = roomy.roomy(SHAPE, np.float32)
    array[...] = np.arange(array.size).reshape(SHAPE)
    give_back(array[3:5])
    assert sum(band.sum() for _, band in bands(array)) == np.arange(array.size).sum()
    give_back(np.zeros(3))


def test_a_full_disk_is_told(small_memory: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    small_memory.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DiskSpaceError, match=r"expected room for .* GB in the folder for temporary files, .*TMPDIR"):
        roomy.roomy(SHAPE, np.float32)
