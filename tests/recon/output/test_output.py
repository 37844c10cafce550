"""Every output format: what it holds, how others read it, and what is never overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaozarrs

from stemscan.errors import InputNotFoundError, OutputExistsError, ReconError, StemscanError, StoreError, UsageError
from stemscan.recon.contradiction.contradiction import Contradiction
from stemscan.recon.metrics import Metrics
from stemscan.recon.output import tiff
from stemscan.recon.output.record import read_image_record, record_of
from stemscan.recon.output.writing import SUFFIXES, check_destination, write_reconstruction
from stemscan.recon.output.zarr_image import is_reconstruction, read_reconstruction, read_record
from stemscan.recon.reconstruction import Reconstruction
from tests.recon.sampling_kit import lattice
from tests.stemscan.store_kit import create, make_plan

IMAGE = lattice((30, 41)) - np.float32(0.2)
Z = np.zeros_like(IMAGE)
Z[7, 9], Z[20, 30] = -6.25, 5.5
PAGES = ["image", "standard deviation", "contradiction (z of the counts)"]
METRICS = Metrics(20.0, 21.0, float("inf"), 0.9, float("nan"))


def made(**changes: Any) -> Reconstruction:
    """A reconstruction with everything, or as changed."""
    fields: dict[str, Any] = {
        "image": IMAGE,
        "std": 0.1 + 0 * IMAGE,
        "method": "normconv",
        "settings": {"width": np.float64(2.5), "many": (1, np.int64(2)), "bad": float("nan"), "path": Path("a")},
        "seconds": 0.123456,
        "pixel_size_nm": 0.0123,
        "source": {"store_digest": "aa", "plan_digest": "bb", "warnings": []},
        "checked": Contradiction(Z, 5.0, 3.0),
    }
    return Reconstruction(**(fields | changes))


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------- formats


@pytest.mark.parametrize("size", [0.0123, None])
def test_zarr(tmp_path: Path, size: float | None) -> None:
    path = tmp_path / "r.zarr"
    write_reconstruction(made(pixel_size_nm=size), path, metrics=METRICS)
    yaozarrs.validate_zarr_store(str(path))
    again = read_reconstruction(path)
    np.testing.assert_array_equal(again.image, IMAGE)
    assert again.std is not None
    np.testing.assert_array_equal(again.std, 0.1 + 0 * IMAGE)
    assert again.image.dtype == again.std.dtype == np.float32
    assert again.contradiction is not None
    np.testing.assert_array_equal(again.contradiction, Z)
    assert again.contradictions == made().contradictions == ((7, 9, -6.25), (20, 30, 5.5))
    assert again.settings == {"width": 2.5, "many": [1, 2], "bad": None, "path": "a"}
    assert (again.method, again.pixel_size_nm, again.factor) == ("normconv", size, 1)
    assert np.isnan(again.seconds)
    record = read_record(path)
    assert record == record_of(made(pixel_size_nm=size), METRICS)
    assert record["contradictions"] == {
        "count": 2,
        "threshold": 5.0,
        "width": 3.0,
        "places": [[7, 9, -6.25], [20, 30, 5.5]],
    }
    assert record["metrics"] == {
        "psnr": 20.0,
        "psnr_affine": 21.0,
        "psnr_minmax": None,
        "ssim": 0.9,
        "ssim_minmax": None,
    }
    assert (record["source"]["store_digest"], record["source"]["plan_digest"]) == ("aa", "bb")
    image = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
    assert [axis.get("unit") for axis in image["axes"]] == [None if size is None else "nanometer"] * 2
    assert image["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [size or 1.0] * 2}]
    assert left_behind(tmp_path) == ["r.zarr"]


def test_zarr_of_a_coarse_grid_is_shifted_to_its_centres(tmp_path: Path) -> None:
    write_reconstruction(
        made(factor=2, native_factor=2, pixel_size_nm=0.02, std=None, checked=None), tmp_path / "r.zarr"
    )
    yaozarrs.validate_zarr_store(str(tmp_path / "r.zarr"))
    ome = json.loads((tmp_path / "r.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    assert ome["multiscales"][0]["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [0.02, 0.02]},
        {"type": "translation", "translation": [0.005, 0.005]},
    ]
    again = read_reconstruction(tmp_path / "r.zarr")
    assert (again.std, again.checked) == (None, None)
    assert again.factor == again.native_factor == 2


@pytest.mark.parametrize("name", ["r.ome.tif", "r.OME.TIFF"])
@pytest.mark.parametrize("size", [0.0123, 25.0, None])
def test_ome_tiff(tmp_path: Path, name: str, size: float | None) -> None:
    import tifffile

    path = tmp_path / name
    write_reconstruction(made(pixel_size_nm=size), path)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert not file.is_imagej
        np.testing.assert_array_equal(file.asarray(), [IMAGE, 0.1 + 0 * IMAGE, Z])
        assert file.series[0].axes == "CYX"
        assert file.ome_metadata is not None
        pixels = ElementTree.fromstring(file.ome_metadata).find("{*}Image/{*}Pixels")
    assert pixels is not None
    assert pixels.get("Type") == "float"
    assert [channel.get("Name") for channel in pixels.findall("{*}Channel")] == PAGES
    for axis in "XY":
        assert pixels.get(f"PhysicalSize{axis}") == (None if size is None else str(size))
        assert pixels.get(f"PhysicalSize{axis}Unit") == (None if size is None else "nm")
    assert read_image_record(path) == record_of(made(pixel_size_nm=size))
    rsciio = pytest.importorskip("rsciio.tiff")
    signal = rsciio.file_reader(str(path))[0]
    np.testing.assert_array_equal(signal["data"], [IMAGE, 0.1 + 0 * IMAGE, Z])
    if size is not None:
        assert [axis["scale"] for axis in signal["axes"][1:]] == pytest.approx([size, size])
        assert [axis["units"] for axis in signal["axes"][1:]] == ["nm", "nm"]


@pytest.mark.parametrize("name", ["r.zarr", "r.tif", "r.ome.tif", "r.hspy", "r.zspy", "r.npy", "r.png"])
def test_equal_reconstructions_are_the_same_bytes(tmp_path: Path, name: str) -> None:
    found = []
    for folder, seconds in (("a", 0.5), ("b", 7.0)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / name
        write_reconstruction(made(seconds=seconds), path, metrics=METRICS)
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        found.append({str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()})
    assert found[0] == found[1]


def test_a_linked_reconstruction_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    write_reconstruction(made(), tmp_path / "r.zarr")
    before = (tmp_path / "r.zarr" / "zarr.json").read_bytes()
    (tmp_path / "link.zarr").symlink_to(tmp_path / "r.zarr", target_is_directory=True)
    write_reconstruction(made(method="linear"), tmp_path / "link.zarr", overwrite=True)
    assert (tmp_path / "r.zarr" / "zarr.json").read_bytes() == before
    assert left_behind(tmp_path) == ["link.zarr", "r.zarr"]
    assert read_reconstruction(tmp_path / "link.zarr").method == "linear"


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIF"])
@pytest.mark.parametrize("size", [0.0123, 1.0, 25.0, None])
def test_tiff(tmp_path: Path, suffix: str, size: float | None) -> None:
    import tifffile

    path = tmp_path / f"r{suffix}"
    write_reconstruction(made(pixel_size_nm=size), path)
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray(), [IMAGE, 0.1 + 0 * IMAGE, Z])
        np.testing.assert_array_equal(file.pages[0].asarray(), IMAGE)
        assert file.asarray().dtype == np.float32
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["Labels"] == PAGES
        assert (file.imagej_metadata["channels"], file.imagej_metadata["mode"]) == (3, "grayscale")
        assert file.imagej_metadata["Ranges"][4:] == (-6.25, 5.5)
        assert json.loads(file.imagej_metadata["Info"]) == record_of(made(pixel_size_nm=size))
        assert file.imagej_metadata.get("unit") == (None if size is None else "nm")
        if size is not None:
            numerator, denominator = file.pages[0].tags["XResolution"].value
            assert denominator / numerator == pytest.approx(size, rel=1e-6)


@pytest.mark.parametrize("name", ["r.tif", "r.ome.tif"])
def test_tiff_of_an_image_alone_has_one_page(tmp_path: Path, name: str) -> None:
    import tifffile

    write_reconstruction(made(std=None, checked=None), tmp_path / name)
    with tifffile.TiffFile(tmp_path / name) as file:
        assert file.series[0].axes == "YX"
        np.testing.assert_array_equal(file.asarray(), IMAGE)


def test_a_page_of_a_tiff_is_opened_by_its_name(tmp_path: Path) -> None:
    from stemscan.files.read import read_picture

    write_reconstruction(made(), tmp_path / "r.tif")
    found = [read_picture(tmp_path / "r.tif", frame=name).values for name in PAGES]
    np.testing.assert_array_equal(np.asarray(found), [IMAGE, 0.1 + 0 * IMAGE, Z])


def test_tiff_read_by_rosettasciio(tmp_path: Path) -> None:
    rsciio = pytest.importorskip("rsciio.tiff")
    write_reconstruction(made(), tmp_path / "r.tif")
    (read,) = rsciio.file_reader(str(tmp_path / "r.tif"))
    np.testing.assert_array_equal(read["data"], [IMAGE, 0.1 + 0 * IMAGE, Z])
    for axis in read["axes"][1:]:
        assert axis["scale"] == pytest.approx(0.0123, rel=1e-6)
        assert axis["units"] == "nm"


def test_npy(tmp_path: Path) -> None:
    write_reconstruction(made(), tmp_path / "r.npy")
    read = np.load(tmp_path / "r.npy")
    np.testing.assert_array_equal(read, IMAGE)
    assert read.dtype == np.float32


def test_png_keeps_every_pixel_and_its_record(tmp_path: Path) -> None:
    from PIL import Image

    write_reconstruction(made(), tmp_path / "r.png")
    with Image.open(tmp_path / "r.png") as picture:
        text = picture.text  # type: ignore[attr-defined]
        pixels = np.asarray(picture.convert("L"))
    assert json.loads(text["Comment"])["method"] == "normconv"
    zoom = -(-512 // 41)
    assert pixels.shape[1] > 2 * 41 * zoom  # the contradiction at its right
    shown = pixels[zoom // 2 : 30 * zoom : zoom, zoom // 2 : 41 * zoom : zoom].astype(float)
    assert pixels.shape[0] > 30 * zoom
    low, high = np.percentile(IMAGE, (0.1, 99.9))
    np.testing.assert_allclose(shown, np.clip((IMAGE - low) / (high - low), 0, 1) * 255, atol=1)


# ---------------------------------------------------------------------- places


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_overwritten_unasked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"r{suffix}"
    write_reconstruction(made(), path)
    with pytest.raises(OutputExistsError, match="which exists; choose another name or --overwrite it"):
        write_reconstruction(made(), path)
    write_reconstruction(made(image=IMAGE[:20], std=None, checked=None), path, overwrite=True)
    if suffix == ".zarr":
        assert read_reconstruction(path).image.shape == (20, 41)
        assert not (path / "std").exists()
        assert not (path / "contradiction").exists()
    assert left_behind(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_folder_is_an_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputNotFoundError, match="which does not exist; create it first"):
        write_reconstruction(made(), tmp_path / "none" / f"r{suffix}")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("name", ["r.jpg", "r", "r.zarr.bak"])
def test_an_unknown_suffix_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"ends in .*\.zarr, .tif, .tiff, .hspy, .zspy, .npy, .png, got"):
        check_destination(tmp_path / name)


def test_only_reconstructions_are_overwritten(tmp_path: Path) -> None:
    create(tmp_path / "acq.zarr", make_plan()).close()
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("all of it")
    (tmp_path / "file.zarr").write_text("a file")
    for name in ("acq.zarr", "mine.zarr", "file.zarr"):
        with pytest.raises(OutputExistsError, match="expected a reconstruction to overwrite"):
            write_reconstruction(made(), tmp_path / name, overwrite=True)
    assert (tmp_path / "mine.zarr" / "thesis.txt").read_text() == "all of it"
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(OutputExistsError, match="which is a folder"):
        write_reconstruction(made(), tmp_path / "folder.npy", overwrite=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_leaves_what_was_there(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"r{suffix}"
    write_reconstruction(made(), path)
    before = {str(file): file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()}

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StemscanError, match="No space left on device|a full disk"):
        write_reconstruction(made(image=IMAGE[:20], std=None, checked=None), path, overwrite=True)
    monkeypatch.undo()
    assert {str(file): file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()} == before
    assert left_behind(tmp_path) == [path.name]


def test_the_old_zarr_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.zarr"
    write_reconstruction(made(), path)
    replace = os.replace

    def refuse_the_new(source: Path, target: Path) -> None:
        if str(source).endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse_the_new)
    with pytest.raises(StemscanError, match="Permission denied"):
        write_reconstruction(made(std=None), path, overwrite=True)
    assert read_reconstruction(path).std is not None
    assert left_behind(tmp_path) == ["r.zarr"]


def test_a_tiff_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "_LARGEST_TIFF", 100)
    with pytest.raises(ReconError, match=r"at most 100 bytes for TIFF, got 4920; write \.ome\.tif or \.zarr"):
        write_reconstruction(made(), tmp_path / "r.tif")
    assert left_behind(tmp_path) == []


def test_a_tiff_holds_the_pages_for_which_it_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tifffile

    monkeypatch.setattr(tiff, "_LARGEST_TIFF", 2 * IMAGE.nbytes)
    write_reconstruction(made(), tmp_path / "r.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "r.tif"), [IMAGE, 0.1 + 0 * IMAGE])


# ---------------------------------------------------------------------- reading back


def test_what_is_no_reconstruction(tmp_path: Path) -> None:
    assert not is_reconstruction(tmp_path)
    assert not is_reconstruction(tmp_path / "none.zarr")
    create(tmp_path / "acq.zarr", make_plan()).close()
    assert not is_reconstruction(tmp_path / "acq.zarr")
    with pytest.raises(InputNotFoundError, match="does not exist"):
        read_record(tmp_path / "none.zarr")
    with pytest.raises(StoreError, match="expected a reconstruction at"):
        read_record(tmp_path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    write_reconstruction(made(), path)
    assert is_reconstruction(path)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["stemscan"]["schema"] = 99
    (path / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match="schema 99"):
        read_reconstruction(path)


def test_a_record_that_does_not_fit_its_image(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    write_reconstruction(made(), path)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["stemscan"]["shape"] = [30, 40]
    (path / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match=r"float32 of shape \(30, 40\) at .*image', got float32 \(30, 41\)"):
        read_reconstruction(path)


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    write_reconstruction(made(), path)
    chunk = path / "image" / "c" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(StoreError, match="expected sound data"):
        read_reconstruction(path)
    chunk.unlink()
    with pytest.raises(StoreError, match="expected a chunk"):
        read_reconstruction(path)
