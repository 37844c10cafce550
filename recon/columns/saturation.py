"""Saturated detectors: many samples at one largest value, which counting alone never gives.

It is seen where a thousandth of the samples is cut off at ten counts or more, but not of counts cut at two or three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["saturated_share"]

_LEAST: Final = 0.001
_FEWEST: Final = 10
_HEAP: Final = 2.0
"""By how much the largest value must be more frequent than the next two predict; of log-concave laws it is rarer."""


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
    0.25
    """
    whole = inputs.whole
    single = whole.frames[whole.visits == 1]
    if single.size < 2:
        return 0.0
    _, numbers = np.unique(single, return_counts=True)
    top, below = int(numbers[-1]), numbers[-2::-1].tolist()
    if not below or top < max(_FEWEST, _LEAST * single.size):
        return 0.0
    foretold = below[0] ** 2 / below[1] if len(below) > 1 else below[0]
    return top / single.size if top > _HEAP * foretold else 0.0
