"""Reconstructions as signals of HyperSpy, read back by RosettaSciIO."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.errors import MissingDependencyError, OutputExistsError, StoreError
from stemscan.recon.output.record import read_image_record, record_of
from stemscan.recon.output.writing import check_destination, write_reconstruction
from tests.recon.output.test_output import IMAGE, METRICS, Z, made

KINDS = ["hspy", "zspy"]


def signals(path: Path) -> list[dict[str, Any]]:
    """Signals in the order in which HyperSpy has them."""
    reader = importlib.import_module(f"rsciio.{path.suffix[1:]}")
    found: list[dict[str, Any]] = reader.file_reader(str(path))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_signals_with_scale_and_titles(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"r.{kind}"
    write_reconstruction(made(), path, metrics=METRICS)
    found = signals(path)
    for signal, values in zip(found, [IMAGE, 0.1 + 0 * IMAGE, Z], strict=True):
        np.testing.assert_array_equal(signal["data"], values)
        assert signal["data"].dtype == np.float32
        assert [axis["name"] for axis in signal["axes"]] == ["y", "x"]
        for axis, length in zip(signal["axes"], IMAGE.shape, strict=True):
            assert (axis["scale"], axis["units"], axis["offset"], axis["size"]) == (0.0123, "nm", 0, length)
            assert axis["navigate"] is False
    titles = [signal["metadata"]["General"]["title"] for signal in found]
    assert titles == ["image", "standard deviation", "z of the counts against the image"]
    assert found[0]["metadata"]["Signal"] == {"signal_type": "", "quantity": "Signal"}
    assert found[0]["original_metadata"]["stemscan"]["source"]["plan_digest"] == "bb"
    assert found[0]["original_metadata"]["stemscan"]["metrics"]["psnr_minmax"] is None
    assert read_image_record(path) == record_of(made(), METRICS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_alone_is_one_signal(tmp_path: Path, kind: str) -> None:
    write_reconstruction(made(std=None, checked=None, pixel_size_nm=None), tmp_path / f"r.{kind}")
    (signal,) = signals(tmp_path / f"r.{kind}")
    assert [(axis["scale"], axis["units"]) for axis in signal["axes"]] == [(1.0, "px")] * 2


@pytest.mark.parametrize("size", [0.02, None])
def test_a_coarse_grid_lies_at_its_centres(tmp_path: Path, size: float | None) -> None:
    write_reconstruction(made(factor=4, native_factor=4, pixel_size_nm=size), tmp_path / "r.hspy")
    axis = signals(tmp_path / "r.hspy")[0]["axes"][0]
    pixel = 1.0 if size is None else size / 4
    assert (axis["scale"], axis["offset"]) == pytest.approx((4 * pixel, 1.5 * pixel))


def test_a_record_of_any_length(tmp_path: Path) -> None:
    long = made(settings={"words": "a" * 200_000, "of/it": 1})
    for kind in KINDS:
        write_reconstruction(long, tmp_path / f"r.{kind}")
        assert read_image_record(tmp_path / f"r.{kind}") == record_of(long)


def test_only_reconstructions_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.zspy").mkdir()
    (tmp_path / "mine.zspy" / "thesis.txt").write_text("all of it")
    with pytest.raises(OutputExistsError, match="expected a reconstruction to overwrite"):
        write_reconstruction(made(), tmp_path / "mine.zspy", overwrite=True)
    assert (tmp_path / "mine.zspy" / "thesis.txt").read_text() == "all of it"


def test_files_of_others_have_no_record(tmp_path: Path) -> None:
    (tmp_path / "a.hspy").write_bytes(b"something else")
    (tmp_path / "a.zspy").mkdir()
    (tmp_path / "a.zspy" / ".zgroup").write_text("{}")
    with pytest.raises(StoreError, match="which has no record of one"):
        read_image_record(tmp_path / "a.hspy")
    with pytest.raises(StoreError, match="expected to read"):
        read_image_record(tmp_path / "a.zspy")


def test_a_missing_package_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "stemscan\[files\]", or write \.zspy'):
        check_destination(tmp_path / "r.hspy")
    with pytest.raises(MissingDependencyError, match="package h5py"):
        read_image_record(tmp_path / "r.hspy")


@pytest.mark.parametrize("kind", KINDS)
def test_hyperspy_itself(tmp_path: Path, kind: str) -> None:
    hyperspy = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
    write_reconstruction(made(), tmp_path / f"r.{kind}")
    image, std, z = hyperspy.load(str(tmp_path / f"r.{kind}"))
    assert [one.metadata.General.title for one in (image, std, z)][:2] == ["image", "standard deviation"]
    assert image.axes_manager.signal_shape == IMAGE.shape[::-1]
    np.testing.assert_array_equal(image.data, IMAGE)
