"""`stemscan verify`: check a whole store, file by file, and make anew what follows from its samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stemscan.cli.common import JsonOption, QuietOption, Talk, table, url
from stemscan.cli.completing import complete_stores
from stemscan.cli.options import argument, option

if TYPE_CHECKING:
    from stemscan.store.report import StoreReport

__all__ = ["EXAMPLES", "verify"]

EXAMPLES = """
stemscan verify acq.zarr
stemscan verify acq.zarr --repair
"""


def verify(
    store: Annotated[Path, argument("STORE", "Acquisition store.", complete=complete_stores, callback=url)],
    repair: Annotated[
        bool,
        option(
            "--repair",
            panel="Everyday",
            help="Make frames, visits, digests and metadata anew where the samples are sound.",
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check every file of a store and name those that are damaged."""
    from stemscan.errors import StoreError
    from stemscan.store.verify import verify_store
    from stemscan.units import counted

    talk = Talk(quiet, as_json)
    with talk.progress("checking") as progress:
        report = verify_store(store, repair=repair, progress=progress)
    data: dict[str, Any] = {
        "store": str(store),
        "sound": report.sound,
        "schema": report.schema,
        "state": report.state,
        "samples_committed": report.samples,
        "chunks": report.chunks,
        "problems": [
            {"file": str(problem.file), "problem": problem.what, "repairable": problem.repairable}
            for problem in report.problems
        ],
        "repaired": [str(file) for file in report.repaired],
        "unchecked": report.unchecked,
    }
    talk.result(data, [f"{store}: {'sound' if report.sound else 'damaged'}", *table(_rows(report))])
    if not report.sound:
        first, others = report.problems[0], len(report.problems) - 1
        more = f" and {counted(others, 'other file')}" if others else ""
        anew = report.repairable and not repair
        raise StoreError(
            f"expected a sound store at {str(store)!r}, got damage in {str(first.file)!r}{more}; "
            f"{'run it with --repair, which makes anew what it can' if anew else 'restore it from a copy'}"
        )


def _rows(report: StoreReport) -> list[tuple[str, str]]:
    """The report for people."""
    from stemscan.units import counted, format_count

    rows = [
        ("state", f"{report.state}, schema {report.schema}"),
        ("samples", f"{format_count(report.samples)} committed"),
        ("read", counted(report.chunks, "chunk")),
    ]
    rows += [("made anew", str(file)) for file in report.repaired]
    rows += [("can be made anew" if problem.repairable else "damaged", problem.what) for problem in report.problems]
    return rows + [("not checked", what) for what in report.unchecked]
