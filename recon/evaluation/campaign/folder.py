"""Folder of a campaign: what it is told by, and what may become of one that is there.

It holds ``campaign.yaml`` (the file as it was given), ``campaign.json`` (what it was begun by), ``results.jsonl``,
``summary.parquet`` and ``times.parquet``, and what is kept: ``acquisitions/`` and ``images/``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from stemscan import __version__
from stemscan.errors import OutputExistsError, StemscanError, StoreMismatchError, refusal
from stemscan.files.writing import is_partial, require_folder, write_text
from stemscan.runtime.durable import remove, remove_tree

__all__ = ["COPY", "MARK", "RESULTS", "SUMMARY", "TIMES", "begin_folder", "check_folder"]

COPY: Final = "campaign.yaml"
MARK: Final = "campaign.json"
RESULTS: Final = "results.jsonl"
SUMMARY: Final = "summary.parquet"
TIMES: Final = "times.parquet"
_FOLDERS: Final = ("acquisitions", "images")
_FILES: Final = (RESULTS, SUMMARY, TIMES, COPY, MARK)
_FORMAT: Final = "stemscan-campaign"


def check_folder(folder: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """See that a campaign can be begun in a folder, or gone on with.

    Parameters
    ----------
    resume, overwrite : bool
        Go on with a campaign that is there, or replace it.

    Raises
    ------
    InputNotFoundError
        When its parent does not exist.
    OutputExistsError
        When it holds something else, or a campaign that is neither to be gone on with nor to be replaced.
    StoreMismatchError
        When another version of this package began what is to be gone on with.
    """
    require_folder(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"expected a folder, got {str(folder)!r}, which is a file; choose another name")
    names = [one.name for one in folder.iterdir() if not is_partial(one.name)] if folder.exists() else []
    if not names:
        return
    begun = _begun(folder)
    if begun is None:
        raise OutputExistsError(
            f"expected a new folder or that of a campaign, got {str(folder)!r}, which holds other files; choose "
            "another name"
        )
    if not (resume or overwrite):
        raise OutputExistsError(
            f"expected a new folder, got {str(folder)!r}, which holds a campaign; --resume goes on with it, "
            "--overwrite replaces it"
        )
    if resume and begun["version"] != __version__:
        raise StoreMismatchError(
            f"expected to go on by stemscan {begun['version']}, which began {str(folder)!r}, got {__version__}; take "
            "that version, or another folder"
        )


def begin_folder(folder: Path, text: str, *, resume: bool = False, overwrite: bool = False) -> None:
    """Make the folder of a campaign, or get one ready that is there.

    Parameters
    ----------
    text : str
        Of the campaign file.

    Raises
    ------
    StemscanError
        As `check_folder`, or when the system refuses.
    """
    check_folder(folder, resume=resume, overwrite=overwrite)
    try:
        folder.mkdir(exist_ok=True)
        if overwrite:
            for name in _FOLDERS:
                remove_tree(folder / name)
            for name in _FILES:
                remove(folder / name)
    except OSError as problem:
        raise StemscanError(f"expected to write {str(folder)!r}, got: {refusal(problem)}") from problem
    write_text(folder / MARK, json.dumps({"format": _FORMAT, "version": __version__}) + "\n", overwrite=True)
    write_text(folder / COPY, text, overwrite=True)


def _begun(folder: Path) -> dict[str, Any] | None:
    """Words of the mark of a folder; None where it has none."""
    try:
        noted: dict[str, Any] = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return noted if noted["format"] == _FORMAT and isinstance(noted["version"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
