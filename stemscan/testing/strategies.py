"""Hypothesis strategies: any pattern, order, region and plan, and any controller profile."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stemscan.errors import PlanError
from stemscan.hardware.profile import ControllerProfile
from stemscan.plan.options import declared_options
from stemscan.plan.order import ORDERS
from stemscan.plan.patterns import PATTERNS
from stemscan.plan.scan_plan import ScanPlan

__all__ = ["orders", "patterns", "plans", "profiles", "regions"]


def patterns() -> st.SearchStrategy[dict[str, Any]]:
    """Patterns of every kind but lists, which need a file, as plain data."""
    return st.one_of([_pattern(kind) for kind, pattern in PATTERNS.items() if not pattern.needs_file])


def _pattern(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Patterns of a kind, of the values that it declares for tests."""
    tried = {one.field: one.option.tried for one in declared_options(kind, PATTERNS[kind])}
    fields = {name: st.floats(*of) if isinstance(of, tuple) else st.sampled_from(of) for name, of in tried.items()}
    return st.fixed_dictionaries({"kind": st.just(kind), **fields}).filter(_is_possible)


def _is_possible(data: dict[str, Any]) -> bool:
    """Tell whether the values of a pattern's fields go together."""
    try:
        PATTERNS[data["kind"]].model_validate(data)
    except PlanError:
        return False
    return True


def orders() -> st.SearchStrategy[dict[str, Any]]:
    """Orders that every pattern can be visited in, as plain data."""
    kinds = [kind for kind in ORDERS if kind not in ("own", "settle-aware")]
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
    exclusive = PATTERNS[data["pattern"]["kind"]].exclusive
    return {key: value for key, value in data.items() if key != "repeat" or exclusive}


def plans(
    *, max_side: int = 40, max_passes: int = 6, dwells_ns: st.SearchStrategy[int] | None = None
) -> st.SearchStrategy[ScanPlan]:
    """Valid plans of every kind of pattern, order, repetition and dose.

    Parameters
    ----------
    max_side : int
        Largest number of rows and of columns.
    max_passes : int
        Largest number of passes.
    dwells_ns : strategy of int, optional
        Dwell times in ns; 1 ns to 1 s unless given.
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
            "dwell_ns": st.integers(1, 10**9) if dwells_ns is None else dwells_ns,
            "dose": doses,
            "seed": st.integers(0, 2**64 - 1),
        },
        optional={
            "repeat": st.sampled_from(["independent", "exclusive"]),
            "order": orders(),
            "pixel_size_nm": st.floats(1e-4, 1e3),
        },
    ).map(lambda data: ScanPlan.from_dict(_possible(data)))


def profiles() -> st.SearchStrategy[ControllerProfile]:
    """Valid controller profiles with every key, whose grids hold 1 to 20000 codes a side."""
    dwells = st.tuples(st.integers(1, 1000), st.integers(1, 20), st.integers(0, 10**4), st.integers(0, 3)).map(
        lambda dwell: {
            "quantum_ns": dwell[0],
            "smallest": dwell[1],
            "largest": dwell[1] + dwell[2],
            "offset": min(dwell[1], dwell[3]),
        }
    )
    averaged = st.tuples(dwells, st.sampled_from(["all", "first-power-of-two"])).map(
        lambda both: {**both[0], "averaging": both[1]}
    )
    codes = st.one_of(st.integers(30, 20000), st.integers(1, 60))
    grids = st.fixed_dictionaries(
        {
            "columns": codes,
            "rows": codes,
            "fit": st.sampled_from(["integer", "stretch", "pixels"]),
            "origin": st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right"]),
            "transform": st.sampled_from(["none", "transpose"]),
        },
        optional={"bits": st.integers(15, 24)},
    )
    settles: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.fixed_dictionaries({"time_constant_ns": st.floats(1, 1e4), "tolerance_px": st.floats(0.01, 10)}),
        st.just({"per_jump": [[0, 30], [2.5, 0], [10, 5000], [500, 100000]]}),
    )
    links = st.fixed_dictionaries(
        {"bytes_per_second": st.floats(1, 1e12), "bytes_per_step": st.floats(0.5, 100)},
        optional={"bytes_per_blanking": st.floats(0, 10), "largest_command_bytes": st.integers(9, 10**6)},
    )
    return st.fixed_dictionaries(
        {"name": st.just("drawn"), "grid": grids, "dwell": averaged},
        optional={
            "blanker": st.sampled_from(["none", "asynchronous", "inline"]),
            "settle": settles,
            "flyback_ns": st.integers(0, 10**5),
            "link": links,
            "park": st.just([0, 0]),
            "limits": st.fixed_dictionaries({"max_samples": st.integers(100, 10**9)}),
        },
    ).map(ControllerProfile.model_validate)
