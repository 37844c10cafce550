"""Cases of an evaluation under the protocol of the published code; `stemscan.recon.evaluation.protocols` names it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.images import ImageSource, loaded
from stemscan.recon.evaluation.scans import Made, Scans
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.paper.contender import reconstruct_published, shifted_inputs
from stemscan.recon.paper.protocol import FACTOR, PublishedScan, published_scan
from stemscan.types import Image

__all__ = ["SCANS"]


class _PublishedScans:
    """See `stemscan.recon.evaluation.scans.Scans`: the truth has half the resolution of the scan."""

    def reconstructed(self, case: Case, threads: int) -> tuple[Made, Image]:
        """Reconstruct a draw of the protocol; and its truth, with [0, 1] as its range."""
        drawn = _draw_of(case)
        made = reconstruct_published(drawn, case.cell.dose, case.contender, device=case.device, threads=threads)
        image, truth = (_normalised(one, drawn.truth) for one in (made.image, drawn.truth))
        return Made(image, None, made.seconds, made.factor), truth

    def pictured(self, case: Case) -> tuple[Inputs, Image]:
        """Samples as counts on the scale of the truth."""
        drawn = _draw_of(case)
        shifted = shifted_inputs(drawn, case.cell.dose).inputs
        inputs = replace(
            shifted,
            frames=shifted.frames * np.float32(case.cell.dose / shifted.electrons_per_sample),
            electrons_per_sample=case.cell.dose,
            pixel_size_nm=loaded(case.image).pixel_size_nm,
        )
        return inputs, self.on_scan_grid(_normalised(drawn.truth, drawn.truth))

    def on_scan_grid(self, image: Image) -> Image:
        """Each pixel twice in both directions."""
        return image.repeat(FACTOR, axis=0).repeat(FACTOR, axis=1)


SCANS: Final[Scans] = _PublishedScans()


def _normalised(image: Image, truth: Image) -> Image:
    """An image shifted and scaled as brings the truth to [0, 1], so that PSNR's data range is the truth's."""
    low, span = float(truth.min()), float(np.ptp(truth))
    scaled: Image = ((image.astype(np.float64) - low) / span).astype(np.float32)
    return scaled


def _draw_of(case: Case) -> PublishedScan:
    """The draw of the published protocol of a case's image, the same for all contenders."""
    return _draw(case.image, case.cell.samples_per_block, case.cell.dose, case.scan_seed)


@lru_cache(maxsize=2)
def _draw(image: ImageSource, samples_per_block: int, dose: float, seed: int) -> PublishedScan:
    """A draw of the published protocol; the last ones are kept."""
    coarse = loaded(image).coarse
    rows, columns = (side // 4 * 4 for side in coarse.shape)
    return published_scan(coarse[:rows, :columns], samples_per_block, dose, seed)
