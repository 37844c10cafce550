"""Reading .npy files of others: an array of numbers, or one reason why not."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from stemscan.files.numpy_files import read_npy_file


def read(path: Path, content: bytes) -> npt.NDArray[np.generic]:
    """Read a file of these bytes."""
    path.write_bytes(content)
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_npy_file(file)


def npy(header: str, body: bytes = b"", version: int = 1) -> bytes:
    """A file with a header of one's own."""
    text = header.encode("latin-1").ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 * version, "little") + text + body


@given(
    array=nps.arrays(
        st.sampled_from(["?", "i1", ">i4", "<u8", "f2", ">f8", "c16"]), nps.array_shapes(min_dims=0, min_side=0)
    ),
    order=st.sampled_from("CF"),
)
def test_reads_what_numpy_writes(tmp_path_factory: pytest.TempPathFactory, array: npt.NDArray, order: str) -> None:  # type: ignore[type-arg]
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, np.asarray(array, order=order))  # type: ignore[call-overload]
    found = read(path, path.read_bytes())
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


def header(shape: str, dtype: str = "'<i4'") -> str:
    """The header of a shape and type."""
    return f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no numpy array"),
        (b"PK\x03\x04", "no numpy array"),
        (b"\x93NUMPY", "damaged or shortened"),
        (b"\x93NUMPY\x09\x00", "damaged or shortened"),
        (npy(header("(1, 1, 2"), b"\0" * 8), "damaged or shortened"),
        (npy("{'descr': '<i4L', 'x':"), "damaged or shortened"),
        (npy("((((" * 20), "damaged or shortened"),
        (npy(header("(1"), version=2), "damaged or shortened"),
        (npy(header("(1" + ",)", "5")), "damaged or shortened"),
        (npy(header(f"({10**30}, 2)")), f"({10**30}, 2)"),
        (npy(header(f"({10**13}, 2)"), b"\0" * 8), "a shortened file, with 8 of 80,000,000,000,000 bytes"),
        (npy(header("(-1, 2)"), b"\0" * 8), "(-1, 2)"),
        (npy(header(f"(0, {10**30})")), f"(0, {10**30})"),
        (npy(header("(1,)"), b"\0" * 5), "a damaged file, with 1 byte behind the array"),
        (npy(header("(1,)", "'|O'"), b"\0" * 8), "Python objects, which are never loaded"),
        (npy(header("(1,)", "[('a', '|O')]"), b"\0" * 8), "Python objects, which are never loaded"),
        (npy(header("(1,)", "'<M8[s]'"), b"\0" * 8), "datetime64"),
        (npy(header("(1,)", "('<i4', (2,))"), b"\0" * 8), "an array of type"),
        (npy(header("(1,)", "'<U2'"), b"\0" * 8), "<U2"),
    ],
    ids=range(19),
)
def test_wrong_files(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read(tmp_path / "a.npy", content)


@given(at=st.integers(6, 140), byte=st.binary(max_size=2), drop=st.integers(0, 2))
def test_changed_files_are_damage_or_an_array(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: bytes, drop: int
) -> None:
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, np.arange(6).reshape(3, 2))
    whole = path.read_bytes()
    try:
        read(path, whole[:at] + byte + whole[at + drop :])
    except ValueError as problem:
        assert "\n" not in str(problem)


def test_true_is_a_length(tmp_path: Path) -> None:
    assert read(tmp_path / "a.npy", npy(header("(True, 2)"), b"\0" * 8)).shape == (1, 2)
