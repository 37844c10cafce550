"""Signals by name, pixel sizes wherever programs put them, and formats that hold several things."""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from stemscan.errors import DataError, UsageError
from stemscan.files.pixel_size import pixel_size
from stemscan.files.read import read_frames, read_picture
from tests.stemscan.files.conftest import write_dm, write_mrc
from tests.stemscan.files.seeds import COLOUR, DEEP, GREY

ONE, OTHER = DEEP, DEEP[::-1].copy()


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("n_m", 1),
        ("nanometers", 1),
        ("Angstroms", 0.1),
        ("\\u00C5", 0.1),
        ("Å", 0.1),
        ("micrometers", 1e3),
        ("μm", 1e3),
        ("µm", 1e3),
        ("picometer", 1e-3),
        ("[nm]", 1),
        (b"nm", 1),
    ],
)
def test_units_of_the_wild(unit: Any, nm: float) -> None:
    size, warnings = pixel_size((0.5, unit), (0.25, unit))
    assert size == pytest.approx((0.5 * nm, 0.25 * nm))
    assert warnings == ()


@pytest.mark.parametrize(
    ("size", "unit", "words"), [(1, "parsec", "'parsec'"), (1e8, "m", "1e\\+08 m"), (1e-9, "pm", "none")]
)
def test_sizes_that_are_not_taken_are_reported(size: float, unit: str, words: str) -> None:
    found, warnings = pixel_size((size, unit), (size, unit))
    assert found is None
    with pytest.raises(ValueError, match=words):
        raise ValueError(warnings[0])


@pytest.mark.parametrize("unit", ["", "pixel", "px", None, "1/nm", "1 / nm", "mrad", "nm^-1"])
def test_what_is_no_length_needs_no_report(unit: str | None) -> None:
    assert pixel_size((1, unit), (1, unit)) == (None, ())


def test_each_image_of_an_ome_tiff_has_its_own_size_and_name(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, size in (("survey", 1.0), ("zoom", 0.02)):
            units = {"PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm"}
            writer.write(
                ONE, metadata={"axes": "YX", "Name": name, "PhysicalSizeX": size, "PhysicalSizeY": size, **units}
            )
    assert read_picture(path, 1).pixel_size_nm == pytest.approx((0.02, 0.02))
    assert read_picture(path, "survey").pixel_size_nm == pytest.approx((1, 1))
    with pytest.raises(UsageError, match="2 signals .*survey, zoom"):
        read_picture(path)
    with pytest.raises(UsageError, match="survey, zoom"):
        read_picture(path, "haadf")
    with pytest.raises(UsageError, match="2 signals"):
        read_frames(path)


def test_sizes_of_scanning_microscopes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    text = b"[MAIN]\r\nDevice=S8\r\nPixelSizeX=2e-11\r\nPixelSizeY=3e-11\r\n"
    tifffile.imwrite(path, ONE, extratags=[(50431, "B", len(text), text, True)])
    assert read_picture(path).pixel_size_nm == pytest.approx((0.03, 0.02))
    report = (
        "<TemReporter><Eos><EosMode>eosTEM</EosMode></Eos><ImageFormingSystem><ModeString>MAG</ModeString>"
        "<SelectorValue>100000</SelectorValue></ImageFormingSystem></TemReporter>"
    )
    tifffile.imwrite(
        path,
        ONE,
        description=report,
        metadata=None,
        resolution=(500, 500),
        resolutionunit="CENTIMETER",
        extratags=[(271, "s", 10, "JEOL Ltd.", True)],
    )
    assert read_picture(path).pixel_size_nm == pytest.approx((0.2, 0.2))
    zeiss = b"\r\n".join([b"0", b"0", b"0", b"1e-9", b"0", b"AP_IMAGE_PIXEL_SIZE", b"Image Pixel Size = 51.2 nm", b""])
    tifffile.imwrite(path, ONE, extratags=[(34118, "s", len(zeiss), zeiss, True)])
    assert read_picture(path).pixel_size_nm == pytest.approx((51.2, 51.2))


def test_mrc_without_a_cell_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    write_mrc(path, ONE[None].astype(np.float32), 0.02)
    head = bytearray(path.read_bytes())
    for at, form, values in ((28, "<3i", (0, 0, 0)), (40, "<3f", (-1.0, -1.0, -1.0))):
        changed = head.copy()
        struct.pack_into(form, changed, at, *values)
        path.write_bytes(bytes(changed))
        picture = read_picture(path)
        assert picture.pixel_size_nm is None
        assert "states no pixel size" in picture.warnings[0]


def test_arrays_of_archives_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, haadf=ONE, bf=OTHER, meta=np.arange(3), objects=np.array([{}]))
    np.testing.assert_array_equal(read_picture(path, "bf").values, OTHER)
    np.testing.assert_array_equal(read_frames(path, "HAADF").values, ONE[None])
    with pytest.raises(UsageError, match="haadf, bf"):
        read_picture(path)


def test_matlab(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "a.mat"
    savemat(path, {"haadf": ONE, "stack": np.stack([ONE, OTHER], axis=-1), "dose": 3.0})
    np.testing.assert_array_equal(read_picture(path, "haadf").values, ONE)
    np.testing.assert_array_equal(read_picture(path, "stack:1").values, OTHER)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["haadf"] = ONE.T
    data = bytearray(path.read_bytes())
    data[:10] = b"MATLAB 7.3"
    path.write_bytes(bytes(data))
    np.testing.assert_array_equal(read_picture(path).values, ONE)


def test_hdf5_by_content(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["scan/haadf"] = ONE
        file["scan/bf"] = OTHER
        file["note"] = "x"
    np.testing.assert_array_equal(read_picture(path, "scan/bf").values, OTHER)
    with h5py.File(path, "w") as file:
        file["note"] = 3
    with pytest.raises(DataError, match="HDF5 layout .*NCEM"):
        read_picture(path)


def test_velox_with_spectra(tmp_path: Path) -> None:
    path = tmp_path / "a.emd"
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([b'{"format": "Velox", "version": "9"}'])
        file["Data/Image/one/Data"] = np.dstack([ONE, OTHER])
        size = '"PixelSize": {"width": "2e-11", "height": "2e-11"}, "PixelUnitX": "m", "PixelUnitY": "m"'
        names = ("Instrument", "Stage", "Acquisition", "Optics", "Core", "Sample", "EnergyFilter", "CustomProperties")
        scan = '"Scan": {"FrameTime": "1"}, "Detectors": {}, ' + ", ".join(f'"{name}": {{}}' for name in names)
        text = np.frombuffer(
            f'{{"BinaryResult": {{{size}, "Detector": "HAADF"}}, {scan}}}\n'.encode().ljust(700, b"\0"), np.uint8
        )
        file["Data/Image/one/Metadata"] = text[:, None]
        file["Data/SpectrumStream/two/Data"] = np.zeros((4, 1), np.uint16)
        file.create_group("Data/SpectrumImage/three")
    with pytest.raises(UsageError, match="2 frames"):
        read_picture(path)
    picture = read_picture(path, 1)
    np.testing.assert_array_equal(picture.values, OTHER)
    assert picture.pixel_size_nm == pytest.approx((0.02, 0.02))


def test_spectrum_images_and_4d_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.hspy"
    with h5py.File(path, "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        group = file.create_group("Experiments/EELS")
        group["data"] = np.stack([ONE, OTHER], axis=-1)
        for number, (unit, navigate) in enumerate((("nm", True), ("nm", True), ("eV", False))):
            group.create_group(f"axis-{number}").attrs.update({"scale": 0.5, "units": unit, "navigate": navigate})
    with pytest.raises(DataError, match="spectrum image of 24 x 20 points .*sum of EELS"):
        read_picture(path)
    summed = read_picture(path, "sum of EELS")
    np.testing.assert_array_equal(summed.values, ONE.astype(int) + OTHER)
    assert summed.pixel_size_nm == (0.5, 0.5)
    with h5py.File(path, "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        group = file.create_group("Experiments/scan")
        group["data"] = np.zeros((3, 4, 8, 9), np.uint8)
        for number in range(4):
            group.create_group(f"axis-{number}").attrs.update({"scale": 1.0, "units": "nm", "navigate": number < 2})
    with pytest.raises(UsageError, match="4D file .*3 x 4 scan points with a pattern of 8 x 9"):
        read_picture(path)


def test_ome_zarr_zspy_and_plain_zarr(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w")
    root.create_array("0", data=np.stack([ONE, OTHER]), chunks=(1, 8, 8))
    axes = [{"name": "c", "type": "channel"}, *({"name": one, "type": "space", "unit": "nanometer"} for one in "yx")]
    scale = [{"type": "scale", "scale": [1, 0.03, 0.02]}]
    ome: Any = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}],
        "omero": {"channels": [{"label": "HAADF"}, {"label": "BF"}]},
    }
    root.attrs["ome"] = ome
    picture = read_picture(tmp_path / "a.zarr", "BF")
    np.testing.assert_array_equal(picture.values, OTHER)
    assert picture.pixel_size_nm == pytest.approx((0.03, 0.02))
    zspy = zarr.open_group(tmp_path / "b.zspy", mode="w", zarr_format=2)
    group = zspy.create_group("Experiments/bright field")
    group.create_array("data", data=ONE, chunks=(8, 8))
    for number in range(2):
        group.create_group(f"axis-{number}").attrs.update({"scale": 0.2, "units": "Å", "navigate": False})
    picture = read_picture(tmp_path / "b.zspy")
    np.testing.assert_array_equal(picture.values, ONE)
    assert picture.name == "bright field"
    assert picture.pixel_size_nm == pytest.approx((0.02, 0.02))
    zarr.create_array(tmp_path / "c.zarr", data=ONE)
    np.testing.assert_array_equal(read_picture(tmp_path / "c.zarr").values, ONE)


def test_deep_colour_png_keeps_its_bits(tmp_path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    deep = COLOUR.astype(np.uint16) * 257 + 3
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").values, deep)


def test_pictures_in_text(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.csv", GREY, delimiter=",", fmt="%d")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.csv").values, GREY)


def test_logs_of_readers_that_fail_are_kept_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.img").write_bytes(b"nothing of JEOL or Hamamatsu" * 40)
    with pytest.raises(DataError):
        read_picture(tmp_path / "a.img")
    (tmp_path / "a.emi").write_bytes(b"JK\0\x02" + bytes(2000))
    with pytest.raises(DataError, match=r"a_1\.ser"):
        read_picture(tmp_path / "a.emi")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("rsciio").propagate


def test_names_of_vendors_files(tmp_path: Path) -> None:
    write_dm(tmp_path / "a.dm3", np.stack([ONE, OTHER]).astype(np.float32), 0.02)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.dm3", "test:1").values, OTHER)
    with pytest.raises(UsageError, match="test:0 to test:1"):
        read_picture(tmp_path / "a.dm3", "test")


def test_the_pixel_size_of_an_olympus_tiff(tmp_path: Path) -> None:
    """A structure SIS0 with one entry that points to exponent and sizes: 0.02 nm per column, 0.03 nm a row."""
    path = tmp_path / "olympus.tif"
    head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 1, 2, 3, 4, 120, b"image", 1) + struct.pack("<hhI", 1, 1, 0)
    tifffile.imwrite(path, ONE, extratags=[(33560, "B", len(head), head, True)])
    general = struct.pack("<10xhdd8xd2x34s32s", -9, 0.02, 0.03, 5e6, b"camera", b"dark field")
    data = bytearray(path.read_bytes())
    at = data.index(b"SIS0")
    struct.pack_into("<I", data, at + len(head) - 4, len(data))
    path.write_bytes(bytes(data) + general)
    assert read_picture(path).pixel_size_nm == (0.03, 0.02)
