"""Markdown tables for each set of images and kind of noise: ratios and doses, costs, robustness, variants.

They are numbered 1 to 4 as in the FSHNet paper. Its PSNR is the min-max one; ours are three, each in a table of its
own. Printed figures (`stemscan.recon.evaluation.printed`) stand beside ours in the columns that end in "paper": other
images, and for Table 1 weights trained for each cell, so that a column of ours does not repeat them. The best of a row
is bold; the oracle, which looks at the truth, does not compete.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from stemscan.recon.evaluation.averages import KINDS, Averages, Kind, Mean
from stemscan.recon.evaluation.cases import percent
from stemscan.recon.evaluation.contenders import BESIDE, ORACLE, Contender, parameter_count
from stemscan.recon.evaluation.printed import Printed, Scores, printed_figures
from stemscan.recon.evaluation.protocols import PROTOCOLS
from stemscan.recon.evaluation.session import Evaluation
from stemscan.units import counted

__all__ = ["markdown"]

_SET_TITLES: Final = {"synthetic": "Synthetic test set", "real": "Real images"}
_FAILED: Final = "†"


class _Line(NamedTuple):
    """One line of a table: how it begins, and its cell."""

    heads: tuple[str, ...]
    samples_per_block: int
    dose: float

    @property
    def cell(self) -> tuple[int, float]:
        """The key of printed scores."""
        return self.samples_per_block, self.dose


def markdown(done: Evaluation, commands: Sequence[str] = ()) -> str:
    """All tables of an evaluation.

    Parameters
    ----------
    commands : sequence of str
        The command that made it, in lines.
    """
    blocks = [_preamble(done, commands)]
    for name, noise, averages in done.groups():
        mean = f"mean over {counted(averages.images, 'image')}"
        blocks.append(f"## {_SET_TITLES[name]}, {PROTOCOLS[noise].title}: {mean}")
        blocks += _tables(done, averages, printed_figures(name))
    if done.failures:
        blocks.append(
            f"{_FAILED} failed on some images, which are not in the mean; the column error of rows.csv says why."
        )
    return "\n\n".join(blocks) + "\n"


def _preamble(done: Evaluation, commands: Sequence[str]) -> str:
    """The command, and how to read the tables."""
    grid = done.request.grid
    notes = dict.fromkeys(printed_figures(image.set).note for image in done.request.images)
    parts = []
    if commands:
        parts.append("\n".join(["```sh", *commands, "```"]))
    parts.append(
        f"{counted(grid.passes, 'pass')} of block-random scans in 8 x 8 blocks, seed {grid.seed}. PSNR in dB and SSIM, "
        "means over images: *absolute* without any fit (data range 1), *affine* after the best gain and offset, "
        "*min-max* after shifting and scaling image and truth each on their own, as the paper does. The constant image "
        f"shows what a metric gives for nothing. {''.join(f'{note} ' for note in notes if note)}"
        f"`{ORACLE}` looks at the truth and is no method: it is the stationary linear estimate of the truth's own "
        "periodogram, noise included; *local* of the mean of that over 3 x 3 coefficients; *padded* with a margin, "
        "without which it takes opposite edges for neighbours and fails at the frame."
    )
    if done.stale:
        parts.append(
            f"Rows of {', '.join(done.stale)} were in part computed by an earlier state of the code (--recompute)."
        )
    return "\n\n".join(parts)


def _tables(done: Evaluation, averages: Averages, printed: Printed) -> list[str]:
    """Tables 1 to 4 of one set and noise."""
    contenders = [one for one in done.request.contenders if averages.has(one.label)]
    main = [one for one in contenders if not one.is_ablation]
    grid = done.request.grid
    dose = 10.0 if 10.0 in grid.doses else grid.doses[0]
    cells = [_Line((percent(n), f"{d:g}"), n, d) for n in grid.samples_per_block for d in grid.doses]
    ratios = [_Line((percent(n),), n, dose) for n in grid.samples_per_block]
    blocks = ["### Table 1: sampling ratio and dose"]
    blocks += _kinds(averages, main, ("ratio", "dose"), cells, printed.conditions)
    blocks += ["### Table 2: time and parameters", _costs(done, averages, main, printed)]
    blocks += [f"### Table 3: robustness against the sampling ratio, dose {dose:g}"]
    blocks += _kinds(averages, main, ("ratio",), ratios, printed.robustness)
    variants = _variants(contenders)
    if variants:
        blocks += [f"### Table 4: variants and ablations, dose {dose:g}"]
        beside = printed.variants if any(one.method == printed.varied for one in variants) else {}
        blocks += _kinds(averages, variants, ("ratio",), ratios, beside)
    return blocks


def _variants(contenders: Sequence[Contender]) -> list[Contender]:
    """Ablations, all contenders of a method that has several, and those beside; empty without any of the former."""
    methods = [one.method for one in contenders if one.competes]
    chosen = [one for one in contenders if one.is_ablation or methods.count(one.method) > 1]
    of_variants = {one.method for one in chosen}
    if not chosen:
        return []
    rest = [one for one in contenders if one not in chosen and (one.method in of_variants or one.label in BESIDE)]
    return chosen + rest


def _kinds(
    averages: Averages,
    contenders: Sequence[Contender],
    heads: tuple[str, ...],
    lines: Sequence[_Line],
    printed: Mapping[str, Scores],
) -> list[str]:
    """One table for each kind of PSNR, printed figures beside the kind that is theirs."""
    blocks = []
    for kind in KINDS:
        beside = printed.items() if kind.name == "min-max" else ()
        columns = {name: scores for name, scores in beside if any(line.cell in scores for line in lines)}
        titles = [*heads, *(one.label for one in contenders), *(f"{name}, paper" for name in columns)]
        body = [_cells(averages, contenders, kind, line, columns) for line in lines]
        ssim = "/SSIM" if kind.ssim else ""
        blocks.append(f"{kind.name.capitalize()} PSNR{ssim}:\n\n{_table(titles, body, len(heads))}")
    return blocks


def _cells(
    averages: Averages,
    contenders: Sequence[Contender],
    kind: Kind,
    line: _Line,
    columns: Mapping[str, Scores],
) -> list[str]:
    """The texts of one line."""
    means = [averages.mean(one.label, line.samples_per_block, line.dose, kind.psnr) for one in contenders]
    compete = [
        round(mean.value, 2)
        for one, mean in zip(contenders, means, strict=True)
        if mean is not None and not math.isnan(mean.value) and one.competes
    ]
    texts = []
    for one, mean in zip(contenders, means, strict=True):
        ssim = averages.mean(one.label, line.samples_per_block, line.dose, kind.ssim) if kind.ssim else None
        text = _score(mean, ssim)
        best = mean is not None and bool(compete) and round(mean.value, 2) == max(compete) and one.competes
        texts.append(f"**{text}**" if best else text)
    printed = [scores.get(line.cell) for scores in columns.values()]
    return [*line.heads, *texts, *("" if score is None else f"{score[0]:.2f}/{score[1]:.3f}" for score in printed)]


def _score(psnr: Mean | None, ssim: Mean | None) -> str:
    """PSNR and SSIM of a cell."""
    if psnr is None or (math.isnan(psnr.value) and not psnr.failed):
        return ""
    mark = _FAILED if psnr.failed else ""
    if math.isnan(psnr.value):
        return mark
    return f"{psnr.value:.2f}{'' if ssim is None else f'/{ssim.value:.3f}'}{mark}"


def _costs(done: Evaluation, averages: Averages, contenders: Sequence[Contender], printed: Printed) -> str:
    """Table 2, and the coverage of standard deviations."""
    theirs = ["s, paper", "parameters, paper"] if printed.names else []
    titles = ["method", "s per image", "parameters", *theirs, "within 1 sd", "within 2 sd"]
    body = []
    for one in contenders:
        seconds = averages.median_seconds(one.label)
        parameters = parameter_count(one)
        name = printed.names.get(one.method, "")
        beside = [
            f"{printed.seconds[name]:g}" if name in printed.seconds else "",
            f"{printed.parameters[name]:,}" if name in printed.parameters else "",
        ]
        body.append(
            [
                one.label,
                "" if math.isnan(seconds) else f"{seconds:.3g}",
                "" if parameters is None else f"{parameters:,}",
                *beside[: len(theirs)],
                *(_share(averages.overall(one.label, field)) for field in ("within_1_sd", "within_2_sd")),
            ]
        )
    threads = ", ".join(map(str, done.threads))
    note = (
        f"Median of all rows on this machine, threads a method: {threads}; comparable where nothing else ran beside "
        f"(`--processes 1 --recompute LABEL`). {printed.costs}"
    )
    return f"{_table(titles, body, 1)}\n\n{note.strip()}"


def _share(mean: Mean | None) -> str:
    """A share in percent."""
    return "" if mean is None or math.isnan(mean.value) else f"{mean.value:.1%}"


def _table(titles: Sequence[str], body: Sequence[Sequence[str]], heads: int) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---"] * heads + ["---:"] * (len(titles) - heads)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (titles, rule, *body))
