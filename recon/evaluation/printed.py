"""Figures that a publication prints, to stand beside ours in tables and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, cast

__all__ = ["Printed", "Score", "Scores", "printed_figures"]

Score = tuple[float, float]
"""PSNR in dB after min-max, and SSIM."""

Scores = Mapping[tuple[int, float], Score]
"""By samples of 64 and dose."""

_SOURCE: Final = "stemscan.recon.paper.numbers"


@dataclass(frozen=True)
class Printed:
    """Figures of one publication; its methods under its own names.

    Attributes
    ----------
    names : mapping of str to str
        Our names of its methods, and its.
    note : str
        About its figures in general, for the head of the tables.
    costs : str
        On what its times were taken.
    conditions, robustness, variants : mapping of str to Scores
        For the tables of ratios and doses, of robustness, and of variants of the method `varied`; by column.
    varied : str
        Our name of the method whose variants are printed.
    seconds : mapping of str to float
        Seconds an image.
    noises : tuple of str
        Those under which the best method's curve is drawn.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    costs: str = ""
    conditions: Mapping[str, Scores] = field(default_factory=dict)
    robustness: Mapping[str, Scores] = field(default_factory=dict)
    variants: Mapping[str, Scores] = field(default_factory=dict)
    varied: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    noises: tuple[str, ...] = ()

    def curve(self, noise: str) -> tuple[str, Scores]:
        """The varied method's name and scores against ratio and dose, where noise is comparable; else none."""
        name = self.names.get(self.varied, "")
        return name, self.conditions.get(name, {}) if noise in self.noises else {}


def printed_figures(images: str) -> Printed:
    """The figures that stand beside ours: those of the FSHNet paper; imports where they are.

    Parameters
    ----------
    images : str
        Set of images. Beside a user's own micrographs stands nothing: the paper's scores are of others.
    """
    return cast(Printed, import_module(_SOURCE).PRINTED) if images == "synthetic" else Printed()
