"""`calibrate`: what the numbers of an acquisition's detector mean, from the acquisition itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.display import Rows, as_html, as_text
from stemscan.errors import ReconError, UsageError
from stemscan.recon.calibration.photon_transfer import Known, photon_transfer
from stemscan.recon.calibration.revisits import Revisits, find_revisits
from stemscan.types import Array
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["Calibration", "calibrate", "calibrate_readings"]

Floats = npt.NDArray[np.float64]

_FEWEST: Final = 200
_FEW_PAIRS: Final = 2
_PILED: Final = 5
_SPREADS: Final = 5.0
_BRIGHT: Final = 99.9


@dataclass(frozen=True, repr=False)
class Calibration:
    """Gain, offset and read noise of a detector, in its own numbers, with standard errors.

    Attributes
    ----------
    gain, gain_error : float
        Numbers per electron.
    offset, offset_error : float
        Number that a sample without electrons reads.
    read_noise, read_noise_error : float
        Standard deviation of readings without electrons.
    pairs : int
        Pairs of readings of one pixel.
    same_pass : bool
        True if they are of one pass each; else of passes that follow one another.
    moved_px, moved_px_error : float
        Standard deviation of the beam's displacement between two visits, along an axis; 0 where none was found.
    brightest : float
        Electrons of a sample where the image is brightest (99.9 % of the pixels are below).
    """

    gain: float
    gain_error: float
    offset: float
    offset_error: float
    read_noise: float
    read_noise_error: float
    pairs: int
    same_pass: bool
    moved_px: float
    moved_px_error: float
    brightest: float
    warnings: tuple[str, ...] = ()

    def rows(self) -> Rows:
        """Rows of a summary: name and value."""
        where = "of one pass each" if self.same_pass else "of successive passes"
        electrons = f"{abs(self.read_noise / self.gain):.3g} e-"
        found = [
            ("gain", f"{self.gain:.5g} +- {self.gain_error:.2g} numbers per electron"),
            ("offset", f"{self.offset:.5g} +- {self.offset_error:.2g}"),
            ("read noise", f"{self.read_noise:.4g} +- {self.read_noise_error:.2g} ({electrons})"),
            ("pairs", f"{self.pairs:,} {where}"),
            ("brightest", f"{self.brightest:.4g} e- per sample"),
        ]
        if self.moved_px:
            found.insert(3, ("beam moved", f"{self.moved_px:.3g} +- {self.moved_px_error:.2g} px between visits"))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"warnings": list(self.warnings)}

    def __repr__(self) -> str:
        return as_text("Calibration", self.rows())

    def _repr_html_(self) -> str:
        return as_html("Calibration", self.rows())


def calibrate(
    source: str | Path | Acquisition,
    *,
    channel: int | str = 0,
    dark: npt.ArrayLike | None = None,
    offset: float | None = None,
    device: str = "cpu",
) -> Calibration:
    """Find gain, offset and read noise of a detector from pixels that were visited again.

    Parameters
    ----------
    source : str, Path or Acquisition
        A store with its raw counts.
    channel : int or str
        Number or name of the detector.
    dark : array_like, optional
        Readings with the beam blanked, of any shape: the offset is their mean, the read noise their spread.
    offset : float, optional
        Reading without electrons, where it is known.
    device : str
        Of torch.

    Raises
    ------
    UsageError
        When both dark readings and the offset are given, or one of them is none.
    ReconError
        When too few pixels were visited again, which says what plan has them, or the image has no contrast.
    InputNotFoundError, StoreError
        When the source is no store.
    """
    from stemscan.store.reader import Acquisition

    store = source if isinstance(source, Acquisition) else Acquisition.open(source)
    number = store.channel_number(channel)
    return calibrate_readings(
        store.counts(channel=number),
        store.positions(),
        store.layout.pass_starts,
        store.shape,
        dark=dark,
        offset=offset,
        device=device,
    )


def calibrate_readings(
    readings: Array,
    positions: Array,
    pass_starts: tuple[int, ...],
    shape: tuple[int, int],
    *,
    dark: npt.ArrayLike | None = None,
    offset: float | None = None,
    device: str = "cpu",
) -> Calibration:
    """`calibrate` on plain arrays.

    Parameters
    ----------
    readings : ndarray, (N,)
        Raw numbers in scan order.
    positions : ndarray of integers, (N, 2)
    pass_starts : tuple of int
        First sample of each pass, and N.
    shape : tuple of int
        Rows and columns of the grid.
    dark, offset, device
        As for `calibrate`.

    Raises
    ------
    UsageError, ReconError
        As `calibrate`.
    """
    known = _known(dark, offset)
    seen, same_pass = find_revisits(readings, positions, pass_starts, shape[1])
    pairs = int(seen.pairs.sum())
    if pairs < _FEWEST:
        raise ReconError(
            f"expected at least {_FEWEST} pairs of readings of one pixel, got {pairs}; acquire a plan that visits "
            "pixels again: a full scan of two passes (stemscan plan --pattern raster --passes 2), or more passes "
            "without --repeat exclusive"
        )
    image, pilot, steepness = _pilots(readings, positions, shape, seen, device)
    warnings = list[str]()
    ceiling = _ceiling(readings)
    if ceiling is not None:
        spread = np.sqrt(np.maximum(np.interp(pilot, *_local_variance(pilot, seen)), 0))
        clear = pilot + _SPREADS * spread < ceiling
        warnings.append(
            f"readings pile up at {ceiling:g}: the detector saturates; {counted(int((~clear).sum()), 'pixel')} near "
            "that were left out"
        )
        seen, pilot, steepness = _chosen(seen, clear), pilot[clear], steepness[clear]
        if seen.pairs.sum() < _FEWEST:
            raise ReconError(
                f"expected at least {_FEWEST} pairs away from saturation, got {int(seen.pairs.sum())}; lower the gain "
                "or the dose"
            )
    found = photon_transfer(seen, pilot, steepness, known)
    gain = found.gain[0]
    noise, noise_error = _root(*found.read_variance)
    moved, moved_error = _root(*found.motion)
    return Calibration(
        *found.gain,
        *found.offset,
        noise,
        noise_error,
        pairs=int(seen.pairs.sum()),
        same_pass=same_pass,
        moved_px=moved,
        moved_px_error=moved_error,
        brightest=float((np.percentile(image, _BRIGHT) - found.offset[0]) / gain),
        warnings=tuple(warnings),
    )


def _known(dark: npt.ArrayLike | None, offset: float | None) -> Known:
    """Offset and read noise from dark readings, or the offset alone."""
    if dark is None:
        return Known(offset=None if offset is None else float(offset))
    if offset is not None:
        raise UsageError("expected dark readings or an offset, got both; leave one out")
    values = np.asarray(dark, np.float64).ravel()
    if values.size < _FEW_PAIRS or not np.isfinite(values).all():
        raise UsageError("expected at least two finite dark readings; give readings with the beam blanked")
    variance, number = float(values.var(ddof=1)), values.size
    fourth = float(((values - values.mean()) ** 4).mean())
    unsure = np.sqrt(max(fourth - variance**2, 2 * variance**2 / number) / number)
    return Known(float(values.mean()), float(np.sqrt(variance / number)), variance, float(unsure))


def _pilots(
    readings: Array, positions: Array, shape: tuple[int, int], seen: Revisits, device: str
) -> tuple[Floats, Floats, Floats]:
    """Mean reading over the grid; at pixels visited again, predicted by other pixels, with its squared gradient."""
    from stemscan.recon.fourier_eb.analysis import analyse
    from stemscan.recon.fourier_eb.folds import fold_labels
    from stemscan.recon.inputs.grids import upsample

    values = readings.astype(np.float64)
    low, noise = float(values.min()), float(np.average(seen.variance, weights=seen.pairs))
    pixels = positions[:, 0].astype(np.int64) * shape[1] + positions[:, 1]
    size = shape[0] * shape[1]
    visits = np.bincount(pixels, minlength=size).reshape(shape)
    shift = np.sqrt(max(noise, 1e-12)) - low
    summed = np.bincount(pixels, values + shift, size).reshape(shape)
    dose = float(summed.sum() / visits.sum()) / max(noise, 1e-12)
    order = fold_labels(shape, 2)
    images = []
    for fold in (0, 1):
        keep = order != fold
        parts = ((summed * keep).astype(np.float32), (visits * keep).astype(np.float32))
        found = analyse(*parts, dose, device=device)
        images.append(upsample(found.image, found.factor, shape).astype(np.float64) - shift)
    steep = [sum(one**2 for one in np.gradient(image)) for image in images]
    pilot, steepness = (np.where(order == 0, *pair).ravel()[seen.pixels] for pair in (images, steep))
    return np.mean(images, axis=0), pilot, steepness


def _ceiling(readings: Array) -> float | None:
    """The number at which readings pile up, where they do."""
    values, numbers = np.unique(readings, return_counts=True)
    if len(values) < _PILED or numbers[-1] < max(10, _PILED * int(numbers[-_PILED:-1].max())):
        return None
    return float(values[-1])


def _local_variance(pilot: Floats, seen: Revisits) -> tuple[Floats, Floats]:
    """Mean variance by brightness, in twenty parts: pilots and variances."""
    order = np.argsort(pilot)
    parts = np.array_split(order, min(20, len(order)))
    return np.array([pilot[one].mean() for one in parts]), np.array([seen.variance[one].mean() for one in parts])


def _chosen(seen: Revisits, which: npt.NDArray[np.bool_]) -> Revisits:
    """Some of the pixels."""
    parts: Mapping[str, Any] = {name: getattr(seen, name)[which] for name in seen.__dataclass_fields__}
    return Revisits(**parts)


def _root(variance: float, error: float) -> tuple[float, float]:
    """Standard deviation and its error from a variance, which may be below zero by chance."""
    size = float(np.sqrt(max(variance, 0.0)))
    return size, error / (2 * size) if size * size > error else float(np.sqrt(error))
