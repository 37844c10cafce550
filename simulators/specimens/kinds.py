"""The kinds of specimens that have no file: each is declared here once, and drawn by a module of its own.

A new kind is one entry of `KINDS` and a module with its function; `stemscan.simulators.specimens.loading` finds both.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["CRYSTAL", "KINDS", "SYNTHETIC", "SpecimenKind", "kind_of"]


class Draw(Protocol):
    """A function that draws a specimen on a grid of rows and columns."""

    def __call__(self, spec: str, shape: tuple[int, int], *, pixel_size_nm: float | None = None) -> Specimen:
        """Draw what `spec` names, at a pixel size in nm or at one of its own."""
        ...


class SpecimenKind(NamedTuple):
    """A kind of specimens that are drawn.

    Attributes
    ----------
    word : str
        Before the colon of a name.
    form : str
        After the colon, for messages.
    module, function : str
        Where its `Draw` is; imported when the first one is drawn.
    """

    word: str
    form: str
    module: str
    function: str

    @property
    def written(self) -> str:
        """The form of all its names, for messages."""
        return self.named(self.form)

    def named(self, rest: str) -> str:
        """A name from what stands after the colon."""
        return f"{self.word}:{rest}"

    def without_word(self, name: str) -> str:
        """The part of a name that stands after the word, which may be missing."""
        return name.removeprefix(self.named(""))

    def load(self) -> Draw:
        """The function that draws; imports its module."""
        return cast(Draw, getattr(import_module(self.module), self.function))


_HERE: Final = "stemscan.simulators.specimens"

CRYSTAL: Final = SpecimenKind("crystal", "NAME", f"{_HERE}.crystal_specimen", "render_crystal")
SYNTHETIC: Final = SpecimenKind("synthetic", "SEED/INDEX", f"{_HERE}.synthetic.generator", "draw_synthetic")

KINDS: Final[Mapping[str, SpecimenKind]] = MappingProxyType({kind.word: kind for kind in (CRYSTAL, SYNTHETIC)})
"""Kinds by their words."""


def kind_of(name: str) -> SpecimenKind | None:
    """The kind of a specimen's name; None for a path.

    Examples
    --------
    >>> kind_of("crystal:Si").written, kind_of("C:/images/a.tif"), kind_of("crystal")
    ('crystal:NAME', None, None)
    """
    word, colon, _ = name.partition(":")
    return KINDS.get(word) if colon else None
