"""An evaluation from beginning to end: what is missing is run, the rest is read, all is written.

The folder holds ``evaluation.json`` (what was asked for and by what it was done), ``cache/`` (see
`stemscan.recon.evaluation.cache`), ``rows.csv``, ``tables.md`` and the figures. The last three show what the last call
asked for and nothing else; the cache keeps what earlier ones computed.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stemscan import __version__
from stemscan.errors import OutputExistsError, StemscanError, refusal
from stemscan.files.writing import require_folder, write_text
from stemscan.recon.evaluation.averages import Averages
from stemscan.recon.evaluation.cache import Cache, CachedRow
from stemscan.recon.evaluation.cases import Case, Cell, Grid, all_cases
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.costs import Costs
from stemscan.recon.evaluation.images import ImageSource
from stemscan.recon.evaluation.implementation import code_of
from stemscan.recon.evaluation.rows import Row, row_of, to_csv
from stemscan.recon.evaluation.schedule import Scheduler, Task
from stemscan.runtime.durable import remove
from stemscan.units import counted

__all__ = ["Evaluation", "Request", "check_folder", "evaluate", "note_figures", "prepare_folder"]

MARK: Final = "evaluation.json"
_FORMAT: Final = "stemscan-evaluation"

Progress = Callable[[int, int], None]

_SHARES = 10_000


@dataclass(frozen=True)
class Request:
    """Images, cells and contenders that are to be evaluated.

    Attributes
    ----------
    device : str
        Of torch.
    threads : int
        Threads of each case at most. The last digits of a method that sums in parallel may depend on it, so its default
        does not depend on the machine.
    panels : int
        Images of each set that are shown, at `panel_cell`.
    recompute : tuple of str
        Labels of contenders whose cached rows do not count.
    """

    images: tuple[ImageSource, ...]
    grid: Grid
    contenders: tuple[Contender, ...]
    device: str = "cpu"
    threads: int = 1
    panels: int = 2
    recompute: tuple[str, ...] = ()

    @property
    def of_columns(self) -> bool:
        """Tell whether the task is that of columns."""
        return bool(self.images) and self.images[0].set == "columns"

    def panel_images(self) -> list[ImageSource]:
        """The images that are shown: the first of each set."""
        sets = dict.fromkeys(image.set for image in self.images)
        return [image for name in sets for image in [one for one in self.images if one.set == name][: self.panels]]

    def panel_cell(self, noise: str) -> Cell:
        """The cell of the pictures: the paper's, 3 of 64 at dose 10, or the middle ratio and the first dose."""
        ratios, doses = self.grid.samples_per_block, self.grid.doses
        ratio = 3 if 3 in ratios else sorted(ratios)[(len(ratios) - 1) // 2]
        return Cell(noise, ratio, 10.0 if 10.0 in doses else doses[0])

    def shown(self, case: Case) -> bool:
        """Tell whether a case's image is needed for a picture."""
        return (
            case.contender.judged == "picture"
            and case.image in self.panel_images()
            and case.cell == self.panel_cell(case.cell.noise)
        )


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Rows of an evaluation.

    Attributes
    ----------
    rows : tuple of Row
        One a case, in the same order.
    threads : tuple of int
        The numbers of threads with which rows were computed.
    computed : int
        Cases run by this call; the others were known.
    stale : tuple of str
        Labels of contenders with rows that another state of the code computed.
    """

    request: Request
    cases: tuple[Case, ...]
    rows: tuple[Row, ...]
    threads: tuple[int, ...]
    computed: int
    stale: tuple[str, ...]
    cache: Cache

    def groups(self) -> Iterator[tuple[str, str, Averages]]:
        """Set, noise, and the means of the rows that are shown together."""
        for name in dict.fromkeys(image.set for image in self.request.images):
            for noise in self.request.grid.noises:
                yield name, noise, Averages(row for row in self.rows if row.set == name and row.noise == noise)

    @property
    def failures(self) -> list[Row]:
        """Rows of methods that failed."""
        return [row for row in self.rows if row.measured.error]


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """See that the folder of an evaluation can be made, or is one.

    Parameters
    ----------
    overwrite : bool
        True if files in a folder that is no evaluation may be replaced.

    Raises
    ------
    InputNotFoundError
        When its parent does not exist.
    OutputExistsError
        When it holds something else.
    """
    require_folder(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"expected a folder, got {str(folder)!r}, which is a file; choose another name")
    if folder.exists() and any(folder.iterdir()) and not _is_evaluation(folder) and not overwrite:
        raise OutputExistsError(
            f"expected a new folder or one of an earlier evaluation, got {str(folder)!r}, which holds other files; "
            "choose another name or --overwrite it"
        )


def prepare_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Make the folder of an evaluation; parameters and errors as `check_folder`."""
    check_folder(folder, overwrite=overwrite)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise StemscanError(f"expected to make the folder {str(folder)!r}, got: {refusal(problem)}") from problem


def _is_evaluation(folder: Path) -> bool:
    """Tell whether an evaluation was begun in a folder."""
    try:
        return bool(json.loads((folder / MARK).read_text(encoding="utf-8"))["format"] == _FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def evaluate(
    request: Request,
    folder: Path,
    scheduler: Scheduler,
    *,
    cache: Path | None = None,
    anew: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Run what is missing, and write ``rows.csv``; tables and figures are made of what this returns.

    Parameters
    ----------
    folder : Path
        As `prepare_folder` left it.
    cache : Path, optional
        Folder of the cache; ``cache`` in `folder` by default.
    anew : bool
        Run everything again.
    progress : callable, optional
        Takes (time that was taken, that and the time that is left as far as can be told), in the same unit.

    Raises
    ------
    StemscanError
        When the folder cannot be written or the workers are lost. What was computed is kept.
    """
    on_disk = Cache(folder / "cache" if cache is None else cache)
    cases = all_cases(request.images, request.grid, request.contenders, request.device)
    _note(folder, _description(request), _figures(folder))
    known: dict[str, CachedRow] = {}
    tasks: list[Task] = []
    for case in cases:
        row = None if anew or case.contender.label in request.recompute else on_disk.get(case)
        shown = request.shown(case)
        whole = on_disk.has_found(case) and (not shown or on_disk.has_image(case))
        if row is None or row.measured.error or not whole:
            tasks.append((case, shown))
        else:
            known[case.digest] = row
    known |= _run(tasks, request.threads, scheduler, on_disk, progress)
    rows = tuple(row_of(case, known[case.digest].measured) for case in cases)
    write_text(folder / "rows.csv", to_csv(rows), overwrite=True)
    stale = [case.contender.label for case in cases if known[case.digest].code != code_of(case.contender)]
    threads = sorted({row.threads for row in known.values()})
    return Evaluation(request, tuple(cases), rows, tuple(threads), len(tasks), tuple(dict.fromkeys(stale)), on_disk)


def note_figures(done: Evaluation, folder: Path, names: Sequence[str]) -> None:
    """Note which figures belong to an evaluation, and take away those of an earlier one that were not drawn again.

    Parameters
    ----------
    names : sequence of str
        Files of this evaluation's figures in `folder`.
    """
    for name in set(_figures(folder)) - set(names):
        remove(folder / name)
    _note(folder, _description(done.request), names)


def _note(folder: Path, description: dict[str, Any], figures: Sequence[str]) -> None:
    """Write ``evaluation.json``."""
    text = json.dumps(description | {"figures": list(figures)}, indent=1, allow_nan=False)
    write_text(folder / MARK, text + "\n", overwrite=True)


def _figures(folder: Path) -> list[str]:
    """Figures that the last evaluation of a folder noted as its own; nothing but pictures in the folder itself."""
    try:
        noted = json.loads((folder / MARK).read_text(encoding="utf-8"))["figures"]
        return [name for name in map(str, noted) if Path(name).name == name and name.endswith(".png")]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _run(
    tasks: Sequence[Task],
    threads: int,
    scheduler: Scheduler,
    cache: Cache,
    progress: Progress | None,
) -> dict[str, CachedRow]:
    """Run tasks and keep what comes of each, the same case under several labels once."""
    distinct = {case.digest: (case, shown) for case, shown in tasks}
    known: dict[str, CachedRow] = {}
    if not distinct:
        return known
    costs = Costs(case for case, _ in distinct.values())
    if progress is not None:
        progress(0, _SHARES)
    with closing(scheduler.run(list(distinct.values()), threads)) as outcomes:  # workers end with it, however it ends
        for case, outcome in outcomes:
            known[case.digest] = cache.put(case, outcome)
            costs.done(case, outcome.measured.seconds)
            if progress is not None:
                progress(round(_SHARES * costs.share), _SHARES)
    return known


def _description(request: Request) -> dict[str, Any]:
    """The request, and the machine that did it, as plain data."""
    return {
        "format": _FORMAT,
        "version": __version__,
        "machine": f"{platform.machine()}, {counted(os.cpu_count() or 1, 'processor')}, {platform.system()}",
        "python": platform.python_version(),
        "images": [{"set": image.set, "name": image.name, "sha256": image.sha256} for image in request.images],
        "noises": list(request.grid.noises),
        "samples_per_block": list(request.grid.samples_per_block),
        "doses": list(request.grid.doses),
        "passes": request.grid.passes,
        "seed": request.grid.seed,
        "device": request.device,
        "contenders": [
            {
                "label": contender.label,
                "method": contender.method,
                "weights": None if contender.weights is None else contender.weights.name,
                "weights_sha256": contender.weights_sha256,
                "settings": dict(contender.settings),
                **({"code_sha256": contender.code} if contender.code else {}),
            }
            for contender in request.contenders
        ],
    }
