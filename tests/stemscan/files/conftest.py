"""Writers of microscope files that RosettaSciIO reads but does not write; each writes the least that is valid."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Writer = Callable[[Path, NDArray[Any], float], None]


def _dm_tag(name: str, kind: int, body: bytes, version: int) -> bytes:
    size = struct.pack(">q", len(body)) if version == 4 else b""
    return struct.pack(">BH", kind, len(name)) + name.encode() + size + body


def _dm_group(name: str, tags: list[bytes], version: int) -> bytes:
    count = struct.pack(">q" if version == 4 else ">i", len(tags))
    return _dm_tag(name, 20, b"\1\0" + count + b"".join(tags), version)


def _dm_data(name: str, info: tuple[int, ...], payload: bytes, version: int) -> bytes:
    number = ">q" if version == 4 else ">i"
    described = struct.pack(number, len(info)) + b"".join(struct.pack(number, value) for value in info)
    return _dm_tag(name, 21, b"%%%%" + described + payload, version)


def write_dm(path: Path, images: NDArray[Any], pixel_nm: float) -> None:
    """DigitalMicrograph 3 or 4 by the suffix: float32 (H, W) or (T, H, W), or uint8 (H, W, 4) blue to alpha."""
    version = int(path.suffix[-1])
    colour = images.dtype == np.uint8 and images.ndim == 3

    def number(name: str, value: int) -> bytes:
        return _dm_data(name, (5,), struct.pack("<I", value), version)

    def real(name: str, value: float) -> bytes:
        return _dm_data(name, (6,), struct.pack("<f", value), version)

    def text(name: str, value: str) -> bytes:
        return _dm_data(name, (20, 4, len(value)), value.encode("utf-16-le"), version)

    def group(name: str, tags: list[bytes]) -> bytes:
        return _dm_group(name, tags, version)

    sizes = images.shape[1::-1] if colour else images.shape[::-1]
    axes = [group("", [real("Origin", 0), real("Scale", pixel_nm), text("Units", "nm")]) for _ in sizes]
    bright = group("Brightness", [real("Origin", 0), real("Scale", 1), text("Units", "")])
    data = images.tobytes() if colour else images.astype("<f4").tobytes()
    image_data = [
        group("Calibrations", [bright, group("Dimension", axes)]),
        _dm_data("Data", (20, 5 if colour else 6, len(data) // 4), data, version),
        number("DataType", 23 if colour else 2),
        group("Dimensions", [number("", size) for size in sizes]),
        number("PixelDepth", 4),
    ]
    tags = group("ImageTags", [group("Meta Data", [text("Signal", "HAADF")])])
    image = group("", [group("ImageData", image_data), text("Name", "test"), tags])
    inside = group("ImageList", [image])
    count = struct.pack(">q" if version == 4 else ">i", 1)
    root = b"\1\0" + count + inside
    length = struct.pack(">q" if version == 4 else ">i", len(root))
    path.write_bytes(struct.pack(">i", version) + length + struct.pack(">i", 1) + root)


def write_ser(path: Path, images: NDArray[Any], pixel_nm: float) -> None:
    """FEI TIA series, version 1: float32 (T, H, W)."""
    frames, rows, columns = images.shape
    dimension = struct.pack("<IddI", frames, 0.0, 1.0, 0) + struct.pack("<I", 6) + b"Number" + struct.pack("<I", 0)
    offsets_at = 30 + len(dimension)
    head = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, frames, frames, offsets_at, 1)
    element = 50 + 4 * rows * columns + 8
    first = offsets_at + 8 * frames
    data_at = [first + element * number for number in range(frames)]
    tags_at = [at + element - 8 for at in data_at]
    body = b""
    for image in images:
        axis = struct.pack("<ddI", 0.0, pixel_nm * 1e-9, 0)
        body += axis + axis + struct.pack("<HII", 7, columns, rows) + image[::-1].astype("<f4").tobytes()
        body += struct.pack("<HHI", 0x4152, 0, 0)
    path.write_bytes(head + dimension + np.array(data_at + tags_at, "<u4").tobytes() + body)


def write_mrc(path: Path, images: NDArray[Any], pixel_nm: float) -> None:
    """MRC 2014: float32 (T, H, W)."""
    frames, rows, columns = images.shape
    head = bytearray(1024)
    struct.pack_into("<10i", head, 0, columns, rows, frames, 2, 0, 0, 0, columns, rows, frames)
    struct.pack_into("<3f", head, 40, columns * pixel_nm * 10, rows * pixel_nm * 10, frames * pixel_nm * 10)
    struct.pack_into("<3f", head, 52, 90, 90, 90)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    head[208:212] = b"MAP "
    head[212:216] = b"\x44\x44\0\0"
    path.write_bytes(bytes(head) + images.astype("<f4").tobytes())


@pytest.fixture
def dm_writer() -> Writer:
    return write_dm


@pytest.fixture
def ser_writer() -> Writer:
    return write_ser


@pytest.fixture
def mrc_writer() -> Writer:
    return write_mrc
