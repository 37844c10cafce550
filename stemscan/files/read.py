"""Pictures from files: which reader takes a file, which of its frames is meant, and what is refused before it is read.

Every reader first learns from the file's head how many frames of what size there are, and only then decodes the one
that is wanted. Whatever a damaged file makes a reader raise becomes one sentence.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import InputNotFoundError, SpecimenError, StemscanError

__all__ = ["MAX_PIXELS", "Picture", "read_picture"]

MAX_PIXELS: Final = 1 << 29
"""Most pixels of a picture: 536,870,912, four times 8192 x 16384."""


@dataclass(frozen=True)
class Picture:
    """One frame of an image file.

    Attributes
    ----------
    values : ndarray (H, W) or (H, W, c)
        As the file holds them.
    frames : int
        Number of frames in the file.
    frame : int
        Which of them this is.
    pixel_size_nm : tuple of float, optional
        Distance of neighbouring rows and of neighbouring columns in nm, where the file says it.
    notes : tuple of str
        What else the reader did to the values, or what it warned of.
    """

    values: NDArray[Any]
    frames: int = 1
    frame: int = 0
    pixel_size_nm: tuple[float, float] | None = None
    notes: tuple[str, ...] = field(default=())


def read_picture(path: str | Path, frame: int | None = None) -> Picture:
    """Read one picture from a file of any format that is known here.

    Parameters
    ----------
    path : str or Path
        npy; tif and tiff; what Pillow reads (png, jpg, bmp, gif, ...); and with the optional package RosettaSciIO what
        that reads (dm3, dm4, emd, mrc, ser, hspy, ...).
    frame : int, optional
        Which frame, from 0; needed where there are several. Colour planes are no frames.

    Returns
    -------
    Picture

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    SpecimenError
        If the file holds no picture that can be used.
    MissingDependencyError
        If the format needs RosettaSciIO and that is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise InputNotFoundError(f"expected an image file or crystal:NAME, got {str(path)!r}, which does not exist")
    if not path.is_file():
        raise SpecimenError(f"expected an image file, got {str(path)!r}, which is a folder or device")
    reader = _reader(path.suffix.lower())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            picture = reader(path, frame)
        except StemscanError:
            raise
        except Exception as problem:  # a damaged file makes a reader raise anything
            _release(problem)
            said = " ".join(str(problem).split()) or type(problem).__name__
            raise SpecimenError(
                f"expected a readable {path.suffix.lower() or 'image'} file, got {str(path)!r}, damaged or of another "
                f"format ({said[:200]})"
            ) from problem
    heard = tuple(
        f"{path.suffix[1:]} reader: {' '.join(str(warning.message).split())}"
        for warning in caught
        if warning.category is UserWarning
    )
    return Picture(
        picture.values,
        picture.frames,
        picture.frame,
        picture.pixel_size_nm,
        tuple(dict.fromkeys(picture.notes + heard)),
    )


def _release(problem: BaseException | None) -> None:
    """Let go of what the frames of an error hold, so that files that a reader left open are closed now."""
    while problem is not None:
        traceback.clear_frames(problem.__traceback__)
        problem = problem.__context__


def _reader(suffix: str) -> Callable[[Path, int | None], Picture]:
    """The function that reads files of a suffix."""
    if suffix == ".npy":
        return _read_npy
    if suffix in (".tif", ".tiff"):
        from stemscan.files.tiff import read_tiff

        return read_tiff
    from stemscan.files.microscope import MICROSCOPE_SUFFIXES, read_microscope_file, rosettasciio_reads

    if suffix not in MICROSCOPE_SUFFIXES and (_pillow_reads(suffix) or not rosettasciio_reads(suffix)):
        return read_with_pillow
    return read_microscope_file


def pick_frame(frames: int, frame: int | None, path: Path) -> int:
    """Number of the frame that is meant."""
    if frames < 1:
        raise SpecimenError(f"expected a picture, got a file without one: {str(path)!r}")
    if frame is None:
        if frames > 1:
            raise SpecimenError(
                f"expected a single picture, got {frames} frames in {str(path)!r}; choose one with frame "
                f"(--frame 0 to {frames - 1})"
            )
        return 0
    if not 0 <= frame < frames:
        raise SpecimenError(f"expected a frame from 0 to {frames - 1}, got {frame} for {str(path)!r}")
    return frame


def locate(counts: list[int], number: int) -> tuple[int, int]:
    """Which of several stacks of frames holds a frame, and its number in there."""
    which = 0
    while number >= counts[which]:
        number -= counts[which]
        which += 1
    return which, number


def check_size(rows: int, columns: int, path: Path) -> None:
    """Refuse a picture without pixels, and one that only a decompression bomb would be."""
    if rows < 1 or columns < 1:
        raise SpecimenError(f"expected a picture with pixels, got {rows} x {columns} in {str(path)!r}")
    if rows * columns > MAX_PIXELS:
        raise SpecimenError(
            f"expected a picture of at most {MAX_PIXELS} pixels, got {rows} x {columns} in {str(path)!r}; "
            "crop or bin it first"
        )


def _read_npy(path: Path, frame: int | None) -> Picture:
    """Read a numpy array: (H, W), colour (H, W, 3 or 4), or frames before either. Nothing is ever unpickled."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise SpecimenError(f"expected a numpy array, got {str(path)!r}, which is none; save it with numpy.save")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as problem:
        if "Python objects" not in str(problem):
            raise
        raise SpecimenError(
            f"expected numbers, got Python objects in {str(path)!r}, which are never loaded"
        ) from problem
    return _from_array(array, path, frame)


def _from_array(array: NDArray[Any], path: Path, frame: int | None) -> Picture:
    """Take a frame from an array whose layout follows from its shape."""
    if array.ndim < 2:
        raise SpecimenError(
            f"expected a picture of two dimensions, got an array of shape {array.shape} in {str(path)!r}"
        )
    colour = array.ndim >= 3 and array.shape[-1] in (3, 4) and array.shape[-2] > 4
    inner = 3 if colour else 2
    check_size(array.shape[-inner], array.shape[1 - inner], path)
    stack = array.shape[:-inner]
    frames = int(np.prod(stack, dtype=np.int64))
    number = pick_frame(frames, frame, path)
    place = np.unravel_index(number, stack) if stack else ()
    return Picture(np.array(array[place]), frames, number)


def _pillow_reads(suffix: str) -> bool:
    """Whether Pillow has a reader for files of that suffix."""
    from PIL import Image

    return suffix in Image.registered_extensions()


def read_with_pillow(path: Path, frame: int | None) -> Picture:
    """Read a picture with Pillow, its palette or colour model turned to grey, red-green-blue or these with alpha."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            frames = int(getattr(image, "n_frames", 1))
            number = pick_frame(frames, frame, path)
            check_size(image.height, image.width, path)
            image.seek(number)
            return Picture(_plain(image), frames, number)
    except UnidentifiedImageError as problem:
        raise SpecimenError(
            f"expected an image file, got {str(path)!r}, which is of no format known here; give tif, png, jpg or npy, "
            'or with pip install "stemscan[files]" dm3, dm4, emd, mrc, ser, hspy'
        ) from problem
    except Image.DecompressionBombError as problem:
        raise SpecimenError(
            f"expected a picture of at most {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels in a file of this kind, got "
            f"more in {str(path)!r}; convert it to tif or npy"
        ) from problem


def _plain(image: Any) -> NDArray[Any]:
    """Pixels of a Pillow image in a mode whose channels mean intensities."""
    if image.mode in ("1", "L", "LA", "I", "F", "RGB", "RGBA") or image.mode.startswith("I;16"):
        return np.asarray(image)
    transparent = "transparency" in image.info or image.mode in ("PA", "RGBa", "La")
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))
