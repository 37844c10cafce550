"""Hypothesis strategies for users' own tests; needs the extra `stemscan[testing]`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stemscan.plan import ScanPlan

__all__ = ["patterns", "plans"]


def patterns() -> st.SearchStrategy[dict[str, Any]]:
    """Patterns of every kind, as plain data."""
    blocks = st.integers(1, 9).flatmap(
        lambda block: st.fixed_dictionaries(
            {
                "kind": st.just("block-random"),
                "block": st.just(block),
                "samples_per_block": st.integers(1, block**2),
            }
        )
    )
    full = st.sampled_from([{"kind": "raster"}, {"kind": "serpentine"}])
    ratios = st.floats(1e-3, 1.0, allow_nan=False)
    uniform = st.fixed_dictionaries({"kind": st.just("uniform"), "ratio": ratios})
    line_hop = st.fixed_dictionaries({"kind": st.just("line-hop"), "height": st.integers(1, 20)})
    return st.one_of(blocks, full, uniform, line_hop)


def plans(*, max_side: int = 40, max_passes: int = 6) -> st.SearchStrategy[ScanPlan]:
    """Valid plans of every kind of pattern, order, repetition and dose.

    Parameters
    ----------
    max_side : int
        Largest number of rows and of columns.
    max_passes : int
        Largest number of passes.
    """
    names = ("electrons_per_sample", "total_electrons", "probe_current_pa")
    doses = st.tuples(st.sampled_from(names), st.floats(1e-3, 1e6), st.floats(1e-3, 1.0)).map(
        lambda dose: {dose[0]: dose[1], "collection": dose[2]}
    )
    sides = st.integers(1, max_side)
    return st.fixed_dictionaries(
        {
            "pattern": patterns(),
            "shape": st.tuples(sides, sides).map(list),
            "passes": st.integers(1, max_passes),
            "dwell_ns": st.integers(1, 10**9),
            "dose": doses,
            "seed": st.integers(0, 2**64 - 1),
        },
        optional={
            "repeat": st.sampled_from(["independent", "exclusive"]),
            "order": st.sampled_from(["serpentine-blocks", "raster", "serpentine", "random"]).map(
                lambda kind: {"kind": kind}
            ),
            "pixel_size_nm": st.floats(1e-4, 1e3),
        },
    ).map(ScanPlan.from_dict)
