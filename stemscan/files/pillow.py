"""Pictures by Pillow: formats of the web and of old programs. Only the format that was recognised is ever tried.

Pillow keeps 8 bits of colour of deeper files; those are decoded by imagecodecs, which keeps all.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from stemscan.errors import DataError, MissingDependencyError
from stemscan.files.images import Loaded, Opener, Signal
from stemscan.files.limits import check_claim, check_size
from stemscan.files.meaning import swaps_axes, upright
from stemscan.types import Array

__all__ = ["pillow_opener"]

_ORIENTATION = 274
_DECODERS = {"JPEG2000": "jpeg2k_decode", "AVIF": "avif_decode"}
_BYTES = {"1": 1, "L": 1, "LA": 4, "I": 4, "F": 4}


def pillow_opener(name: str) -> Opener:
    """The function that opens a file of a format that Pillow names so."""

    @contextmanager
    def opener(path: Path) -> Iterator[Sequence[Signal]]:
        if name == "PPM":
            _check_range(path)
        try:
            with Image.open(path, formats=[name]) as image:
                yield [_signal(image, name, path)]
        except UnidentifiedImageError as problem:
            raise DataError(f"expected a whole {name} file, got {str(path)!r}, which is damaged") from problem
        except Image.DecompressionBombError as problem:
            raise DataError(f"expected a picture of usual size, got {str(path)!r}: {problem}") from problem

    return opener


def _signal(image: Any, name: str, path: Path) -> Signal:
    """The frames of an open image."""
    check_size(image.height, image.width, str(path))
    frame_bytes = image.width * image.height * (_BYTES.get(image.mode, 2 if image.mode.startswith("I;16") else 4))
    decoder = _DECODERS.get(name) or ("png_decode" if name == "PNG" and _is_deep_colour(path) else None)
    if decoder is not None:
        frame_bytes *= 2
    check_claim(frame_bytes, path.stat().st_size, str(path))
    orientation = int(image.getexif().get(_ORIENTATION, 1) or 1)
    frames = int(getattr(image, "n_frames", 1)) if decoder is None else 1

    def load(number: int) -> Loaded:
        if decoder is not None:
            return upright(_deep(path, decoder, (image.height, image.width)), orientation)
        image.seek(number)
        return upright(_plain(image), orientation)

    size = (image.width, image.height) if swaps_axes(orientation) else (image.height, image.width)
    return Signal(load, size, frame_bytes, (frames,))


def _is_deep_colour(path: Path) -> bool:
    """Tell whether a PNG has 16 bits a sample and more than grey."""
    with path.open("rb") as file:
        head = file.read(26)
    return len(head) == 26 and head[24] == 16 and head[25] != 0


def _deep(path: Path, decoder: str, size: tuple[int, int]) -> Array:
    """Pixels by a decoder of imagecodecs."""
    try:
        decode = getattr(importlib.import_module("imagecodecs"), decoder)
    except (ImportError, AttributeError) as problem:
        raise MissingDependencyError(
            f'expected the package imagecodecs to read {path.name!r}, got none, do pip install "stemscan[files]"'
        ) from problem
    values: Array = decode(path.read_bytes())
    if values.shape[:2] != size or values.ndim > 3:
        raise DataError(f"expected {size[0]} x {size[1]} pixels, got an array of shape {values.shape} in {str(path)!r}")
    return values


def _plain(image: Any) -> Array:
    """Pixels of a Pillow image in a mode whose channels mean intensities."""
    if image.mode in ("1", "L", "LA", "I", "F", "RGB", "RGBA") or image.mode.startswith("I;16"):
        return np.asarray(image)
    transparent = "transparency" in image.info or image.mode in ("PA", "RGBa", "La")
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _check_range(path: Path) -> None:
    """Refuse a portable anymap whose values Pillow would stretch or cut to another range."""
    with path.open("rb") as file:
        head = file.read(4096)
    words = [word for line in head.split(b"\n") for word in line.split(b"#")[0].split()][:4]
    if words[0] in (b"P1", b"P4") or len(words) < 4 or not words[3].isdigit():
        return
    top = int(words[3])
    if top != 255 and not (top == 65535 and words[0] in (b"P2", b"P5")):
        raise DataError(
            f"expected an anymap with values up to 255, or 65535 in grey, got {top} in {str(path)!r}; save it as tif"
        )
