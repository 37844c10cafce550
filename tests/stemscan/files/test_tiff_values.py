"""Values of TIFF files: the same whatever the compression, byte order and suffix; compared with other readers."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from rsciio.tiff import file_reader

from stemscan.errors import DataError, UsageError
from stemscan.files.frames import read_grey_picture, read_mask_picture
from stemscan.files.read import read_frames, read_picture
from stemscan.files.reading import Answer, answers

ROWS, COLUMNS = 21, 13
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f2", "f4", "f8"]
COMPRESSIONS = [None, "lzw", "zlib", "zstd", "lzma", "packbits"]
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def numbers(kind: str, channels: int = 1) -> NDArray[Any]:
    """Every value of a type from end to end."""
    dtype, shape = np.dtype(kind), (ROWS, COLUMNS, channels) if channels > 1 else (ROWS, COLUMNS)
    rng = np.random.default_rng(7)
    if dtype.kind == "f":
        return rng.normal(0, 1000, shape).astype(dtype)
    ends = np.iinfo(dtype)
    values = rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    values.flat[:2] = ends.min, ends.max
    return values


def read(path: Path) -> NDArray[Any]:
    """Read in this process: there are many."""
    return Answer.of(answers(path, None, every=False)).values[0]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_grey_and_colour_of_every_type_turned_in_every_way(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    for kind, channels, (orientation, turn) in itertools.product(TYPES, (1, 3), TURNS.items()):
        values = numbers(kind, channels)
        tifffile.imwrite(
            path,
            values,
            compression=compression,
            photometric="rgb" if channels == 3 else "minisblack",
            byteorder=">" if orientation % 2 else "<",
            extratags=[(274, "H", 1, orientation, True)],
        )
        got = read(path)
        expected = turn(values)
        assert got.dtype.newbyteorder("=") == values.dtype, (kind, channels)
        np.testing.assert_array_equal(got, expected, err_msg=f"{kind} {channels} {orientation}")
        if orientation == 1:
            np.testing.assert_array_equal(got, tifffile.imread(path))
        if orientation == 1 and channels == 1:
            np.testing.assert_array_equal(got, file_reader(str(path))[0]["data"])


@pytest.mark.parametrize("suffix", [".tif", ".btf", ".tf8", ".lsm.tif", ".stk2", ".png", ""])
def test_first_bytes_decide_and_not_the_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    for big in (False, True):
        with path.open("wb") as file:
            tifffile.imwrite(file, numbers("i1"), bigtiff=big, resolution=(5e8, 5e8), resolutionunit="CENTIMETER")
        picture = read_picture(path)
        np.testing.assert_array_equal(picture.values, numbers("i1"))
        assert picture.pixel_size_nm == pytest.approx((0.02, 0.02))


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits"])
def test_meanings_do_not_depend_on_compression(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    grey = numbers("u1")
    tifffile.imwrite(path, grey, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(read(path), 255 - grey)
    tifffile.imwrite(path, numbers("i2"), photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(read(path), ~numbers("i2"))
    colours = np.random.default_rng(1).integers(0, 65535, (3, 256)).astype(np.uint16)
    tifffile.imwrite(path, grey, photometric="palette", colormap=colours, compression=compression)
    np.testing.assert_array_equal(read(path), np.moveaxis(colours[:, grey], 0, -1))
    bits = grey > 99
    tifffile.imwrite(path, bits, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(read(path), ~bits)


def test_white_at_zero_of_floats_is_reported(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", numbers("f4"), photometric="miniswhite")
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.values, numbers("f4"))
    assert "not inverted" in picture.notes[0]


@pytest.mark.parametrize("bits", [4, 10, 12])
def test_packed_bits(tmp_path: Path, bits: int) -> None:
    values = (
        np.random.default_rng(3).integers(0, 1 << bits, (ROWS, COLUMNS)).astype(np.uint8 if bits < 8 else np.uint16)
    )
    tifffile.imwrite(tmp_path / "a.tif", values, bitspersample=bits)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").values, values)


def test_turning_swaps_the_pixel_size_and_is_noted(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        numbers("u2"),
        resolution=(1 / 0.02, 1 / 0.03),
        imagej=True,
        metadata={"unit": "nm"},
        extratags=[(274, "H", 1, 6, True)],
    )
    picture = read_picture(tmp_path / "a.tif")
    assert picture.pixel_size_nm == pytest.approx((0.02, 0.03))
    assert picture.notes == ("turned as the file says (orientation 6)",)


def test_grey_samples_of_a_pixel_are_frames_but_for_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    three = numbers("u2", 3)
    tifffile.imwrite(path, three, photometric="minisblack", planarconfig="contig")
    with pytest.raises(UsageError, match="3 frames"):
        read_picture(path)
    np.testing.assert_array_equal(read_picture(path, 2).values, three[..., 2])
    two = np.dstack([three[..., 0], three[..., 1]])
    tifffile.imwrite(path, two, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    assert read_picture(path).values.shape == (ROWS, COLUMNS, 2)


def test_without_imagecodecs_the_compression_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", numbers("u2"), compression="lzw")
    tifffile.imwrite(tmp_path / "b.tif", numbers("u2") & 4095, bitspersample=12)
    for name, words in (("a.tif", "LZW compression"), ("b.tif", "12 bits a sample")):
        code = (
            "import sys; sys.modules['imagecodecs'] = None\nfrom pathlib import Path\n"
            "from stemscan.files.reading import answers\n"
            f"try: list(answers(Path({str(tmp_path / name)!r}), None, every=False))\n"
            "except Exception as problem: print(type(problem).__name__, problem)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("MissingDependencyError expected the package imagecodecs for " + words)
        assert 'pip install "stemscan[files]"' in done.stdout


def test_frames_of_one_signal_and_masks(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = np.stack([numbers("u2"), numbers("u2")[::-1]])
    tifffile.imwrite(path, stack, photometric="minisblack", compression="lzw")
    np.testing.assert_array_equal(read_frames(path).values, stack)
    np.testing.assert_array_equal(read_grey_picture(path, 1).values, stack[1])
    colour = np.zeros((ROWS, COLUMNS, 4), np.uint8)
    colour[..., 3] = 255
    colour[2:5, 3:7, 1] = 9
    tifffile.imwrite(path, colour, photometric="rgb", extrasamples=["unassalpha"], compression="zlib")
    assert np.count_nonzero(read_mask_picture(path).values) == 12
    with pytest.raises(DataError, match="got colours"):
        read_grey_picture(path)
