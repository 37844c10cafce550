"""Small evaluations of fast methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from stemscan.recon.evaluation.cases import Grid
from stemscan.recon.evaluation.contenders import parse_contender
from stemscan.recon.evaluation.images import ImageSource, synthetic_images
from stemscan.recon.evaluation.rows import Row
from stemscan.recon.evaluation.schedule import Here, Outcomes, Scheduler, Task
from stemscan.recon.evaluation.session import Evaluation, Request, evaluate, prepare_folder


@cache
def images(count: int = 2) -> tuple[ImageSource, ...]:
    """The first images of the synthetic test set, small."""
    return tuple(synthetic_images(count, 64))


def request(
    *contenders: str, noises: tuple[str, ...] = ("poisson",), panels: int = 1, recompute: tuple[str, ...] = ()
) -> Request:
    """Two images, one dose, two ratios."""
    grid = Grid(noises, (2, 6), (10.0,))
    chosen = tuple(parse_contender(text) for text in contenders or ("nearest", "constant"))
    return Request(images(), grid, chosen, threads=1, panels=panels, recompute=recompute)


def run(asked: Request, folder: Path, scheduler: Scheduler | None = None, *, anew: bool = False) -> Evaluation:
    """Evaluate into a folder that is made where it is missing."""
    prepare_folder(folder)
    return evaluate(asked, folder, scheduler or Here(), anew=anew)


def without_seconds(rows: Sequence[Row]) -> list[str]:
    """Rows as text, without what no run repeats."""
    return [repr(replace(row, measured=replace(row.measured, seconds=0.0))) for row in rows]


class Counting:
    """Runs tasks here and remembers them."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def run(self, tasks: Sequence[Task], threads: int) -> Outcomes:
        """See `Scheduler`."""
        self.labels += [case.contender.label for case, _ in tasks]
        yield from Here().run(tasks, threads)
