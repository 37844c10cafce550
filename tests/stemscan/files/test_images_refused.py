"""Files that are no pictures, damaged, huge or in need of a package: one clear sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rsciio
import tifffile
from numpy.typing import NDArray
from PIL import Image

import stemscan.files.limits as limits
from stemscan.errors import DataError, InputNotFoundError, MissingDependencyError, UsageError
from stemscan.files.read import read_picture
from stemscan.files.reading import Answer, answers
from tests.stemscan.files.test_images import GREY, SUFFIXES, WIDE, Writer, hdf5_writer, save_png, signal_of


def read_here(path: Path) -> Answer:
    """Read in this process, where the test has changed something."""
    return Answer.of(answers(path, None, every=False))


def test_spectra_are_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.hspy"
    hdf5_writer("hspy")(str(path), signal_of(WIDE, "eV", 1))
    with pytest.raises(DataError, match="only spectra"):
        read_picture(path)


def test_microscope_files_need_the_optional_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dm_writer: Writer
) -> None:
    monkeypatch.setitem(sys.modules, "rsciio", None)
    path = tmp_path / "a.dm4"
    dm_writer(path, WIDE, 0.02)
    with pytest.raises(MissingDependencyError, match=r'pip install "stemscan\[files\]"'):
        read_here(path)
    (tmp_path / "a.xyz").write_bytes(b"hello")
    with pytest.raises(DataError, match="no format known here"):
        read_here(tmp_path / "a.xyz")
    for name, save in {"a.npy": np.save, "a.png": save_png, "a.tif": tifffile.imwrite}.items():
        save(tmp_path / name, GREY)
        np.testing.assert_array_equal(read_here(tmp_path / name).values[0], GREY)


def test_formats_that_the_package_no_longer_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mib").write_bytes(b"hello")
    others = [plugin for plugin in rsciio.IO_PLUGINS if "mib" not in plugin["file_extensions"]]
    monkeypatch.setattr("rsciio.IO_PLUGINS", others)
    with pytest.raises(DataError, match=r"RosettaSciIO reads, got '\.mib'"):
        read_here(tmp_path / "a.mib")


def test_what_a_format_needs_beyond_the_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.hspy"
    save_hspy(path, GREY)
    for module in [name for name in sys.modules if name.startswith("rsciio.hspy")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"h5py.*stemscan\[files\]"):
        read_here(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"nowhere\.tif"):
        read_picture(tmp_path / "nowhere.tif")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(UsageError, match="folder"):
        read_picture(tmp_path / "folder.npy")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"hello, this is no picture\n" * 40, bytes(range(256)) * 8, b"\0" * 3000])
def test_files_that_are_no_pictures(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["npy", "tif", "png", "jpg", "dm3", "mrc", "ser", "hspy", "emd"])
def test_truncated_files(
    tmp_path: Path, suffix: str, dm_writer: Writer, ser_writer: Writer, mrc_writer: Writer
) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    if suffix == "npy":
        np.save(path, noise)
    elif suffix == "tif":
        tifffile.imwrite(path, noise, compression="zlib")
    elif suffix in ("png", "jpg"):
        save_png(path, noise)
    elif suffix in ("hspy", "emd"):
        hdf5_writer(suffix)(str(path), signal_of(noise, "nm", 0))
    else:
        {"dm3": dm_writer, "ser": ser_writer, "mrc": mrc_writer}[suffix](
            path, noise if suffix == "dm3" else noise[None], 0.02
        )
    whole = path.read_bytes()
    assert read_picture(path).values.shape == (64, 64)
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match="damaged|expected"):
            read_picture(path)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([[1, "a"]], object), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        read_picture(path)


@pytest.mark.parametrize("shape", [(), (5,), (0, 4), (4, 0), (1, 0, 4)])
def test_arrays_that_are_no_pictures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(shape))
    with pytest.raises(DataError, match="two dimensions|with pixels"):
        read_picture(path)


def save_hspy(path: Path, array: NDArray[Any]) -> None:
    hdf5_writer("hspy")(str(path), signal_of(array, "nm", 0))


def test_huge_pictures_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PIXELS", 80)
    files = {"a.npy": np.save, "a.png": save_png, "a.tif": tifffile.imwrite, "a.hspy": save_hspy}
    for name, save in files.items():
        save(tmp_path / name, GREY)
        with pytest.raises(DataError, match="at most 80 pixels, got 8"):
            read_here(tmp_path / name)


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    save_png(path, GREY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(DataError, match="decompression bomb"):
        read_here(path)


def test_a_damaged_tiff_file_is_one_sentence_and_no_log(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(range(1, 200)))
    code = f"""
from stemscan.errors import DataError
from stemscan.simulators.api import load_corner
try:
    load_corner({str(tmp_path / "a.tif")!r})
except DataError:
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
