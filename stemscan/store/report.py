"""Findings of a checked store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stemscan.errors import StoreError

__all__ = ["Problem", "StoreReport"]


@dataclass(frozen=True)
class Problem:
    """One file that is not as it was written.

    Parameters
    ----------
    what : str
        One sentence, which names the file.
    repairable : bool
        True if it can be made anew from sound samples.
    """

    file: Path
    what: str
    repairable: bool


@dataclass
class StoreReport:
    """Findings of a check of a store.

    Parameters
    ----------
    samples : int
        Committed.
    chunks : int
        Chunks that were read.
    problems : list of Problem
        One a file; empty for a sound store.
    unchecked : list of str
        Parts that cannot be checked, one sentence each.
    repaired : list of Path
        Files that were made anew.
    """

    path: Path
    schema: int
    state: str
    samples: int
    chunks: int = 0
    problems: list[Problem] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    repaired: list[Path] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Tell whether nothing was found."""
        return not self.problems

    @property
    def repairable(self) -> set[Path]:
        """Files that can be made anew."""
        return {problem.file for problem in self.problems if problem.repairable}

    def add(self, file: Path, what: str | StoreError, *, repairable: bool = False) -> None:
        """Note a problem of a file, unless one is known."""
        if all(known.file != file for known in self.problems):
            self.problems.append(Problem(file, str(what), repairable))
