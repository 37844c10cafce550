"""Files: every format by value, frames and pixel sizes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from stemscan.errors import DataError, UsageError
from stemscan.files.pixel_size import nanometres
from stemscan.files.read import read_picture

Writer = Callable[[Path, NDArray[Any], float], None]
GREY = (np.arange(8 * 11).reshape(8, 11) * 2).astype(np.uint8)
WIDE = (np.arange(8 * 11).reshape(8, 11) * 700).astype(np.uint16)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
STACK = np.stack([WIDE, WIDE[::-1], WIDE[:, ::-1]])


def test_numpy_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for array in (WIDE, WIDE.astype(">i4"), GREY > 20, np.asfortranarray(WIDE.astype(np.float32))):
        np.save(path, array)
        picture = read_picture(path)
        np.testing.assert_array_equal(picture.values, array)
        assert picture.values.dtype == array.dtype
        assert picture.pixel_size_nm is None
    np.save(path, COLOUR)
    assert read_picture(path).values.shape == (8, 11, 3)
    np.save(path, np.stack([STACK, STACK + 1]))
    picture = read_picture(path, 4)
    np.testing.assert_array_equal(picture.values, STACK[1] + 1)
    assert (picture.frames, picture.frame) == (6, 4)
    np.save(path, WIDE[None])
    np.testing.assert_array_equal(read_picture(path).values, WIDE)


def save_png(path: Path, array: NDArray[Any]) -> None:
    Image.fromarray(array).save(path)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "PNG"])
@pytest.mark.parametrize("array", [GREY, COLOUR], ids=["grey", "colour"])
def test_plain_pictures_by_value(tmp_path: Path, suffix: str, array: NDArray[Any]) -> None:
    path = tmp_path / f"a.{suffix}"
    save_png(path, array)
    np.testing.assert_array_equal(read_picture(path).values, array)


def test_png_of_sixteen_bits_palette_alpha_and_one_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_png(path, WIDE)
    np.testing.assert_array_equal(read_picture(path).values, WIDE)
    save_png(path, GREY > 50)
    np.testing.assert_array_equal(read_picture(path).values, GREY > 50)
    Image.fromarray(GREY).convert("P").save(path)
    np.testing.assert_array_equal(read_picture(path).values, np.repeat(GREY[..., None], 3, axis=2))
    save_png(path, np.dstack([COLOUR, GREY]))
    assert read_picture(path).values.shape == (8, 11, 4)
    save_png(path, np.dstack([GREY, GREY]))
    assert read_picture(path).values.shape == (8, 11, 2)


def test_jpeg_within_its_loss_and_in_other_colour_models(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 3
    Image.fromarray(smooth).save(path, quality=95)
    assert np.abs(read_picture(path).values.astype(int) - smooth).max() < 8
    Image.fromarray(np.dstack([smooth] * 3)).convert("CMYK").save(path, quality=95)
    assert read_picture(path).values.shape == (32, 32, 3)


def test_an_animation_has_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(UsageError, match=r"--frame 0 to 1"):
        read_picture(path)
    assert np.ptp(read_picture(path, 1).values[..., 0].astype(int) - GREY[::-1]) == 0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64", "float16", ">u2"])
def test_tiff_types(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.tiff"
    array = WIDE.astype(np.uint8).astype(dtype)
    tifffile.imwrite(path, array, byteorder=">" if dtype.startswith(">") else "<")
    np.testing.assert_array_equal(read_picture(path).values, array)


@pytest.mark.parametrize("layout", ["pages", "imagej", "ome", "contiguous", "one page", "volume"])
def test_tiff_frames(tmp_path: Path, layout: str) -> None:
    path = tmp_path / ("a.ome.tif" if layout == "ome" else "a.tif")
    if layout == "pages":
        with tifffile.TiffWriter(path) as writer:
            for frame in STACK:
                writer.write(frame, contiguous=False, metadata=None)
    elif layout == "one page":
        tifffile.imwrite(path, STACK, photometric="minisblack", truncate=True)
    elif layout == "volume":
        tifffile.imwrite(path, STACK, photometric="minisblack", volumetric=True, tile=(1, 16, 16))
    else:
        tifffile.imwrite(
            path,
            STACK,
            photometric="minisblack",
            imagej=layout == "imagej",
            metadata={"axes": "TYX"} if layout != "contiguous" else None,
        )
    with pytest.raises(UsageError, match="got 3 frames"):
        read_picture(path)
    for number in range(3):
        np.testing.assert_array_equal(read_picture(path, number).values, STACK[number])
    for wrong in (3, -1):
        with pytest.raises(UsageError, match="frame from 0 to 2"):
            read_picture(path, wrong)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_colour_planes_are_no_frames(tmp_path: Path, planar: str) -> None:
    path = tmp_path / "a.tif"
    for channels in (COLOUR, np.dstack([COLOUR, GREY])):
        data = channels if planar == "contig" else np.moveaxis(channels, -1, 0)
        tifffile.imwrite(path, data, photometric="rgb", planarconfig=planar)
        np.testing.assert_array_equal(read_picture(path).values, channels)


def test_tiff_white_at_zero_palette_and_odd_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, photometric="miniswhite")
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.values, 255 - GREY)
    assert "zero is white" in picture.notes[0]
    colours = np.zeros((3, 256), np.uint16)
    colours[:] = np.arange(256)[::-1] * 257
    tifffile.imwrite(path, GREY, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_picture(path).values[..., 1], (255 - GREY.astype(np.uint16)) * 257)
    tifffile.imwrite(path, np.dstack([COLOUR, COLOUR]), photometric="rgb", planarconfig="contig")
    with pytest.raises(DataError, match="6 samples per pixel"):
        read_picture(path)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    frames[0].save(path, save_all=True, append_images=frames[1:], compression=compression)
    np.testing.assert_array_equal(read_picture(path, 1).values, GREY[::-1])


@pytest.mark.parametrize("compression", ["group4", "tiff_ccitt", "jpeg"])
def test_tiff_of_compressions_that_need_a_codec(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 3
    image = smooth if compression == "jpeg" else smooth > 90
    frames = [Image.fromarray(image[::-1].copy()), Image.fromarray(image)]
    frames[0].save(path, save_all=True, append_images=frames[1:], compression=compression)
    picture = read_picture(path, 1)
    assert np.abs(picture.values.astype(int) - image).max() < (8 if compression == "jpeg" else 1)
    assert picture.frames == 2


def test_pages_of_several_shapes_are_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(WIDE, metadata=None)
        writer.write(WIDE[:5].copy(), metadata=None)
    np.testing.assert_array_equal(read_picture(path, 1).values, WIDE[:5])


def test_reduced_copies_in_a_tiff_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(WIDE, metadata=None)
        writer.write(WIDE[::2, ::2].copy(), subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_picture(path).values, WIDE)


def written(path: Path, **options: Any) -> tuple[float, float] | None:
    tifffile.imwrite(path, WIDE, **options)
    return read_picture(path).pixel_size_nm


def test_pixel_sizes_of_tiff_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    assert written(path) is None
    assert written(path, resolution=(300, 300), resolutionunit="INCH") is None
    assert written(path, resolution=(5e8, 1e9), resolutionunit="CENTIMETER") == pytest.approx((0.01, 0.02))
    for unit, size in (("nm", 0.02), ("um", 20.0), ("\\u00B5m", 20.0), ("pm", 2e-5), ("A", 0.002)):
        assert written(path, imagej=True, resolution=(50, 50), metadata={"unit": unit}) == pytest.approx((size, size))
    assert written(path, imagej=True, resolution=(50, 50), metadata={"unit": "pixel"}) is None
    ome = {"axes": "YX", "PhysicalSizeX": 0.02, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 3e-5}
    assert written(path, ome=True, metadata=ome) == pytest.approx((0.03, 0.02))
    tags = [(65003, "s", 3, "nm", False), (65004, "s", 3, "nm", False)]
    tags += [(65009, "d", 1, 0.05, False), (65010, "d", 1, 0.06, False)]  # type: ignore[list-item]
    assert written(path, extratags=tags) == pytest.approx((0.06, 0.05))
    fei = "[Scan]\r\nPixelWidth=2e-11\r\nPixelHeight=3e-11\r\n"
    assert written(path, extratags=[(34682, "s", len(fei) + 1, fei, True)]) == pytest.approx((0.03, 0.02))


@pytest.mark.parametrize(
    ("size", "unit", "nm"),
    [(1, "m", 1e9), (0.2, "Å", 0.02), (3, " nm ", 3), (1, "1/nm", None), (0, "nm", None), (None, "nm", None)],
)
def test_units_of_length(size: Any, unit: Any, nm: float | None) -> None:
    assert nanometres(size, unit) == (None if nm is None else pytest.approx(nm))


@pytest.mark.parametrize("suffix", ["dm3", "dm4"])
def test_digital_micrograph(tmp_path: Path, dm_writer: Writer, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    dm_writer(path, WIDE.astype(np.float32), 0.0195)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.values, WIDE)
    assert picture.pixel_size_nm == pytest.approx((0.0195, 0.0195))
    dm_writer(path, STACK.astype(np.float32), 0.0195)
    with pytest.raises(UsageError, match="got 3 frames"):
        read_picture(path)
    np.testing.assert_array_equal(read_picture(path, 2).values, STACK[2])


def test_digital_micrograph_colour(tmp_path: Path, dm_writer: Writer) -> None:
    path = tmp_path / "a.dm3"
    dm_writer(path, np.dstack([COLOUR[..., ::-1], GREY]), 0.02)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.values, COLOUR)
    assert picture.frames == 1


def test_tia_series(tmp_path: Path, ser_writer: Writer) -> None:
    path = tmp_path / "a.ser"
    ser_writer(path, STACK[:1], 0.0195)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.values, WIDE)
    assert picture.pixel_size_nm == pytest.approx((0.0195, 0.0195))
    ser_writer(path, STACK, 0.0195)
    np.testing.assert_array_equal(read_picture(path, 1).values, STACK[1])


def test_mrc(tmp_path: Path, mrc_writer: Writer) -> None:
    path = tmp_path / "a.mrc"
    mrc_writer(path, STACK[:1], 0.0195)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.values, WIDE)
    assert picture.pixel_size_nm == pytest.approx((0.0195, 0.0195))
    mrc_writer(path, STACK, 0.0195)
    np.testing.assert_array_equal(read_picture(path, 1).values, STACK[1])


def signal_of(array: NDArray[Any], units: str, navigate: int) -> dict[str, Any]:
    axes = [
        {
            "_type": "UniformDataAxis",
            "name": f"axis{i}",
            "size": size,
            "scale": 0.02,
            "offset": 0.0,
            "units": units,
            "navigate": i < navigate,
            "is_binned": False,
            "index_in_array": i,
        }
        for i, size in enumerate(array.shape)
    ]
    metadata = {"General": {"title": "a"}, "Signal": {"signal_type": ""}}
    return {
        "data": array,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": {},
        "tmp_parameters": {},
        "package_info": {},
        "learning_results": {},
        "models": {},
        "attributes": {"_lazy": False},
    }


def hdf5_writer(kind: str) -> Callable[[str, dict[str, Any]], None]:
    write: Callable[[str, dict[str, Any]], None] = importlib.import_module(f"rsciio.{kind}").file_writer
    return write


@pytest.mark.parametrize("kind", ["hspy", "emd"])
def test_hyperspy_and_emd(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    write = hdf5_writer(kind)
    write(str(path), signal_of(WIDE, "nm", 0))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.values, WIDE)
    assert picture.pixel_size_nm == pytest.approx((0.02, 0.02))
    path.unlink()
    write(str(path), signal_of(STACK, "1/nm", 1))
    picture = read_picture(path, 1)
    np.testing.assert_array_equal(picture.values, STACK[1])
    assert picture.pixel_size_nm is None


SUFFIXES = ["npy", "tif", "png", "jpg", "dm3", "dm4", "emd", "mrc", "ser", "hspy", "h5", "img", "txt", "bin"]
