"""Reading stream files: those of others, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.errors import DataError, InputNotFoundError
from stemscan.hardware.exporters import StreamFile, read_fei_stream


def read(folder: Path, text: str | bytes) -> StreamFile:
    """Read a stream file of a text."""
    path = folder / "a.str"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_fei_stream(path)


def test_with_and_without_blank(tmp_path: Path) -> None:
    file = read(tmp_path, "s16,25ns\n1\n2\n40 3 4 1\n80 65535 0 0\n")
    assert (file.bits, file.unit_ns, file.repeats) == (16, 25, 1)
    assert (file.dwell.tolist(), file.x.tolist(), file.y.tolist()) == ([40, 80], [3, 65535], [4, 0])
    assert file.blanked.tolist() == [False, True]
    assert not read(tmp_path, "s16\n1\n1\n40 3 4\n").blanked.any()


@pytest.mark.parametrize(
    ("first", "bits", "unit_ns"), [("s", 12, 100), ("s16", 16, 100), ("s16,100ns", 16, 100), ("s,25ns", 12, 25)]
)
def test_first_lines(tmp_path: Path, first: str, bits: int, unit_ns: int) -> None:
    file = read(tmp_path, f"{first}\r\n7\r\n1\r\n  10  20 30 \r\n")
    assert (file.bits, file.unit_ns, file.repeats, file.dwell[0], file.x[0], file.y[0]) == (
        bits,
        unit_ns,
        7,
        10,
        20,
        30,
    )


WRONG: list[tuple[str | bytes, str]] = [
    ("", "s, s16 or s16,25ns in line 1, got the end of the file"),
    ("s16", "the number of repeats in line 2, got the end of the file"),
    ("s16\n1\n", "the number of points in line 3"),
    ("16\n1\n1\n1 1 1\n", "line 1, got '16'"),
    ("s16,50ns\n1\n1\n1 1 1\n", "'s16,50ns'"),
    ("S16\n1\n1\n1 1 1\n", "'S16'"),
    ("s16\n0\n1\n1 1 1\n", "at least 1 in line 2, got '0'"),
    ("s16\n1.5\n1\n1 1 1\n", "'1.5'"),
    ("s16\n1\nnan\n1 1 1\n", "line 3, got 'nan'"),
    ("s16\n1\n2\n1 1 1\n", "2 points, as line 3 says, got 1"),
    ("s16\n1\n1\n1 1 1\n1 1 1\n", "1 point, as line 3 says, got 2"),
    ("s16\n1\n1\n1 1\n", "line 4, got '1 1'"),
    ("s16\n1\n1\n1 1 1 1 1\n", "line 4"),
    ("s16\n1\n2\n1 1 1 1\n1 1 1\n", "line 5, got '1 1 1'"),
    ("s16\n1\n1\n1 nan 1\n", "line 4, got '1 nan 1'"),
    ("s16\n1\n1\n1 1.5 1\n", "line 4, got '1 1.5 1'"),
    ("s16\n1\n1\n1 -1 1\n", "line 4, got '1 -1 1'"),
    ("s16\n1\n1\n0 1 1\n", "a dwell of at least 1 in line 4, got '0 1 1'"),
    ("s16\n1\n2\n1 1 1\n1 65536 1\n", "below 65536 in line 5, got '1 65536 1'"),
    ("s\n1\n1\n1 4096 1\n", "below 4096"),
    ("s16\n1\n1\n1 1 1 2\n", "0 (blanked) or 1 in line 4, got '1 1 1 2'"),
    (b"s16\n1\n1\n\xff\xfe", "line 4"),
    (b"\x89PNG\r\n\x1a\n", "line 1"),
    (b"s16\n1\n1\n" + b"1" * 5000000, "without a line end"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=range(len(WRONG)))
def test_wrong_files(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError) as problem:
        read(tmp_path, text)
    assert words in str(problem.value)
    assert str(tmp_path / "a.str") in str(problem.value)
    assert len(str(problem.value)) < 300 + len(str(tmp_path))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"b\.str"):
        read_fei_stream(tmp_path / "b.str")
    with pytest.raises(DataError, match="which is a folder"):
        read_fei_stream(tmp_path)


@given(cut=st.integers(0, 60), at=st.integers(0, 60), byte=st.binary(max_size=2))
def test_cut_and_changed_files_are_damage_or_a_stream(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, byte: bytes
) -> None:
    whole = b"s16,25ns\n1\n4\n40 3 4 1\n80 65535 0 0\n1 2 3 1\n7 8 9 0\n"
    try:
        file = read(tmp_path_factory.mktemp("junk"), whole[: min(at, cut)] + byte + whole[at:])
    except DataError as problem:
        assert "\n" not in str(problem)
    else:
        assert len(file.x) == len(file.y) == len(file.dwell) == len(file.blanked) > 0
