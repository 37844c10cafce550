"""Markdown of the task of columns: figures by ratio and by specimen, and what error bars cover."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stemscan.recon.evaluation.cases import percent
from stemscan.recon.evaluation.columns.limits import worst_columns
from stemscan.recon.evaluation.columns.measures import (
    COLUMN_STRATA,
    Figures,
    class_ranks,
    coverage_of_columns,
    coverage_of_pixels,
    figures,
)
from stemscan.recon.evaluation.columns.specimens import MADE
from stemscan.recon.evaluation.columns.strata import STRATA
from stemscan.types import Floats
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.evaluation.session import Evaluation

__all__ = ["Choice", "Pool", "columns_markdown", "columns_means", "columns_overview"]

_HEADS: Final[Mapping[str, tuple[str, str]]] = {
    "regular": ("error over bound, regular", ".2f"),
    "displaced": ("displaced", ".2f"),
    "slope": ("slope", ".2f"),
    "fill": ("fill of vacancies", ".2f"),
    "auc_vacancy": ("AUC of vacancies", ".3f"),
    "auc_displaced": ("AUC of displaced", ".3f"),
    "false": ("false", ".1f"),
    "missed": ("missed", ".1f"),
}


class Choice(NamedTuple):
    """Ratio and dose of scans, and the kind of specimen and class of columns; None for all of them."""

    samples_per_block: int
    dose: float
    specimen: str | None = None
    kind: int | None = None


class Pool:
    """Findings of an evaluation, by contender, specimen and cell.

    Parameters
    ----------
    done : Evaluation
        Of the set of specimens whose columns are known.
    """

    def __init__(self, done: Evaluation) -> None:
        self.done = done
        self._found: dict[str, list[tuple[str, int, float, Mapping[str, Floats]]]] = {}
        for case, row in zip(done.cases, done.rows, strict=True):
            if case.image.set != "columns" or row.measured.error:
                continue
            if (found := done.cache.found(case)) is not None:
                entry = (specimen_of(case.image.name), case.cell.samples_per_block, case.cell.dose, found)
                self._found.setdefault(case.contender.label, []).append(entry)

    @property
    def labels(self) -> list[str]:
        """Contenders of which something was found, in the order asked for."""
        return [one.label for one in self.done.request.contenders if one.label in self._found]

    def of(self, label: str, chosen: Choice) -> list[Mapping[str, Floats]]:
        """Findings of a contender in the chosen scans."""
        cell = (chosen.samples_per_block, chosen.dose)
        return [
            found
            for name, ratio, dose, found in self._found[label]
            if (ratio, dose) == cell and chosen.specimen in (None, name)
        ]

    def figures(self, label: str, chosen: Choice) -> Figures | None:
        """Figures of a contender; None where there is nothing."""
        found = self.of(label, chosen)
        return figures(found, chosen.kind) if found else None

    def classes(self, chosen: Choice) -> list[int]:
        """Classes of columns of the chosen scans, brightest first."""
        return next((class_ranks(found) for label in self.labels if (found := self.of(label, chosen))), [])


def specimen_of(name: str) -> str:
    """The kind of specimen by the name of an image."""
    return name.partition(", seed ")[0]


def columns_markdown(done: Evaluation, commands: Sequence[str] = ()) -> str:
    """All tables.

    Parameters
    ----------
    commands : sequence of str
        The command that made it, in lines.
    """
    pool, grid, cell = Pool(done), done.request.grid, _cell(done)
    where = f"{percent(cell.samples_per_block)}, dose {cell.dose:g}"
    blocks = ["\n".join(["```sh", *commands, "```"])] if commands else []
    names = list(dict.fromkeys(specimen_of(image.name) for image in done.request.images))
    blocks += [_preamble(done, names), "## Columns of known specimens", "### Table 1: all specimens"]
    blocks += [
        f"{percent(each.samples_per_block)}, dose {each.dose:g}:\n\n"
        f"{_figures(pool, Choice(each.samples_per_block, each.dose))}"
        for each in grid.cells()
    ]
    blocks.append(f"### Table 2: by specimen and class of columns, {where}")
    for name in names:
        blocks += _by_class(pool, cell._replace(specimen=name))
    blocks.append(f"### Table 3: errors of columns within their own standard deviations, {where}")
    blocks.append(_coverage(pool, COLUMN_STRATA, coverage_of_columns, cell))
    blocks.append(f"### Table 4: errors of pixels within their own standard deviations, {where}")
    blocks.append(_coverage(pool, STRATA, coverage_of_pixels, cell))
    worst = worst_columns(done)
    if worst:
        body = [
            [f"{n}", one.case.image.name, one.what, f"{one.row:.0f}, {one.col:.0f}", _number(one.severity, ".1f")]
            for n, one in enumerate(worst, 1)
        ]
        blocks.append(f"### Table 5: the ten worst columns of the fit to counts, {where}")
        blocks.append(_table(["", "specimen", "what", "row, column", "error over bound"], body))
    if done.failures:
        blocks.append("Some cases failed, and are left out; the column error of rows.csv says why.")
    return "\n\n".join(blocks) + "\n"


def _cell(done: Evaluation) -> Choice:
    """The cell of the pictures."""
    cell = done.request.panel_cell(done.request.grid.noises[0])
    return Choice(cell.samples_per_block, cell.dose)


def _by_class(pool: Pool, chosen: Choice) -> list[str]:
    """Tables of one kind of specimen, one for each class of its columns."""
    kinds = pool.classes(chosen)
    title = str(chosen.specimen).capitalize()
    if len(kinds) < 2:
        return [f"{title}:\n\n{_figures(pool, chosen)}"]
    ranks = ("bright", "weak") if len(kinds) == 2 else [f"class {number}" for number in range(len(kinds))]
    return [
        f"{title}, {rank} columns:\n\n{_figures(pool, chosen._replace(kind=kind))}"
        for rank, kind in zip(ranks, kinds, strict=True)
    ]


def _preamble(done: Evaluation, names: Sequence[str]) -> str:
    """Explanation of the tables."""
    grid = done.request.grid
    drawn = "; ".join(f"{name} `{MADE[name]}`" for name in names)
    stale = (
        f" Rows of {', '.join(done.stale)} were in part computed by an earlier state of the code (--recompute)."
        if done.stale
        else ""
    )
    return (
        f"{counted(len(done.request.images), 'specimen')} of {done.request.images[0].shape[0]} x "
        f"{done.request.images[0].shape[1]} pixels of 10 pm: {drawn}. {counted(grid.passes, 'pass')} of block-random "
        f"scans in 8 x 8 blocks, seed {grid.seed}. Errors of columns per axis over their joint Cramer-Rao bound; slope "
        "of recovered on true displacement; height at vacancies over its own usual one; areas under the curve, beside "
        "the oracle's that knows all else; false and missed columns a thousand. A fit in a picture is told the sites: "
        f"it neither misses a column nor invents one.{stale}"
    )


def _figures(pool: Pool, chosen: Choice) -> str:
    """A table of figures, contender by contender, and the oracle's."""
    body, best = [], None
    for label in pool.labels:
        made = pool.figures(label, chosen)
        if made is not None:
            best = made if best is None else best
            body.append([label, *(_number(getattr(made, name), form) for name, (_, form) in _HEADS.items())])
    if best is not None:
        oracle = {"auc_vacancy": best.oracle_vacancy, "auc_displaced": best.oracle_displaced}
        body.append(["oracle", *(_number(oracle.get(name, math.nan), form) for name, (_, form) in _HEADS.items())])
    return _table(["", *(title for title, _ in _HEADS.values())], body)


def _coverage(
    pool: Pool,
    strata: Sequence[str],
    measure: Callable[[Any], Mapping[str, tuple[float, float, float]]],
    chosen: Choice,
) -> str:
    """A table of shares within one and two standard deviations in percent, stratum by stratum."""
    shares = {label: measure(found) for label in pool.labels if (found := pool.of(label, chosen))}
    shares = {label: one for label, one in shares.items() if any(not math.isnan(part[1]) for part in one.values())}
    body = []
    for name in strata:
        events = max((one[name][0] for one in shares.values()), default=0.0)
        cells = [
            "" if math.isnan(one[name][1]) else f"{100 * one[name][1]:.0f} / {100 * one[name][2]:.0f}"
            for one in shares.values()
        ]
        body.append([name, f"{events:,.0f}", *cells])
    return _table(["", "events", *shares], body)


def _number(value: float, form: str) -> str:
    """A number, or nothing."""
    return format(value, form) if math.isfinite(value) else ""


def _table(titles: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---"] + ["---:"] * (len(titles) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (titles, rule, *body))


def columns_means(done: Evaluation) -> list[dict[str, Any]]:
    """Figures as plain data, one entry for each cell and contender; None where not defined."""
    pool, entries = Pool(done), []
    for cell in done.request.grid.cells():
        for label in pool.labels:
            found = pool.figures(label, Choice(cell.samples_per_block, cell.dose))
            if found is not None:
                where = {"samples_per_block": cell.samples_per_block, "dose": cell.dose, "contender": label}
                values = {name: None if value != value else value for name, value in vars(found).items()}
                entries.append(where | values)
    return entries


def columns_overview(done: Evaluation) -> list[str]:
    """Lines for people: the cell of the pictures."""
    pool, cell = Pool(done), _cell(done)
    width = max(len(one.label) for one in done.request.contenders)
    lines = [f"{counted(len(done.rows), 'case')}, {done.computed} computed now, {len(done.failures)} failed", ""]
    lines.append(
        f"{counted(len(done.request.images), 'specimen')}, {percent(cell.samples_per_block)}, dose {cell.dose:g}:"
    )
    lines.append(f"  {'':<{width}} regular displaced  slope   fill   false  missed")
    for label in pool.labels:
        made = pool.figures(label, cell)
        if made is not None:
            values = (made.regular, made.displaced, made.slope, made.fill, made.false, made.missed)
            forms = ("8.2f", "9.2f", "6.2f", "6.2f", "7.1f", "7.1f")
            cells = [format(v, f) if v == v else " " * int(f.split(".")[0]) for v, f in zip(values, forms, strict=True)]
            lines.append(f"  {label:<{width}}{' '.join(cells)}")
    return lines
