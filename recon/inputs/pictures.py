"""Images of known dose as inputs: every pixel visited once a frame, but for those that hold no number.

Numbers are counted electrons, or readings of a detector with a gain: (value - offset) / gain electrons. An image of
relative intensity at a dose of 10 electrons a pixel has a gain of 0.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.arguments import described, real_number
from stemscan.errors import DataError, UsageError
from stemscan.files.arrays import read_measured
from stemscan.files.pixel_size import one_pixel_size
from stemscan.recon.inputs.inputs import Inputs
from stemscan.runtime.memory import require_memory
from stemscan.units import counted

__all__ = ["load_picture", "picture_inputs"]

_BYTES_A_VALUE: Final = 24
"""Memory of a number on its way into inputs, its file's own type left out."""

_TOO_BRIGHT: Final = 2.0
"""Mean signal on the absolute scale above which dose and numbers hardly belong together."""


def load_picture(
    path: Path,
    electrons_per_sample: float,
    *,
    pixel_size_nm: float | None = None,
    gain: float | None = None,
    offset: float | None = None,
    noise: str = "poisson",
    frame: str | None = None,
) -> Inputs:
    """Read an image, or frames as passes, from a file of any format that is known here.

    Parameters
    ----------
    electrons_per_sample : float
        Electrons that a pixel of signal 1 counts in one frame.
    pixel_size_nm : float, optional
        That of the file unless given.
    gain, offset, noise
        See `picture_inputs`.
    frame : str, optional
        Signal, or frame of one, of a file with several; all frames of the only one by default.

    Returns
    -------
    Inputs
        Its source has the file's warnings.

    Raises
    ------
    UsageError, DataError, InputNotFoundError
        When the file is missing, damaged, a reconstruction, or its numbers are no counts.
    """
    _refuse_reconstruction(path)
    picture = read_measured(path, _accept, frame)
    warnings = [f"{path.name}: {warning}" for warning in picture.warnings]
    if picture.pixel_size_nm is not None:
        pixel_size_nm, warning = one_pixel_size(picture.pixel_size_nm, pixel_size_nm)
        warnings += [f"{path.name}: {warning}"] if warning else []
    source = {"path": str(path), "plan_digest": None, "positions": "commanded", "warnings": warnings}
    known: dict[str, Any] = {"gain": gain, "offset": offset, "noise": noise, "source": source}
    return picture_inputs(picture.values, electrons_per_sample, pixel_size_nm=pixel_size_nm, **known)


def picture_inputs(
    values: npt.ArrayLike,
    electrons_per_sample: float,
    *,
    pixel_size_nm: float | None = None,
    gain: float | None = None,
    offset: float | None = None,
    noise: str = "poisson",
    source: dict[str, Any] | None = None,
) -> Inputs:
    """Make inputs of an image, or of frames as passes.

    Parameters
    ----------
    values : array_like, (H, W) or (T, H, W)
        Whole numbers of at least 0 (counted electrons) unless a gain is given; NaN where nothing was visited.
    electrons_per_sample : float
        Electrons that a pixel of signal 1 counts in one frame.
    gain : float, optional
        Numbers per electron, above 0.
    offset : float, optional
        With a gain: the number that a pixel without electrons reads; 0 unless given.
    noise : {"poisson", "eq5"}
    source : dict, optional
        See `Inputs`; warnings are added to its own.

    Raises
    ------
    UsageError
        When the numbers cannot be counts.

    Examples
    --------
    >>> inputs = picture_inputs([[0.5, 1.0], [0.7, float("nan")]], 10.0, gain=0.1)
    >>> inputs.S, inputs.V
    (array([[0.5, 1. ],
           [0.7, 0. ]], dtype=float32), array([[1., 1.],
           [1., 0.]], dtype=float32))
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise UsageError(f"expected an image of real numbers, got {array.dtype}; save the numbers themselves")
    _accept(array.shape)
    if gain is None and offset is not None:
        raise UsageError(f"expected a gain beside the offset, got {described(offset)} alone; add it (1 for electrons)")
    require_memory(_BYTES_A_VALUE * array.size, f"for an image of {counted(array.size, 'number')}")
    frames = array.reshape(-1, *array.shape[-2:])
    visited = ~np.isnan(frames) if frames.dtype.kind == "f" else np.ones(frames.shape, bool)
    known = frames[visited]
    if not known.size:
        raise UsageError("expected an image with numbers, got NaN alone; check which frame it is")
    electrons = np.where(visited, frames, 0).astype(np.float64)
    if gain is None:
        _check_counts(known)
    else:
        electrons = (electrons - (offset or 0.0)) / real_number(gain, "a gain above 0", np.finfo(float).tiny)
        electrons[~visited] = 0.0
    origin = {"warnings": [], **(source or {})}
    dose = real_number(electrons_per_sample, "electrons per sample above 0", np.finfo(float).tiny)
    origin["warnings"] = [*origin["warnings"], *_doubts(array.dtype, gain, float(electrons[visited].mean()), dose)]
    return Inputs.from_arrays(
        electrons, visited, dose, noise=noise, pixel_size_nm=pixel_size_nm, source=origin, analogue=gain is not None
    )


def _accept(shape: tuple[int, ...]) -> None:
    """Refuse a shape that is none of an image or frames."""
    if len(shape) not in (2, 3) or 0 in shape:
        raise UsageError(f"expected an image of shape (rows, columns) or frames (passes, rows, columns), got {shape}")


def _check_counts(known: npt.NDArray[Any]) -> None:
    """Refuse numbers that are no counted electrons."""
    hint = "numbers per electron as the gain (--gain); relative intensity has 1 / dose"
    if known.min() < 0:
        raise UsageError(f"expected counted electrons of at least 0, got {known.min():g}; give the {hint}")
    if known.dtype.kind == "f" and not (np.trunc(known) == known).all():
        fraction = known[np.trunc(known) != known][0]
        raise UsageError(f"expected counted electrons, whole numbers, got {fraction:g}; give the {hint}")


def _doubts(dtype: np.dtype[Any], gain: float | None, mean: float, dose: float) -> list[str]:
    """Doubts about numbers that were taken as they are."""
    found = []
    if gain is None and dtype == np.uint8:
        found.append("the image has 8 bits, as grey values have; if it does not count electrons, give a gain (--gain)")
    if mean > _TOO_BRIGHT * dose:
        found.append(f"the mean pixel has {mean:.4g} electrons at a dose of {dose:.4g}; check the dose, or give a gain")
    return found


def _refuse_reconstruction(path: Path) -> None:
    """Refuse an image that this package reconstructed: its noise is not that of counts."""
    from stemscan.errors import StemscanError
    from stemscan.recon.output.record import RECORDED, read_image_record

    if path.suffix.lower() not in RECORDED:
        return
    try:
        read_image_record(path)
    except (StemscanError, OSError):
        return
    raise DataError(
        f"expected counts, got {str(path)!r}, a reconstruction; give the store that it was made of, or a measured image"
    )
