"""Last correction of the network's image by samples that were held out.

The regression is that of the Fourier estimate (`stemscan.recon.fourier_eb.regression`), and its measures those of the
network's image, which has the Fourier estimate and its parts beside it. It comes after the network: a network that gets
the corrected estimate loses a part of the correction, and a correction of the Fourier estimate does not fit the
network's image (docs/fshnet.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.analysis import analyse
from stemscan.recon.fourier_eb.domain import bin_sum
from stemscan.recon.fourier_eb.folds import fold_labels
from stemscan.recon.fourier_eb.measures import Seen
from stemscan.recon.fourier_eb.regression import FOLDS, Fold, correction
from stemscan.recon.fshnet.full_grid import FullGridNet, correct
from stemscan.recon.fshnet.full_grid_features import Features, features
from stemscan.recon.inputs.grids import bin_mean, upsample
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.threads import fits_together
from stemscan.types import Image

__all__ = ["corrected"]


def corrected(
    network: FullGridNet, inputs: Inputs, made: Features, image: Image, std: Image, device: str
) -> tuple[Image, Image]:
    """Correct a network's image; analysis and network run four times more.

    Parameters
    ----------
    network : FullGridNet
        Of the Fourier analysis.
    inputs : Inputs
        With whole visits.
    made : Features
        Of all samples.
    image, std : ndarray of float32, (H, W)
        Output of the network for them.
    device : str
        Of torch.

    Returns
    -------
    tuple of ndarray of float32, (H, W)
        Image, not clipped, and standard deviation.

    Raises
    ------
    ReconError
        When the network is of another analysis.
    """
    if network.analyse is not FullGridNet.analyse:
        raise ReconError("expected a network of the Fourier analysis for a regression, got another; leave it out")
    folds = _Folds(network, inputs, made.analysis.factor, device)
    error = float(np.mean(np.square(std, dtype=np.float64)))
    together = fits_together(inputs.shape, device)
    found = correction(
        folds.seen(made, image, inputs.S, inputs.V), made.analysis.variance, error, folds.fold, together=together
    )
    return image + upsample(found.image, folds.factor, inputs.shape), std * np.float32(found.std_share(error))


@dataclass(frozen=True, eq=False)
class _Folds:
    """Images without a fold of the samples, on the grid of the analysis."""

    network: FullGridNet
    inputs: Inputs
    factor: int
    device: str

    def fold(self, number: int) -> Fold:
        """Hold out the fold of that number."""
        inputs, mean = self.inputs, np.float32(self.inputs.mean)
        held = fold_labels(inputs.shape, FOLDS) == number
        summed, visits = (np.where(held, np.float32(0), one) for one in (inputs.S, inputs.V))
        at_factor = partial(analyse, factor=self.factor)
        made = features(
            summed, visits, inputs.electrons_per_sample, noise=inputs.noise, device=self.device, analyse=at_factor
        )
        image, _ = correct(self.network, made, self.device)
        out = bin_sum(inputs.V - visits, self.factor)
        return Fold(self.seen(made, image, summed, visits), bin_sum(inputs.S - summed, self.factor) - mean * out, out)

    def seen(self, made: Features, image: Image, summed: Image, visits: Image) -> Seen:
        """An image and its samples, with the Fourier estimates as parts."""
        mean, found = np.float32(self.inputs.mean), made.analysis
        parts = tuple(part - mean for part in (found.image, found.pilot, *found.parts))
        times = bin_sum(visits, self.factor)
        return Seen(bin_mean(image, self.factor) - mean, parts, bin_sum(summed, self.factor) - mean * times, times)
