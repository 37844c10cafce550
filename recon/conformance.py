"""Requirements on every reconstruction method, as tests that run on any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from stemscan.errors import UsageError
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.grids import coarse_shape
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.registry import AnyMethod, method_of
from stemscan.recon.run import reconstruct
from stemscan.types import Image

__all__ = ["MethodConformance", "check_method"]


_DOSE = 10.0


class MethodConformance:
    """Tests of a method: derive from it, say which method, and let pytest or unittest collect the class.

    Attributes
    ----------
    method : str, Method or callable
        As for `stemscan.recon.run.reconstruct`; a plain function in a class is written ``staticmethod(function)``.
    weights : Path or None
        For a method that runs weights.
    settings : dict
        Values of settings without default, and of others that make the tests short.
    passes : tuple of int
        Numbers of passes that it takes.
    shapes : tuple of (int, int)
        Rows and columns that it takes.
    offset : float
        Largest difference between the means of image and samples, in units of the largest signal.
    fills_gaps : bool
        True if a pixel far from all samples gets a value like theirs. Say False of a method that is known not to.

    Examples
    --------
    >>> class TestConstant(MethodConformance):
    ...     method = "constant"
    >>> TestConstant().test_nothing_counted_is_dark()
    """

    method: ClassVar[AnyMethod]
    weights: ClassVar[Path | None] = None
    settings: ClassVar[dict[str, Any]] = {}
    passes: ClassVar[tuple[int, ...]] = (1, 2, 4, 7)
    shapes: ClassVar[tuple[tuple[int, int], ...]] = ((32, 32), (48, 20), (21, 37))
    offset: ClassVar[float] = 0.12
    fills_gaps: ClassVar[bool] = True

    # ------------------------------------------------------------------ what comes back

    def test_image_is_the_signal_on_the_absolute_scale(self) -> None:
        """A finite float32 image on the plan's grid, of counts over dose."""
        inputs = _scan((40, 56))
        made = self._run(inputs)
        assert made.image.shape == inputs.shape, f"expected an image of {inputs.shape}, got {made.image.shape}"
        assert made.image.dtype == np.float32, f"expected float32, got {made.image.dtype}"
        mean = float(made.image.mean())
        assert abs(mean - inputs.mean) <= self.offset, f"expected a mean near {inputs.mean:.3f}, got {mean:.3f}"

    def test_its_own_grid_is_that_of_its_factor(self) -> None:
        """The image and its standard deviation on the grid on which it works."""
        inputs = _scan((37, 44))
        made = self._run(inputs, grid="native")
        expected = coarse_shape(inputs.shape, made.factor)
        for array in (made.image, made.std):
            assert array is None or array.shape == expected, f"expected a shape of {expected}, got {array.shape}"

    def test_settings_are_noted_as_plain_data(self) -> None:
        """Numbers, words, lists: all that is needed to do it again, and that can be written to a file."""
        json.dumps(dict(self._run(_scan((24, 24))).settings), allow_nan=False)

    def test_image_is_held_against_the_counts(self) -> None:
        """A finite z for each pixel of the image, on either grid; none where no sample is near."""
        inputs = _scan((45, 52))
        for grid in ("plan", "native"):
            made = self._run(inputs, grid=grid)
            z = made.contradiction
            assert z is not None, "expected a contradiction, got none"
            assert z.shape == made.image.shape, f"expected z of shape {made.image.shape}, got {z.shape}"
            assert np.isfinite(z).all(), "expected finite z"
            assert all(abs(z[place.row, place.col]) == abs(place.z) for place in made.contradictions)

    # ------------------------------------------------------------------ what it may depend on

    def test_inputs_are_left_as_they_were(self) -> None:
        """Other methods get the same ones."""
        inputs, untouched = _scan((32, 40)), _scan((32, 40))
        self._run(inputs)
        for name in ("frames", "visits", "S", "V"):
            same = np.array_equal(getattr(inputs, name), getattr(untouched, name))
            assert same, f"expected inputs.{name} to stay as it was, got other values; work on a copy"

    def test_same_inputs_give_the_same_bits(self) -> None:
        """Random numbers come from a seed among the settings."""
        np.random.seed(1)  # noqa: NPY002 - which no method may read
        first = self._run(_scan((32, 40)))
        np.random.seed(2)  # noqa: NPY002
        self._same(self._run(_scan((32, 40))), first, 0.0, "run again")

    def test_number_of_threads_does_not_matter(self) -> None:
        """But for the last digits of sums."""
        inputs = _scan((48, 40))
        self._same(self._run(inputs, threads=2), self._run(inputs, threads=1), 1e-4, "on two threads")

    def test_truth_is_not_looked_at(self) -> None:
        """The image of a scan is the same whatever its truth."""
        scans = [_scan((32, 40), truth=truth) for truth in (None, np.zeros((32, 40), np.float32))]
        self._same(self._run(scans[0]), self._run(scans[1]), 0.0, "with another truth")

    # ------------------------------------------------------------------ what it must take

    def test_any_grid(self) -> None:
        """Square, wide, narrow, odd."""
        for shape in self.shapes:
            assert self._run(_scan(shape)).image.shape == shape, f"expected an image of {shape}"

    def test_any_number_of_passes(self) -> None:
        """One, a few, many."""
        for passes in self.passes:
            self._run(_scan((32, 32), passes=passes))

    def test_pixels_visited_more_than_once(self) -> None:
        """In one pass too; the image stays on the absolute scale."""
        inputs = _scan((32, 32), visits=3)
        mean = float(self._run(inputs).image.mean())
        assert abs(mean - inputs.mean) <= self.offset, f"expected a mean near {inputs.mean:.3f}, got {mean:.3f}"

    def test_pixels_without_a_visit_are_unknown_and_not_dark(self) -> None:
        """A gap in a bright specimen is filled with what is around it."""
        inputs = _scan((48, 48), gap=True)
        inside = float(self._run(inputs).image[20:28, 20:28].mean())
        assert not self.fills_gaps or inside > 0.25 * inputs.mean, (
            f"expected a gap near {inputs.mean:.3f}, got {inside:.3f}; use inputs.V"
        )

    def test_nothing_counted_is_dark(self) -> None:
        """Samples without a single electron."""
        visits = _scan((32, 32)).visits
        image = self._run(Inputs.from_arrays(np.zeros(visits.shape), visits, _DOSE)).image
        assert np.abs(image).max() < 0.05, f"expected an image near 0, got up to {np.abs(image).max():.3f}"

    def test_every_pixel_visited(self) -> None:
        """A raster scan."""
        self._run(_scan((32, 32), ratio=1.0))

    def test_samples_between_pixels(self) -> None:
        """Visits that are fractions, of a beam that was not where it was sent."""
        generator = np.random.default_rng(3)
        places = generator.random((400, 2)) * 31
        counts = generator.poisson(0.5 * _DOSE, 400).astype(np.float64)
        passes = max(self.passes)
        starts = tuple(400 * number // passes for number in range(passes))
        inputs = Inputs.from_samples(PlacedSamples.of(counts, places, starts, (32, 32)), _DOSE)
        mean = float(self._run(inputs).image.mean())
        assert abs(mean - 0.5) <= self.offset, f"expected a mean near 0.5, got {mean:.3f}"

    def test_noise_of_equation_5(self) -> None:
        """Where the signal multiplies counts of the same mean."""
        self._run(_scan((32, 32), noise="eq5"))

    # ------------------------------------------------------------------ settings

    def test_settings_have_names(self) -> None:
        """Defaults that are given change nothing; unknown names are refused."""
        method, inputs = method_of(self.method), _scan((24, 24))
        known = {name: one.default for name, one in method.settings().items() if not one.required}
        defaults = {name: default for name, default in known.items() if name not in self.settings}
        self._same(self._run(inputs, **defaults), self._run(inputs), 0.0, "with its defaults given")
        try:
            self._run(inputs, no_such_setting=1)
        except UsageError:
            return
        raise AssertionError("expected a setting that does not exist to be refused, got an image; avoid **settings")

    # ------------------------------------------------------------------ how it is run

    def _run(self, inputs: Inputs, **more: Any) -> Reconstruction:
        """Reconstruct on the CPU; `reconstruct` refuses what is not finite, of another type or shape."""
        return reconstruct(inputs, self.method, weights=self.weights, device="cpu", **{**self.settings, **more})

    def _same(self, one: Reconstruction, other: Reconstruction, tolerance: float, how: str) -> None:
        """Compare images and standard deviations."""
        for name, now, before in (("image", one.image, other.image), ("std", one.std, other.std)):
            if now is None or before is None:
                assert now is before, f"expected the same {name} {how}, got one of two"
            else:
                worst = float(np.abs(now - before).max())
                assert worst <= tolerance, f"expected the same {name} {how}, got differences up to {worst:.3g}"


def check_method(method: AnyMethod, **attributes: Any) -> None:
    """Run all tests of `MethodConformance` on a method.

    Parameters
    ----------
    **attributes
        Others of the class.

    Raises
    ------
    AssertionError
        When the method fails one.
    StemscanError
        As `reconstruct`.

    Examples
    --------
    >>> check_method(lambda inputs, level=0.5: inputs.V * 0 + inputs.mean)
    """
    suite = type("Suite", (MethodConformance,), {**attributes, "method": method_of(method)})()
    for name in [name for name in dir(suite) if name.partition("_")[0] == "test"]:
        getattr(suite, name)()


def _scan(
    shape: tuple[int, int],
    *,
    passes: int = 4,
    ratio: float = 0.1,
    visits: int = 1,
    gap: bool = False,
    noise: str = "poisson",
    truth: Image | None = None,
) -> Inputs:
    """A sparse scan of a lattice of bright columns; always the same one."""
    generator = np.random.default_rng(5)
    row, column = np.arange(shape[0])[:, None], np.arange(shape[1])
    signal = 0.5 + 0.4 * np.cos(2 * np.pi * row / 9) * np.cos(2 * np.pi * column / 11)
    visited = visits * (generator.random((passes, *shape)) < ratio).astype(np.uint16)
    visited[0, 0, 0] = visits
    if gap:
        visited[:, shape[0] // 3 : 2 * shape[0] // 3, shape[1] // 3 : 2 * shape[1] // 3] = 0
    mean = _DOSE * visited
    counts = generator.poisson(mean * signal) if noise == "poisson" else signal * generator.poisson(mean)
    return Inputs.from_arrays(counts, visited, _DOSE, noise=noise, truth=truth)
