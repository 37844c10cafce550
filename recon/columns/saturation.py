"""Saturated detectors: many samples at one largest value, which counting alone never gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["saturated_share"]

_LEAST: Final = 0.002
_HEAP: Final = 5.0
"""How many times as frequent the largest value must be as the next; of counts it is rarer."""


def saturated_share(inputs: Inputs) -> float:
    """Share of the samples that hold the largest value, where that heaps up as of a saturated detector; else 0.

    Examples
    --------
    >>> import numpy as np
    >>> from stemscan.recon.inputs.inputs import Inputs
    >>> counts = np.random.default_rng(1).poisson(50, (1, 64, 64))
    >>> visits = np.ones(counts.shape, int)
    >>> saturated_share(Inputs.from_arrays(counts, visits, 50.0))
    0.0
    >>> round(saturated_share(Inputs.from_arrays(counts.clip(max=55), visits, 50.0)), 2)
    0.24
    """
    whole = inputs.whole
    single = whole.frames[whole.visits == 1]
    if single.size < 2:
        return 0.0
    largest = single.max()
    top = int(np.count_nonzero(single == largest))
    rest = single[single < largest]
    if not rest.size:
        return 0.0
    heap = top > _HEAP * np.count_nonzero(rest == rest.max()) and top >= _LEAST * single.size
    return top / single.size if heap else 0.0
