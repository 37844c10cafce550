"""`stemscan evaluate`: methods side by side over ratios, doses, noise and images; tables and figures."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk
from stemscan.cli.completing import complete_devices, complete_methods
from stemscan.cli.options import TASKS, option

if TYPE_CHECKING:
    from stemscan.recon.evaluation.contenders import Contender
    from stemscan.recon.evaluation.images import ImageSource

__all__ = ["EXAMPLES", "evaluate"]

EXAMPLES = """
stemscan evaluate -o results --synthetic 4 --size 256 --methods linear,fshnet
stemscan evaluate -o results --images micrographs --method fshnet --doses 10
stemscan evaluate -o found --task columns
"""


class _Usual(NamedTuple):
    """Defaults of a task."""

    ratios: str
    doses: str
    size: int


_IMAGES = _Usual("1,2,3,4,5,6", "10,25", 1024)
_COLUMNS = _Usual("1,3,6", "10", 512)

_NOT_IN_THE_COMMAND = {
    *("quiet", "as_json", "overwrite", "processes", "scheduler", "threads", "cache", "recompute", "parquet"),
}


def evaluate(
    context: typer.Context,
    output: Annotated[
        Path,
        option(
            "--output",
            "-o",
            panel="Everyday",
            help="Folder of tables and figures; an earlier one goes on.",
            metavar="FOLDER",
        ),
    ],
    method: Annotated[
        list[str] | None,
        option(
            panel="Methods",
            help="Method to compare, by name or FILE.py:FUNCTION, with a label, weights and settings.",
            metavar="[LABEL=]METHOD[:WEIGHTS][,SETTING=VALUE...]",
            default="all methods",
            complete=complete_methods,
        ),
    ] = None,
    methods: Annotated[
        str | None, option(panel="Methods", help="Names of methods, A,B,C.", metavar="NAMES", default="all methods")
    ] = None,
    weights: Annotated[
        list[str] | None,
        option(panel="Methods", help="Weights of a method.", metavar="NAME=FILE"),
    ] = None,
    task: Annotated[
        str,
        option(
            panel="Everyday",
            help="Measures: PSNR and SSIM of images, or columns and defects of made crystals.",
            choices=TASKS,
        ),
    ] = "images",
    ratios: Annotated[
        str | None,
        option(
            panel="Scans",
            help="Samples of each 8 x 8 block in a pass.",
            metavar="A,B,...",
            default="1,2,3,4,5,6; columns: 1,3,6",
        ),
    ] = None,
    doses: Annotated[
        str | None, option(panel="Scans", help="Electrons per sample.", metavar="A,B,...", default="10,25; columns: 10")
    ] = None,
    noise: Annotated[
        str, option(panel="Scans", help="Kinds of noise, one or several of poisson,eq5,published.", metavar="A,B,...")
    ] = "poisson",
    passes: Annotated[int, option(panel="Scans", help="Passes of a scan.", metavar="N")] = 4,
    images: Annotated[
        Path | None, option(panel="Specimens", help="Folder of micrographs, whose corners are taken.", metavar="FOLDER")
    ] = None,
    only: Annotated[
        str | None,
        option(
            panel="Specimens",
            help="Names of images of that folder without suffix, or of made crystals.",
            metavar="A,B,...",
            default="all",
        ),
    ] = None,
    corner: Annotated[
        int,
        option(panel="Specimens", help="Rows and columns of a micrograph's corner, doubled for the scan.", metavar="N"),
    ] = 512,
    synthetic: Annotated[
        int | None,
        option(
            panel="Specimens",
            help="Number of images of the synthetic test set.",
            metavar="N",
            default="45; 0 with --images",
        ),
    ] = None,
    size: Annotated[
        int | None,
        option(
            panel="Specimens",
            help="Rows and columns of synthetic specimens.",
            metavar="N",
            default="1024; columns: 512",
        ),
    ] = None,
    specimen_seeds: Annotated[
        str | None,
        option(panel="Specimens", help="Seeds of the defects of made crystals.", metavar="A,B,...", default="201,202"),
    ] = None,
    seed: Annotated[int, option(panel="Scans", help="Seed of scans.", metavar="N")] = 1,
    device: Annotated[
        str,
        option(
            panel="Computer",
            help="Device of methods that run networks: auto, cpu, cuda or cuda:N.",
            metavar="NAME",
            complete=complete_devices,
        ),
    ] = "cpu",
    processes: Annotated[
        int | None, option(panel="Computer", help="Cases at the same time.", metavar="N", default="one per processor")
    ] = None,
    threads: Annotated[int, option(panel="Computer", help="Threads of each case.", metavar="N")] = 1,
    scheduler: Annotated[
        str | None,
        option(
            panel="Computer",
            help="Address of a dask scheduler, or local for a cluster here.",
            metavar="ADDRESS",
            default="none",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        option(panel="Computer", help="Folder of computed rows.", metavar="FOLDER", default="cache in the output"),
    ] = None,
    panels: Annotated[int, option(panel="Results", help="Images of each set that are shown.", metavar="N")] = 2,
    recompute: Annotated[
        list[str] | None,
        option(panel="Results", help="Compute the rows of this contender again.", metavar="LABEL"),
    ] = None,
    parquet: Annotated[
        bool, option("--parquet", panel="Results", help="Write the rows as rows.parquet too (needs stemscan[parquet]).")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare methods by PSNR and SSIM, or by columns found.

    Writes tables and figures; what an earlier run computed is not computed again.
    """
    from stemscan.errors import ReconError, UsageError
    from stemscan.recon.devices import check_device
    from stemscan.recon.evaluation.cases import Grid
    from stemscan.recon.evaluation.clients import LOCAL
    from stemscan.recon.evaluation.contenders import columns_contenders
    from stemscan.recon.evaluation.report import means, overview, write_report
    from stemscan.recon.evaluation.schedule import scheduler_for
    from stemscan.recon.evaluation.session import Request, check_folder, prepare_folder
    from stemscan.recon.evaluation.session import evaluate as run
    from stemscan.recon.output.parquet import require_pyarrow
    from stemscan.recon.registry import PLUGINS

    talk = Talk(quiet, as_json)
    if threads < 1:
        raise UsageError(f"--threads: expected at least 1, got {threads}")
    if panels < 0:
        raise UsageError(f"--panels: expected at least 0, got {panels}")
    if parquet:
        require_pyarrow()
    of_columns = _of_columns(task)
    usual = _COLUMNS if of_columns else _IMAGES
    grid = Grid(
        tuple(_parts(noise)),
        _numbers("--ratios", ratios or usual.ratios, int),
        _numbers("--doses", doses or usual.doses, float),
        passes,
        seed,
    )
    asked = bool(method or methods or weights) or not of_columns
    found_contenders = _contenders(method or [], methods, weights or []) if asked else None
    contenders = columns_contenders(found_contenders) if of_columns else found_contenders or []
    for name in dict.fromkeys(one.method for one in contenders):
        talk.warn(PLUGINS.shadows(name))
    unknown = [label for label in recompute or [] if label not in [one.label for one in contenders]]
    if unknown:
        raise UsageError(f"--recompute: expected the label of a contender, got {unknown[0]!r}; name one of this run")
    if scheduler in (None, LOCAL):  # workers elsewhere may have what this machine lacks
        device = check_device(device)
    check_folder(output, overwrite=overwrite)
    with scheduler_for(scheduler, processes) as runner:
        if of_columns:
            _refuse_images(images, synthetic, noise)
            found = _crystals(_parts(only or ""), specimen_seeds, usual.size if size is None else size, talk)
        elif specimen_seeds is not None:
            raise UsageError("--specimen-seeds: expected --task columns beside it, got images; drop one")
        else:
            found = _images(images, _parts(only or ""), corner, synthetic, usual.size if size is None else size, talk)
        prepare_folder(output, overwrite=overwrite)
        request = Request(tuple(found), grid, tuple(contenders), device, threads, panels, tuple(recompute or ()))
        with talk.progress("evaluating") as progress:
            done = run(request, output, runner, cache=cache, anew=overwrite, progress=progress)
    for label in done.stale:
        talk.warn(f"rows of {label} were computed by an earlier state of the code; --recompute '{label}' renews them")
    written = write_report(done, output, [_command(context)], parquet=parquet)
    report = {
        "output": str(output),
        "cases": len(done.rows),
        "computed": done.computed,
        "failed": len(done.failures),
        "files": ["rows.csv", *(path.name for path in written)],
        "means": means(done),
    }
    lines = overview(done)
    files = ", ".join(path.name for path in written)
    talk.result(report, [f"{output}: {lines[0]}", *lines[1:], "", f"Written: rows.csv, {files}"])
    if done.failures:
        first = done.failures[0]
        raise ReconError(
            f"expected every case to work, got {len(done.failures)} of {len(done.rows)} that failed, first "
            f"{first.contender} on {first.image}: {first.measured.error}; see the column error of "
            f"{str(output / 'rows.csv')!r}, the same command tries them again"
        )


def _of_columns(task: str) -> bool:
    """Tell whether the task is that of columns."""
    from stemscan.errors import UsageError

    if task not in ("images", "columns"):
        raise UsageError(f"--task: expected images or columns, got {task!r}; name one of the two")
    return task == "columns"


def _refuse_images(folder: Path | None, synthetic: int | None, noise: str) -> None:
    """Refuse images whose columns are not known, and a protocol that scans no plan."""
    from stemscan.errors import UsageError

    for name, value in (("--images", folder), ("--synthetic", synthetic)):
        if value is not None:
            raise UsageError(f"{name}: expected made crystals alone for --task columns, got {value}; drop it")
    if not set(_parts(noise)) <= {"poisson", "eq5"}:
        raise UsageError(f"--noise: expected poisson or eq5 for --task columns, got {noise}; correct it")


def _crystals(names: list[str], seeds: str | None, size: int, talk: Talk) -> list[ImageSource]:
    """The specimens whose columns are known."""
    from stemscan.recon.evaluation.columns.specimens import SEEDS, column_images

    chosen = SEEDS if seeds is None else _numbers("--specimen-seeds", seeds, int)
    with talk.progress("drawing crystals") as progress:
        return column_images(names, chosen, size, lambda: progress(1, 1))


def _parts(text: str) -> list[str]:
    """Parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(option: str, text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    """Numbers between commas."""
    from stemscan.errors import UsageError

    try:
        return tuple(kind(part) for part in _parts(text))
    except ValueError:
        raise UsageError(f"{option}: expected numbers as 1,2,3, got {text!r}") from None


def _contenders(texts: list[str], names: str | None, weights: list[str]) -> list[Contender]:
    """The contenders, and those that stand beside."""
    from stemscan.errors import UsageError
    from stemscan.recon.evaluation.contenders import all_contenders, parse_contender, with_those_beside
    from stemscan.recon.registry import built_in

    files: dict[str, Path] = {}
    for text in weights:
        name, equals, file = text.partition("=")
        if not equals or not file or name not in built_in():
            raise UsageError(f"--weights: expected METHOD=FILE, got {text!r}; write for example fshnet=w.safetensors")
        files[name] = Path(file)
    if names is not None and not _parts(names):
        raise UsageError(f"--methods: expected names of methods as A,B,C, got {names!r}; leave it out for all")
    asked = [*_parts(names or ""), *texts]
    if not asked:
        return with_those_beside(all_contenders(files))
    return with_those_beside([parse_contender(text, files) for text in asked])


def _images(
    folder: Path | None, names: list[str], corner: int, synthetic: int | None, size: int, talk: Talk
) -> list[ImageSource]:
    """The images, with what was left out said."""
    from stemscan.errors import UsageError
    from stemscan.recon.evaluation.images import folder_images, synthetic_images

    if names and folder is None:
        raise UsageError(f"--only: expected --images beside it, got {','.join(names)} alone; add the folder")
    count = synthetic if synthetic is not None else 0 if folder is not None else 45
    found: list[ImageSource] = []
    with talk.progress("reading images") as progress:

        def read() -> None:
            progress(1, 1)

        found += synthetic_images(count, size, read)
        left_out: list[str] = []
        if folder is not None:
            real, left_out = folder_images(folder, names, corner, read)
            found += real
    for reason in left_out:
        talk.warn(reason)
    if not found:
        raise UsageError("expected at least one image, got none; give --synthetic or --images")
    return found


def _command(context: typer.Context) -> str:
    """The command as it was given, without what does not change the result."""
    words = ["stemscan", "evaluate"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in _NOT_IN_THE_COMMAND or value in (None, [], (), parameter.default):
            continue
        option = next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option, str(one)]
    return shlex.join(words)
