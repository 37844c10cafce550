"""Damaged files: one sentence, in time, within memory; the long attack is `benchmarks.damaged_files`."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tifffile

from benchmarks.damaged_files import attack
from stemscan.errors import DataError
from stemscan.files import limits, worker
from stemscan.files.read import read_picture
from stemscan.files.worker import ask_worker, the_worker
from tests.stemscan.files.seeds import DEEP, SEEDS

SLOW = ("hdf5", "dm", "ser", "mrc")
FAULTS = ("traceback", "not one sentence", "over 10 s", "too much memory", "crashed the worker")


@pytest.mark.parametrize("kind", SEEDS)
def test_mutants(tmp_path: Path, kind: str) -> None:
    mutants = 15 if kind in SLOW else 60
    counts = attack(kind, range(mutants), tmp_path, seed=2)
    assert counts["read"] + counts["refused"] == mutants
    assert not {name: counts[name] for name in FAULTS if counts[name]}


def chain(path: Path, following: list[int]) -> None:
    """A TIFF file of pages without tags that matter, each saying where the next one is."""
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for at in following:
        data += struct.pack("<HHHIII", 1, 256, 3, 1, 5, at)
    path.write_bytes(bytes(data))


def test_chains_of_pages_that_do_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    chain(path, [26, 8])
    with pytest.raises(DataError, match="circle"):
        read_picture(path)
    chain(path, [1 << 31])
    with pytest.raises(DataError, match="shortened"):
        read_picture(path)
    chain(path, [8 + 18 * number for number in range(1, 120_000)] + [0])
    with pytest.raises(DataError, match="100,000 pages"):
        read_picture(path)


def test_claims_are_compared_with_the_file_before_memory_is_taken(tmp_path: Path) -> None:
    png = tmp_path / "a.png"
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(DataError, match="400,000,000"):
        read_picture(png)
    tif = tmp_path / "a.tif"
    tifffile.imwrite(tif, DEEP, compression="zlib")
    with tifffile.TiffFile(tif, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages.first.tags[name].overwrite(20_000, dtype="I")
    with pytest.raises(DataError, match="800,000,000"):
        read_picture(tif)


def test_a_postscript_page_called_png_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    with pytest.raises(DataError, match="PostScript"):
        read_picture(tmp_path / "a.png")


def test_a_reader_that_does_not_end_is_ended_and_the_next_file_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the worker's own clock, which is set so short that even a sound file takes too long."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4000, 4000), np.uint16), compression="zlib")
    monkeypatch.setattr(
        worker,
        "_START",
        worker._START.replace(
            "serve()", "import stemscan.files.limits as l; l._SECONDS = 0.001; l._SLOWEST = 1e12; serve()"
        ),
    )
    worker._close()
    with pytest.raises(DataError, match="takes longer"):
        read_picture(path)
    monkeypatch.undo()
    assert read_picture(path).values.shape == (4000, 4000)


def test_a_worker_that_is_gone_or_was_left_in_the_middle_is_replaced(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([DEEP, DEEP]), photometric="minisblack")
    parts = ask_worker(tmp_path / "a.tif", None, every=True)
    next(parts)
    cast("Any", parts).close()
    assert the_worker() is None
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 1).values, DEEP)
    worker._worker[0]._process.kill()
    worker._worker[0]._process.wait()
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 1).values, DEEP)


def test_a_worker_without_a_word_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_START", "import time; time.sleep(60)")
    silent = worker.Worker(patience_s=0.2)
    with pytest.raises(DataError, match=r"gave no data for 0\.2 s; copy it to this machine's disk"):
        list(silent.ask(tmp_path / "a.tif", None, every=False))
    silent.close()


def test_memory_beyond_the_claim_is_refused_to_the_worker() -> None:
    seconds, more = limits.decoding_budget(1000, 64 << 20)
    assert seconds < 15
    assert more <= 257 << 20
    began = time.monotonic()
    with pytest.raises(DataError, match="at most"):
        limits.check_claim(1 << 40, 1000, "a.tif")
    assert time.monotonic() - began < 1
