"""Hypothesis strategies: any pattern, order, region and plan."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stemscan.plan import ScanPlan

__all__ = ["orders", "patterns", "plans", "regions"]

_NEVER_EXCLUSIVE = ("spiral", "lissajous", "random-walk", "blue-noise")


def patterns() -> st.SearchStrategy[dict[str, Any]]:
    """Patterns of every kind but lists, which need a file, as plain data."""
    blocks = st.integers(1, 9).flatmap(
        lambda block: st.fixed_dictionaries(
            {
                "kind": st.just("block-random"),
                "block": st.just(block),
                "samples_per_block": st.integers(1, block**2),
            }
        )
    )
    full = st.sampled_from([{"kind": "raster"}, {"kind": "serpentine"}, {"kind": "hilbert"}])
    ratios = st.floats(1e-3, 1.0, allow_nan=False)
    uniform = st.fixed_dictionaries({"kind": st.just("uniform"), "ratio": ratios})
    line_hop = st.fixed_dictionaries({"kind": st.just("line-hop"), "height": st.integers(1, 20)})
    spacings = st.floats(0.5, 20)
    spiral = st.fixed_dictionaries({"kind": st.just("spiral"), "pitch": spacings, "spacing": spacings})
    cycles = st.sampled_from([[1, 1], [1, 2], [3, 2], [15, 16], [31, 7]])
    lissajous = st.fixed_dictionaries({"kind": st.just("lissajous"), "cycles": cycles, "ratio": st.floats(1e-3, 2)})
    blue_noise = st.fixed_dictionaries({"kind": st.just("blue-noise"), "ratio": ratios})
    walk = st.fixed_dictionaries(
        {"kind": st.just("random-walk"), "ratio": st.floats(1e-3, 2), "step": st.integers(1, 5)}
    )
    strides = st.integers(1, 9)
    interleaved = st.fixed_dictionaries(
        {"kind": st.just("interleaved"), "row_stride": strides, "column_stride": strides}
    )
    return st.one_of(blocks, full, uniform, line_hop, spiral, lissajous, blue_noise, walk, interleaved)


def orders() -> st.SearchStrategy[dict[str, Any]]:
    """Orders that every pattern can be visited in, as plain data."""
    kinds = ("serpentine-blocks", "raster", "serpentine", "random", "shortest", "delocalised")
    plain = st.sampled_from(kinds).map(lambda kind: {"kind": kind})
    limited = st.floats(1, 50).map(lambda jump: {"kind": "shortest", "max_jump_px": jump})
    settles: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.fixed_dictionaries({"time_constant_ns": st.integers(1, 10**6), "tolerance_px": st.floats(0.01, 10)}),
        st.just({"per_jump": [[0, 0], [2.5, 0], [10, 5000], [500, 100000]]}),
    )
    return st.one_of(plain, limited, settles.map(lambda settle: {"kind": "settle-aware", "settle": settle}))


def regions(max_side: int = 40) -> st.SearchStrategy[dict[str, Any]]:
    """Polygons on and around a grid with sides of up to `max_side` pixels, as plain data."""
    places = st.floats(-0.2 * max_side, 1.2 * max_side)
    corners = st.lists(st.tuples(places, places).map(list), min_size=3, max_size=8)
    return corners.map(lambda points: {"kind": "polygon", "points": points})


def _possible(data: dict[str, Any]) -> dict[str, Any]:
    """Without a repetition that the pattern does not have."""
    kind = data["pattern"]["kind"]
    return {key: value for key, value in data.items() if key != "repeat" or kind not in _NEVER_EXCLUSIVE}


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
            "order": orders(),
            "pixel_size_nm": st.floats(1e-4, 1e3),
        },
    ).map(lambda data: ScanPlan.from_dict(_possible(data)))
