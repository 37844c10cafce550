"""Panels of a plan, a growing scan and a reconstruction, as HTML: the same as on the page of `stemscan watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.display import as_table
from stemscan.recon.view.drawing import Chart, charts, figure, folded, log_lines, panels, side_by_side
from stemscan.recon.view.levels import Layer
from stemscan.recon.view.state import State, sum_layer
from stemscan.units import format_duration

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.reconstruction import Reconstruction
    from stemscan.recon.view.growing import GrowingScan
    from stemscan.recon.view.images import Images

__all__ = ["plan_panels", "reconstruction_panels", "scan_panels"]

_WINDOW: Final = 64
_SUMMED: Final = 1 << 24
"""Samples of a plan that is expanded to be summed up, at most."""

_SUMS: Final = {"pass": "counts of this pass", "visits": "samples per pixel", "path": "path of the last second"}
_IMAGES: Final = {"std": "standard deviation", "z": "contradictions"}


def plan_panels(plan: ScanPlan) -> str:
    """The first pass in time, in the corner, and what the plan costs."""
    from stemscan.path.scan_path import ScanPath

    path = ScanPath(plan)
    first = path.positions(0, min(plan.samples_per_pass, _SUMMED))
    rows, columns = (min(side, _WINDOW) for side in plan.shape)
    inside = np.flatnonzero((first[:, 0] < rows) & (first[:, 1] < columns))
    way = np.insert(first[inside].astype(float), np.flatnonzero(np.diff(inside) > 1) + 1, np.nan, axis=0)

    def corner(axes: Any) -> None:
        axes.plot(way[:, 1], way[:, 0], "-", color="0.6", linewidth=0.6)
        axes.scatter(first[inside, 1], first[inside, 0], c=inside, s=9, cmap="viridis", lw=0, zorder=2)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")

    age = np.zeros(plan.shape, np.float32)
    age[first[:, 0], first[:, 1]] = np.linspace(0.01, 1, len(first), dtype=np.float32)
    whole = Layer(age, (age > 0).astype(np.uint8), "viridis", (0.0, 1.0))
    table = plan.summary().rows() if len(path) <= _SUMMED else plan._rows()
    drawn = charts({f"top left {rows} x {columns} pixels of pass 1": corner})
    shown = side_by_side([figure("time in pass 1, from 0 to 1", whole, plan.pixel_size_nm), f"<div>{drawn}</div>"])
    return panels("ScanPlan", "", [shown, as_table(table)])


def reconstruction_panels(done: Reconstruction) -> str:
    """Image, standard deviation, contradictions, and how they came about."""
    layers = {"image": Layer(done.image, None, "grey")}
    if done.std is not None:
        layers["standard deviation"] = Layer(done.std, None, "cividis")
    if done.checked is not None:
        limit = float(done.checked.threshold)
        layers["contradictions"] = Layer(done.checked.z, None, "signed", (-limit, limit))
    figures = [figure(name, layer, done.pixel_size_nm) for name, layer in layers.items()]
    return panels(f"Reconstruction by {done.method}", "", [side_by_side(figures), as_table(done._rows())])


def scan_panels(scan: GrowingScan, state: State, images: Images) -> str:
    """Counts and the image that they make, then charts, dose and log."""
    facts, store = state.facts(images), scan.acquisition
    title = f"Acquisition {str(scan.path)!r}"
    if store is None:
        return panels(title, "", [], problem=scan.problem)
    size, layers = store.pixel_size_nm, images.layers
    main = [figure("mean electrons of a sample", sum_layer(scan, "raw"), size)]
    if "image" in layers:
        main.append(figure(f"reconstruction of {facts['image']['samples']:,} samples", layers["image"], size))
    more = [figure(words, sum_layer(scan, name), size) for name, words in _SUMS.items()]
    more += [figure(words, layers[name], size) for name, words in _IMAGES.items() if name in layers]
    head = [
        ("samples", f"{facts['samples']:,} of {facts['total']:,}"),
        ("pixels visited", f"{100 * facts['visited']:.3g} % in pass {facts['pass']} of {facts['passes']}"),
    ]
    if facts["seconds_left"] is not None:
        head.append(("time left", format_duration(round(1e9 * facts["seconds_left"]))))
    parts = [
        as_table(head),
        side_by_side(main),
        charts(_charts(facts)),
        as_table(_dose_rows(facts)),
        folded("Pass, coverage, path, standard deviation, contradictions", side_by_side(more)),
        folded("Log", log_lines(facts["log"])),
    ]
    return panels(title, facts["words"], parts, problem=scan.problem or images.problem)


def _dose_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The ledger against the limit."""
    rows = [(str(name), f"{time}, {electrons}") for name, time, electrons in facts["dose"]["rows"]]
    area, limit = facts["dose"]["area"], facts["dose_limit"]
    if area is not None:
        rows.append(("mean dose", f"{area:.4g} e-/A^2" + ("" if limit is None else f" of at most {limit:.4g}")))
    return rows


def _charts(facts: dict[str, Any]) -> dict[str, Chart]:
    """Charts that there is something for, by title."""
    found: dict[str, Chart] = {}
    if facts["counts"]["numbers"]:
        found["counts"] = lambda axes: _counts(axes, facts["counts"])
    if facts["spread"] is not None:
        found["noise"] = lambda axes: _noise(axes, facts["spread"])
    if facts["quality"]:
        found["quality"] = lambda axes: _quality(axes, facts["quality"])
    if lines := {name: line for name, line in facts["drift"].items() if isinstance(line, dict) and "times" in line}:
        found["drift"] = lambda axes: _drift(axes, lines)
    return found


def _counts(axes: Any, counts: dict[str, Any]) -> None:
    """Samples by electrons, against Poisson."""
    edges = counts["edges"]
    axes.stairs(counts["numbers"], edges, fill=True, color="0.75", label="samples")
    axes.stairs(counts["expected"], edges, color="tab:orange", label=counts["by"])
    axes.set(xlabel="electrons of a sample")
    axes.legend(frameon=False, fontsize="x-small")


def _noise(axes: Any, spread: dict[str, Any]) -> None:
    """Variance against mean, against that of counting."""
    top = max(value for value in spread["means"] if value is not None)
    axes.plot([0, top], [0, top], "-", color="tab:orange", label="counting alone")
    means, variances = (np.array(spread[name], float) for name in ("means", "variances"))
    axes.errorbar(means, variances, 2 * np.array(spread["errors"], float), fmt="k.", label=f"by {spread['against']}")
    axes.set(xlabel="mean, electrons", ylabel="variance")
    axes.legend(frameon=False, fontsize="x-small")


def _quality(axes: Any, quality: list[tuple[int, float]]) -> None:
    """PSNR by samples held out, against passes."""
    axes.plot(*zip(*quality, strict=True), "o-", markersize=3)
    axes.set(xlabel="passes", ylabel="PSNR by samples held out, dB")


def _drift(axes: Any, lines: dict[str, Any]) -> None:
    """Trajectories that are known."""
    for name, line in lines.items():
        style = "--" if name == "truth" else "-"
        axes.plot(line["times"], line["rows"], style, color="tab:blue", label=f"{name}, rows")
        axes.plot(line["times"], line["columns"], style, color="tab:orange", label=f"{name}, columns")
    axes.set(xlabel=next(iter(lines.values()))["unit"], ylabel="offset, px")
    axes.legend(frameon=False, fontsize="x-small")
