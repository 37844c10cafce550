"""Inputs of every reconstruction method: counts and visits of a sparse scan, and what is known of them.

`Inputs` is an immutable, validated value. `frames` and `visits` keep the passes apart; `S` and `V` are what most
methods need: on the absolute scale, S / V is an unbiased estimate of the specimen's signal wherever V > 0, and (S, V)
is a sufficient statistic for Poisson counts of a specimen that stands still. A pixel without a visit holds no
information at all; zero visits is not zero counts, and every method must tell the two apart by V.

`reading.load_inputs` makes an `Inputs` of an acquisition store, `Inputs.from_arrays` of arrays that were measured
elsewhere, `Inputs.from_samples` of samples at positions between pixels. Their visits are fractions (see `gridding`): a
method whose sums are linear in (S, V) takes them as they are; one that needs samples that are whole and independent of
one another takes `Inputs.whole`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import numpy.typing as npt

from stemscan.arguments import described
from stemscan.display import Rows, as_html, as_text
from stemscan.errors import ReconError
from stemscan.recon.inputs.checks import (
    check_unvisited,
    checked_frames,
    checked_truth,
    checked_visits,
    positive,
)
from stemscan.types import Noise, ReadOnlyMapping
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.inputs.gridding import PlacedSamples
    from stemscan.store.true_columns import TrueColumns

__all__ = ["Inputs", "Noise"]


@dataclass(frozen=True, eq=False, repr=False)
class Inputs:
    """Counts and visits of one acquisition. Make one with `Inputs.from_arrays` or `load_inputs`, which validate.

    Its arrays cannot be written into, for several methods may be given the same ones.

    Attributes
    ----------
    frames : ndarray of float32, (T, H, W)
        Electrons summed per pass and pixel, not divided by the dose; zero where not visited. Below 0 only of an
        analogue detector, whose read noise goes both ways in the dark.
    visits : ndarray of uint16 or float32, (T, H, W)
        Samples per pass and pixel; float32 where samples are shared among pixels.
    electrons_per_sample : float
        Lambda: expected electrons of one visit of a pixel with signal 1.
    noise : {"poisson", "eq5"}
        Counts are Poisson(lambda u), or u Poisson(lambda) (equation 5 as printed).
    pixel_size_nm : float or None
        Spacing of the scan grid in nm, where it is known.
    truth : ndarray of float32, (H, W), or None
        The specimen's signal, of simulations only. No method may look at it.
    truth_columns : TrueColumns or None
        Its atomic columns, of simulations whose specimen knows them; neither.
    source : mapping
        Origin of the data: ``path``, ``store_digest``, ``plan_digest`` (None where measured elsewhere),
        ``state``, ``positions`` ("actual" or "commanded"), ``warnings`` (list of str).
    placed : PlacedSamples or None
        The samples where the beam was, one by one, where that is not on pixels.
    own : Inputs or None
        Counts of the channel alone, where those of others are merged into it; images are held against these.
    """

    frames: npt.NDArray[np.float32]
    visits: npt.NDArray[np.uint16] | npt.NDArray[np.float32]
    electrons_per_sample: float
    noise: Noise = "poisson"
    pixel_size_nm: float | None = None
    truth: npt.NDArray[np.float32] | None = None
    truth_columns: TrueColumns | None = None
    source: Mapping[str, Any] = field(default_factory=ReadOnlyMapping)
    placed: PlacedSamples | None = None
    own: Inputs | None = None
    _nearest: Callable[[], Inputs] | None = None

    def __post_init__(self) -> None:
        for name in ("frames", "visits", "truth"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, _read_only(array.view()))

    @classmethod
    def from_arrays(
        cls,
        frames: npt.ArrayLike,
        visits: npt.ArrayLike,
        electrons_per_sample: float,
        *,
        noise: str = "poisson",
        pixel_size_nm: float | None = None,
        truth: npt.ArrayLike | None = None,
        truth_columns: TrueColumns | None = None,
        source: Mapping[str, Any] | None = None,
        analogue: bool = False,
    ) -> Inputs:
        """Validate arrays and make an `Inputs` of them.

        Parameters
        ----------
        frames : array_like of real numbers, (T, H, W)
            Electrons summed per pass and pixel: finite, at least 0 unless `analogue`, and 0 where not visited.
            May be 0 everywhere.
        visits : array_like of integers or bool, (T, H, W)
            Samples per pass and pixel, 0..65535, not 0 everywhere.
        electrons_per_sample : float
            Lambda, above 0.
        noise : {"poisson", "eq5"}
        pixel_size_nm : float, optional
            Above 0.
        truth : array_like of real numbers, (H, W), optional
            Finite.
        analogue : bool
            The electrons are readings of an analogue detector less its offset, and may be below 0.

        Raises
        ------
        ReconError
            Where one of these expectations is not met.

        Examples
        --------
        >>> inputs = Inputs.from_arrays([[[4.0, 0.0]], [[6.0, 0.0]]], [[[1, 0]], [[1, 1]]], 10.0)
        >>> inputs.S, inputs.V
        (array([[1., 0.]], dtype=float32), array([[2., 1.]], dtype=float32))
        """
        known = {} if source is None else source
        if not isinstance(known, Mapping):
            raise ReconError(f"expected the source as a mapping, got {described(known)}; give a dict")
        dose = positive(electrons_per_sample, "electrons per sample")
        if noise not in get_args(Noise):
            raise ReconError(f"expected the noise model to be 'poisson' or 'eq5', got {noise!r}; give one of the two")
        counted = checked_frames(frames, analogue)
        visited = checked_visits(visits, counted.shape)
        check_unvisited(counted, visited)
        return cls(
            frames=counted,
            visits=visited,
            electrons_per_sample=dose,
            noise=cast(Noise, noise),
            pixel_size_nm=None if pixel_size_nm is None else positive(pixel_size_nm, "pixel size in nm"),
            truth=None if truth is None else checked_truth(truth, counted.shape[1:]),
            truth_columns=truth_columns,
            source=ReadOnlyMapping(known),
        )

    @classmethod
    def from_samples(
        cls, samples: PlacedSamples, electrons_per_sample: float, *, shared: bool = True, **known: Any
    ) -> Inputs:
        """Make an `Inputs` of samples at any positions, by bilinear deposit of counts and visits, or whole.

        Samples that lie outside of the grid are left out; ``source["warnings"]`` says so.

        Parameters
        ----------
        electrons_per_sample : float
            Lambda, above 0.
        shared : bool
            Share each sample among the pixels around it; otherwise each counts whole at the pixel nearest to it.
        **known
            `noise`, `pixel_size_nm`, `truth`, `truth_columns`, `source` and `analogue` of `from_arrays`.

        Returns
        -------
        Inputs
            Its visits are float32 where samples are shared.

        Raises
        ------
        ReconError
            As `from_arrays`.

        Examples
        --------
        >>> from stemscan.recon.inputs.gridding import PlacedSamples
        >>> inputs = Inputs.from_samples(PlacedSamples.of([8.0], [[0.0, 0.25]], (0, 1), (1, 2)), 1.0)
        >>> inputs.S, inputs.V, inputs.whole.V
        (array([[6., 2.]], dtype=float32), array([[0.75, 0.25]], dtype=float32), array([[1., 0.]], dtype=float32))
        """
        warnings = list((known.get("source") or {}).get("warnings", []))
        given, samples = len(samples.electrons), samples.inside()
        if len(samples.electrons) < given:
            left_out = given - len(samples.electrons)
            warnings.append(f"{left_out} of {counted(given, 'sample')} left out, outside of the grid")
        known["source"] = dict(known.get("source") or {}) | {"warnings": warnings}
        if not shared:
            return replace(cls._of_nearest(samples, electrons_per_sample, known), placed=samples)
        frames, shares = samples.bilinear()
        whole = cls.from_arrays(frames, np.ceil(shares).astype(np.int64), electrons_per_sample, **known)

        return replace(
            whole,
            visits=shares,
            placed=samples,
            _nearest=partial(cls._of_nearest, samples, electrons_per_sample, known),
        )

    @classmethod
    def _of_nearest(cls, samples: PlacedSamples, electrons_per_sample: float, known: Mapping[str, Any]) -> Inputs:
        """Each sample on the pixel nearest to it; a method, so that it can be pickled."""
        return cls.from_arrays(*samples.nearest(), electrons_per_sample, **known)

    def _rows(self) -> Rows:
        """Grid, samples, dose and origin, for people."""
        path = self.source.get("path")
        return [
            ("grid", f"{self.shape[0]} x {self.shape[1]} pixels, {counted(self.T, 'pass')}"),
            ("pixel size", "unknown" if self.pixel_size_nm is None else f"{self.pixel_size_nm:g} nm"),
            ("samples", f"{self.samples:,}, of mean signal {self.mean:.3g}"),
            ("dose per sample", f"{self.electrons_per_sample:g} e- detected at signal 1, {self.noise}"),
            ("truth", "none" if self.truth is None else "known"),
            ("source", "arrays" if path is None else str(path)),
        ]

    def __repr__(self) -> str:
        return as_text("Inputs", self._rows())

    def _repr_html_(self) -> str:
        return as_html("Inputs", self._rows())

    @cached_property
    def whole(self) -> Inputs:
        """The same samples with whole visits: each on the pixel nearest to it. Itself where no sample is shared."""
        return self if self._nearest is None else self._nearest()

    def part(self, rows: slice, columns: slice) -> Inputs:
        """Counts and visits of a part of the grid, without what is known of the specimen; arrays are views."""
        cut = (slice(None), rows, columns)
        return replace(
            self,
            frames=self.frames[cut],
            visits=self.visits[cut],
            truth=None,
            truth_columns=None,
            placed=None if self.placed is None else self.placed.part(rows, columns),
            own=None if self.own is None else self.own.part(rows, columns),
            _nearest=None if self._nearest is None else lambda: self.whole.part(rows, columns),
        )

    def detached(self) -> Inputs:
        """The same part, to be sent to another process without the grid that it is a part of."""
        return self if self._nearest is None else replace(self, _nearest=self.whole.detached)

    @property
    def T(self) -> int:
        """Number of passes."""
        return int(self.frames.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the scan grid."""
        return int(self.frames.shape[1]), int(self.frames.shape[2])

    @cached_property
    def S(self) -> npt.NDArray[np.float32]:
        """Counts over dose, summed over passes, (H, W): S = V times the signal in expectation."""
        summed: npt.NDArray[np.float32] = np.add.reduce(self.frames, axis=0)
        summed *= np.float32(1.0 / self.electrons_per_sample)
        return _read_only(summed)

    @cached_property
    def V(self) -> npt.NDArray[np.float32]:
        """Visits summed over passes, (H, W), as float32 because they serve as weights."""
        summed: npt.NDArray[np.float32] = np.add.reduce(self.visits, axis=0, dtype=np.float32)
        return _read_only(summed)

    @cached_property
    def samples(self) -> int:
        """Number of samples of all passes."""
        return round(float(np.add.reduce(self.visits, axis=None, dtype=np.float64)))

    @cached_property
    def mean(self) -> float:
        """Mean signal of the samples: all counts over dose and samples. The best constant image."""
        return float(np.add.reduce(self.frames, axis=None, dtype=np.float64)) / (
            self.electrons_per_sample * self.samples
        )


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, into which nothing can be written."""
    array.flags.writeable = False
    return array
