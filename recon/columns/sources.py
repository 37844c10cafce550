"""Sources of columns: inputs, acquisitions, their stores, and images of known dose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemscan.arguments import file_path
from stemscan.errors import DataError, InputNotFoundError, UsageError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.pictures import load_picture, picture_inputs
from stemscan.recon.inputs.reading import load_inputs

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition
    from stemscan.types import Array

__all__ = ["inputs_of"]


def inputs_of(
    source: Inputs | Acquisition | str | Path | Array, electrons_per_sample: float | None, **picture: Any
) -> Inputs:
    """Inputs of whatever columns can be found in.

    Parameters
    ----------
    source : Inputs, Acquisition, str, Path or ndarray
        Counts and visits, an acquisition, the path of its store, an image of known dose, or the path of its file.
    electrons_per_sample : float, optional
        Of an image, for which it must be known.
    **picture
        Further arguments of `load_picture`, for an image; None where they are not given.

    Raises
    ------
    UsageError
        When an image has no dose, or anything else is given one.
    InputNotFoundError, DataError, StoreError
        When a file or store is missing, damaged or something else.
    """
    given = {name: value for name, value in picture.items() if value is not None}
    if isinstance(source, str | Path):
        path = file_path(source, "an acquisition store or an image")
        if not path.exists():
            raise InputNotFoundError(
                f"expected an acquisition store or an image, got {str(path)!r}, which does not exist; check the path"
            )
        if not _is_store(path, electrons_per_sample):
            return load_picture(path, _dose(electrons_per_sample, str(path)), **given)
    elif hasattr(source, "__array__") and not isinstance(source, Inputs):
        if "frame" in given:
            raise UsageError("expected frame only with the file of an image, got it with an array; index the array")
        return picture_inputs(source, _dose(electrons_per_sample, "an array"), **given)
    if electrons_per_sample is not None or given:
        name = next(iter(given), "electrons_per_sample") if electrons_per_sample is None else "a dose"
        raise UsageError(f"expected {name} only with an image, got it with a scan, which states its own; leave it out")
    return source if isinstance(source, Inputs) else load_inputs(source)


def _is_store(path: Path, dose: float | None) -> bool:
    """Tell a store from an image, which may be a folder too."""
    from stemscan.recon.output.zarr_image import is_reconstruction
    from stemscan.store.importing.acquired import is_acquisition

    if not path.is_dir():
        return False
    if is_reconstruction(path):
        raise DataError(
            f"expected counts, got {str(path)!r}, a reconstruction; give the store that it was made of, and this as "
            "image (--image)"
        )
    return dose is None or is_acquisition(path)


def _dose(dose: float | None, what: str) -> float:
    """The dose of an image."""
    if dose is None:
        raise UsageError(
            f"expected an acquisition store, or the dose of an image beside it, got {what!r} alone; add the electrons "
            "that a pixel of signal 1 counts (--dose)"
        )
    return dose
