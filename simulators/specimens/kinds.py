"""The kinds of specimens that have no file: each is declared here once, and drawn by a module of its own.

A new kind is one entry of `KINDS` and a module with a function that takes its name, a grid of rows and columns, and
``pixel_size_nm``; `stemscan.simulators.specimens.loading` finds both.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["CRYSTAL", "KINDS", "SYNTHETIC", "SpecimenKind", "kind_of"]


class SpecimenKind(NamedTuple):
    """A kind of specimens that are drawn.

    Attributes
    ----------
    word : str
        Before the colon of a name.
    form : str
        After the colon, for messages.
    module, function : str
        By which it is drawn; imported when the first one is.
    """

    word: str
    form: str
    module: str
    function: str

    def named(self, rest: str) -> str:
        """A name from what stands after the colon."""
        return f"{self.word}:{rest}"

    def without_word(self, name: str) -> str:
        """The part of a name that stands after the word, which may be missing."""
        return name.removeprefix(self.named(""))

    def draw(self, name: str, shape: tuple[int, int], pixel_size_nm: float | None) -> Specimen:
        """Draw the specimen of a name on a grid, at a pixel size in nm or at one of its own."""
        draw = getattr(import_module(f"stemscan.simulators.specimens.{self.module}"), self.function)
        return cast("Specimen", draw(name, shape, pixel_size_nm=pixel_size_nm))


CRYSTAL: Final = SpecimenKind("crystal", "NAME", "crystal_specimen", "render_crystal")
SYNTHETIC: Final = SpecimenKind("synthetic", "SEED/INDEX", "synthetic.generator", "draw_synthetic")

KINDS: Final[Mapping[str, SpecimenKind]] = MappingProxyType({kind.word: kind for kind in (CRYSTAL, SYNTHETIC)})
"""Kinds by their words."""


def kind_of(name: str) -> SpecimenKind | None:
    """The kind of a specimen's name; None for a path.

    Examples
    --------
    >>> kind_of("crystal:Si").word, kind_of("C:/images/a.tif"), kind_of("crystal")
    ('crystal', None, None)
    """
    word, colon, _ = name.partition(":")
    return KINDS.get(word) if colon else None
