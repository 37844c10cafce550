"""Facts of a growing scan as plain data for a page: progress, dose, time, counts, path, log."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.acquisition.stopping import dose_so_far
from stemscan.recon.view.growing import DARKEST, GrowingScan
from stemscan.store.reader import Acquisition
from stemscan.units import counted, format_count, format_duration

__all__ = [
    "Expectations",
    "counts_of",
    "dose_of",
    "expectations",
    "fixed_facts",
    "log_of",
    "path_of",
    "progress_of",
    "spread_of",
]

Expectations = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Expected electrons, and the share of samples that expect them."""

_BINS: Final = 60
_MOST_MOVES: Final = 300
_LOOKED_AT: Final = 1 << 20
"""Pixels that are looked at, about."""

_PARTS: Final = ("dwell", "settle", "transit", "park")
_EVENTS: Final = {
    "created": "begun",
    "resumed": "resumed",
    "aborted": "stopped before the end; --resume goes on",
    "completed": "complete",
    "rewound": "samples taken back to be exposed again",
    "doubted": "samples in doubt",
    "asked": "asked for",
}


def fixed_facts(store: Acquisition) -> dict[str, Any]:
    """Facts that stay while a scan goes on."""
    dose = None if store.plan is None else store.plan.dose_e_per_A2
    return {
        "name": store.path.name,
        "shape": list(store.shape),
        "passes": store.passes,
        "total": store.total_samples,
        "pixel_size_nm": store.pixel_size_nm,
        "channels": [one.name for one in store.channels],
        "dose_planned": dose,
        "dose_limit": None if store.plan is None else store.plan.limits.max_dose_e_per_A2,
        "electrons_per_sample": store.electrons_per_sample,
    }


def progress_of(scan: GrowingScan) -> dict[str, Any]:
    """How far the scan is, and how much of the grid was visited."""
    store = scan.acquisition
    assert store is not None
    visited = np.count_nonzero(scan.visits) / max(scan.visits.size, 1)
    return {
        "state": store.state,
        "samples": scan.samples,
        "committed": store.samples_committed,
        "pass": scan.number + 1,
        "visited": visited,
        "stopped": None if store.stopped is None else store.stopped["reason"],
    }


def dose_of(store: Acquisition, samples: int) -> dict[str, Any]:
    """The ledger: times and electrons of the beam by what it did, and the mean dose where it is known.

    A replay shows fewer samples than the store has: their share of the dose.
    """
    ledger, rows = store.ledger, []
    if ledger is None:
        return {"rows": [], "area": None, "electrons": None}
    share = samples / max(store.samples_committed, 1)
    for name in _PARTS:
        entry = ledger[name]
        if entry["time_ns"]:
            rows.append([name, format_duration(entry["time_ns"]), f"{entry['electrons']:.4g} e⁻"])
    again = ledger["samples_exposed_again_at_most"]
    if again:
        rows.append(["exposed again", "at most", counted(again, "sample")])
    known = dose_so_far(store)
    return {
        "rows": rows,
        "area": None if known is None else share * sum(known),
        "electrons": share * sum(ledger[name]["electrons"] for name in _PARTS),
    }


def counts_of(scan: GrowingScan, expected_of: Expectations | None = None) -> dict[str, Any]:
    """Histogram of the electrons of samples, and what Poisson counts of an image, or of their mean, would give.

    Parameters
    ----------
    expected_of : tuple of ndarray, optional
        `expectations` of an image; the mean of all samples without them.

    Returns
    -------
    dict
        `edges` of bins of electrons, `numbers` of samples, `expected` likewise, and by what, in words.
    """
    filled = np.flatnonzero(scan.histogram)
    if not filled.size:
        return {"edges": [], "numbers": [], "expected": [], "by": ""}
    first, last = int(filled[0]), int(filled[-1])
    step = max(1, -(-(last + 1 - first) // _BINS))
    starts = np.arange(first, last + 1, step)
    numbers = np.add.reduceat(scan.histogram[: last + 1], starts)
    by = "Poisson of the mean" if expected_of is None else "Poisson of the reconstruction"
    if expected_of is None:
        mean = float(scan.sums.sum(dtype=np.float64)) / max(scan.samples, 1)
        expected_of = np.array([mean]), np.ones(1)
    share = _poisson(expected_of, last + DARKEST)
    expected = np.zeros(last + 1)
    expected[max(0, -DARKEST) :] = share[: last + 1 + DARKEST] * scan.samples if last + DARKEST >= 0 else 0
    binned = np.add.reduceat(expected, starts)
    edges = [*(int(one) + DARKEST for one in starts), int(starts[-1]) + step + DARKEST]
    return {"edges": edges, "numbers": numbers.tolist(), "expected": _rounded(binned), "by": by}


def expectations(scan: GrowingScan, image: npt.NDArray[Any] | None) -> Expectations | None:
    """Electrons that samples are expected to count, in bins, and the share of samples in each; None without an image.

    Of large frames by a part of the pixels, an odd number apart.
    """
    store = scan.acquisition
    if store is None or image is None or image.shape != scan.visits.shape:
        return None
    step = image.size // _LOOKED_AT | 1
    signal = np.maximum(image.reshape(-1)[::step], 0) * store.electrons_per_sample
    weights, edges = np.histogram(signal, bins=200, weights=scan.visits.reshape(-1)[::step])
    return (edges[1:] + edges[:-1]) / 2, weights / max(weights.sum(), 1)


def _poisson(expected: Expectations, last: int) -> npt.NDArray[np.float64]:
    """Share of samples that count 0 .. last electrons, of a mixture of Poisson distributions."""
    from scipy.special import gammaln, xlogy

    numbers = np.arange(max(last, 0) + 1)[None, :]
    means = np.maximum(expected[0], 1e-9)[:, None]
    return np.asarray(expected[1] @ np.exp(xlogy(numbers, means) - means - gammaln(numbers + 1)))


def spread_of(scan: GrowingScan) -> dict[str, Any] | None:
    """Variance of counts against their mean; None where it cannot be known."""
    spread = scan.spread
    if spread is None or not len(spread.means):
        return None
    slope = float(spread.variances.sum() / max(spread.means.sum(), 1e-12))
    return {
        "means": _rounded(spread.means),
        "variances": _rounded(spread.variances),
        "errors": _rounded(spread.errors),
        "slope": slope,
        "against": spread.against,
    }


def path_of(scan: GrowingScan) -> dict[str, Any]:
    """The last moves of the beam, and how many samples the last second had."""
    recent = scan.recent
    return {"moves": recent[-_MOST_MOVES:].tolist(), "samples": len(recent)}


def log_of(store: Acquisition) -> list[list[str]]:
    """Events of the store's history, time and text each, and its warnings."""
    lines = []
    for entry in store.history:
        name = str(entry.get("event", ""))
        words = [_EVENTS.get(name, name), str(entry.get("request", "")), str(entry.get("reason", ""))]
        if "samples_kept" in entry:
            words.append(f"{format_count(int(entry['samples_kept']))} kept")
        lines.append([str(entry.get("time", "")), ": ".join(word for word in words if word)])
    doubt = () if store.doubt is None else (f"in doubt from sample {store.doubt['proven']} on",)
    return lines + [["", words] for words in doubt]


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Numbers of four digits, for a page; None for those that are none."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values]
