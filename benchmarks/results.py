"""docs/results.md and docs/limits.md from nothing: train what is compared, evaluate, put tables and figures together.

    python -m benchmarks.results WORK                                            # synthetic test set
    python -m benchmarks.results WORK --images FOLDER --only A,B --published W   # real images, published weights, too

WORK holds the trainings and evaluations; both go on after an interruption. `--write` replaces both pages and their
pictures; tables of evaluations that WORK does not hold stay as they are. The published weights are not part of this
project: `stemscan weights import FILE -o W` makes W of the file that their authors give away.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.results_page import PAGES, PICTURES, page
from stemscan.files.writing import write_file, write_text

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
COMPARISON: Final = ("csnet", "csnet-mask", "reconnet", "reconnet-mask")
PAPER_ABLATIONS: Final = ("paper-whole", "paper-no-structure-prior", "paper-no-initial", "paper-linear-initial")
OWN_ABLATIONS: Final = ("full-whole", "full-no-visits", "full-from-low-pass", "full-one-phase", "full-four-passes")


@dataclass(frozen=True)
class Part:
    """One evaluation.

    Attributes
    ----------
    name : str
        Of its folder.
    options : tuple of str
        Of `stemscan evaluate`.
    """

    name: str
    options: tuple[str, ...]


def main() -> None:
    """Train, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK", help="folder of trainings and evaluations")
    parser.add_argument("--images", type=Path, help="folder of real images")
    parser.add_argument("--only", default="", help="names of those to take")
    parser.add_argument("--published", type=Path, help="weights of the published network")
    parser.add_argument("--parts", default="", help="names of the evaluations to run; all by default")
    parser.add_argument("--processes", default="1", help="cases at once")
    parser.add_argument("--threads", default="1", help="of each training step")
    parser.add_argument("--write", action="store_true", help="replace both pages and their pictures")
    given = parser.parse_args()
    given.work.mkdir(exist_ok=True)
    chosen = parts(given.work, given.images, given.only, given.published)
    wanted = given.parts.split(",") if given.parts else [part.name for part in chosen]
    for part in chosen:
        if part.name not in wanted:
            continue
        for name in _trainings(part):
            train(given.work / "runs" / name, name, given.threads)
        evaluate(part, given.work, given.processes)
    if given.write:
        write(given.work, [part for part in chosen if (given.work / part.name / "tables.md").is_file()])


def parts(work: Path, images: Path | None, only: str, published: Path | None) -> list[Part]:
    """The evaluations, cheap ones first."""
    runs = work / "runs"
    theirs = () if published is None else ("--method", f"published=fshnet:{published},nonlocal_step=false")
    ours = ("--method", "fshnet", "--method", "fshnet-paper=fshnet:fshnet-paper")
    reference = ("--methods", "fourier-eb,lowpass,linear,nearest,spectral-oracle")
    learned = tuple(
        word for name in COMPARISON for word in ("--method", f"{name}={name.split('-')[0]}:{_weights(runs, name)}")
    )
    few = ("--synthetic", "12", "--panels", "0")
    made = [
        Part("columns", ("--task", "columns", *ours[:2], *theirs, "--methods", "blend,columns,fourier-eb")),
        Part("ablations", (*few, "--ratios", "1,3,6", "--doses", "10", *_ablations(runs))),
        *(
            Part(f"passes-{passes}", (*few, "--ratios", "3", "--doses", "10", "--passes", str(passes), *_passes(runs)))
            for passes in (1, 4, 16)
        ),
        Part("learned", ("--synthetic", "12", "--doses", "10", *ours, *theirs, *learned, "--panels", "1")),
        Part("classical", ("--synthetic", "4", "--ratios", "3", "--doses", "10", *ours[:2], "--panels", "0", *_SLOW)),
        Part("synthetic", ("--synthetic", "45", *ours, *theirs, *reference, "--panels", "2")),
    ]
    if images is not None:
        named = ("--only", only) if only else ()
        noises = ("--noise", "poisson,published")
        made.append(Part("real", ("--images", str(images), *named, *noises, *ours, *theirs, *_EB, "--panels", "0")))
    return made


_WIDTH: Final = 1400
_EB: Final = ("--methods", "fourier-eb")
_SLOW: Final = ("--methods", "bpfa,iht,fourier-eb,lowpass")


def _ablations(runs: Path) -> tuple[str, ...]:
    """Contenders of Table 4 and of our own improvements."""
    whole = _weights(runs, PAPER_ABLATIONS[0])
    entries = [
        f"ablation:paper=fshnet:{whole}",
        f"ablation:no non-local step=fshnet:{whole},nonlocal_step=false",
        f"ablation:all neighbours=fshnet:{whole},neighbours=all",
        *(f"ablation:{name.removeprefix('paper-')}=fshnet:{_weights(runs, name)}" for name in PAPER_ABLATIONS[1:]),
        *(f"ablation:{name.replace('full-', 'ours-')}=fshnet:{_weights(runs, name)}" for name in OWN_ABLATIONS),
        "fshnet=fshnet",
        "fourier-eb",
    ]
    return tuple(word for entry in entries for word in ("--method", entry))


def _passes(runs: Path) -> tuple[str, ...]:
    """The contenders that tell what training on any number of passes is worth."""
    named = (f"ablation:{name.replace('full-', 'ours-')}=fshnet:{_weights(runs, name)}" for name in _ANY_PASSES)
    return tuple(word for entry in (*named, "fourier-eb") for word in ("--method", entry))


_ANY_PASSES: Final = (OWN_ABLATIONS[0], OWN_ABLATIONS[-1])


def _weights(runs: Path, name: str) -> Path:
    """Where a training leaves its weights."""
    return runs / name / "weights.safetensors"


def _trainings(part: Part) -> list[str]:
    """Names of the trainings whose weights an evaluation names."""
    return [
        name
        for name in (*COMPARISON, *PAPER_ABLATIONS, *OWN_ABLATIONS)
        if any(f"/{name}/" in option for option in part.options)
    ]


def train(run: Path, configuration: str, threads: str) -> None:
    """Train, or go on; a run with all its steps is left alone."""
    if (run / "weights.safetensors").is_file() and not _unfinished(run, configuration):
        return
    run.parent.mkdir(exist_ok=True)
    command = ["train", configuration, "-o", str(run), "--resume", "--threads", threads, "--validate-every", "0"]
    _stemscan([*command, "--workers", "1"])


def _unfinished(run: Path, configuration: str) -> bool:
    """Tell whether steps are left of a run."""
    from stemscan.recon.training.config import TrainingConfig

    with (run / "metrics.csv").open(encoding="utf-8") as file:
        last = max((int(float(row["step"])) for row in csv.DictReader(file)), default=0)
    return last < TrainingConfig.load(configuration).steps


def evaluate(part: Part, work: Path, processes: str) -> None:
    """Run an evaluation, or what is missing of it."""
    shared = ("--cache", str(work / "cache"), "--processes", processes)
    (work / "cache").mkdir(exist_ok=True)
    _stemscan(["evaluate", "-o", str(work / part.name), *part.options, *shared])


def _stemscan(arguments: Sequence[str]) -> None:
    """Run a command of this project; its failure ends this one."""
    print("stemscan", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", "stemscan", *arguments], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def write(work: Path, done: Sequence[Part]) -> None:
    """Replace the pages and their pictures."""
    tables = {part.name: (work / part.name / "tables.md").read_text(encoding="utf-8") for part in done}
    for name in PAGES:
        path = DOCS / f"{name}.md"
        present = path.read_text(encoding="utf-8") if path.is_file() else ""
        write_text(path, page(name, tables, present), overwrite=True)
        print(f"{path.relative_to(ROOT)}: {', '.join(tables)}")
    for source, name in PICTURES:
        picture = work / source
        if picture.is_file():
            write_file(DOCS / "images" / name, partial(_small, picture), overwrite=True)


def _small(picture: Path, target: Path) -> None:
    """A picture at a size for a page."""
    from PIL import Image

    with Image.open(picture) as image:
        drawn = image.convert("RGB")
    drawn.thumbnail((_WIDTH, 4 * _WIDTH))
    drawn.save(target, quality=85, optimize=True)


if __name__ == "__main__":
    main()
