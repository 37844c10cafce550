"""The folder of a training run: new, or that of a run of the same configuration which is to go on.

It is looked at before anything is written, so that a wrong name changes nothing in another run or other files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stemscan.errors import OutputExistsError, TrainingError
from stemscan.files.writing import is_partial, require_folder, write_text
from stemscan.recon.training.config import TrainingConfig
from stemscan.runtime.durable import remove

__all__ = ["prepare_folder"]

_CONFIG: Final = "config.json"


def prepare_folder(folder: Path, config: TrainingConfig, *, resume: bool = False) -> None:
    """Make the folder of a run and note the configuration.

    Parameters
    ----------
    folder : Path
        It is made if its parent exists.
    resume : bool
        True if it may hold a run of this configuration.

    Raises
    ------
    InputNotFoundError
        When its parent does not exist.
    OutputExistsError
        When it is a file, or holds something that is not to be resumed or no run.
    TrainingError
        When it holds a run of another configuration.
    """
    require_folder(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"expected a folder for the run, got {str(folder)!r}, which is a file; choose another")
    there = [path for path in folder.iterdir() if not is_partial(path.name)] if folder.is_dir() else []
    if there and not resume:
        raise OutputExistsError(
            f"expected a new folder for the run, got {str(folder)!r}, which holds something; "
            "choose another, or --resume the run that is there"
        )
    noted = config.model_dump_json(indent=2) + "\n"
    if there:
        _check_same(folder, config)
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if is_partial(path.name):  # of a run that was killed while it wrote
            remove(path)
    write_text(folder / _CONFIG, noted, overwrite=True)


def _check_same(folder: Path, config: TrainingConfig) -> None:
    """Refuse to go on in a folder that holds no run, or that of another configuration."""
    path = folder / _CONFIG
    if not path.is_file():
        raise OutputExistsError(
            f"expected a run to resume, got {str(folder)!r}, which holds other files and no {_CONFIG}; choose another"
        )
    try:
        found = TrainingConfig.model_validate_json(path.read_bytes()).digest()
    except ValueError as problem:
        raise TrainingError(
            f"expected the configuration of a run in {str(path)!r}, got something else; choose another folder"
        ) from problem
    if found != config.digest():
        raise TrainingError(
            f"expected the configuration that {str(folder)!r} was begun with ({found[:12]}), got another "
            f"({config.digest()[:12]}); give the first one, or another folder"
        )
