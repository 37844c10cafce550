"""One colour and marker for each method, in every figure; variants of a method keep its colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from stemscan.recon.evaluation.contenders import BESIDE, Contender

__all__ = ["styles_of"]

_OWN: Final = {
    "blend": ("#0072b2", "o"),
    "fshnet": ("#d55e00", "s"),
    "fourier-eb": ("#009e73", "D"),
    "columns": ("#cc79a7", "^"),
    "bpfa": ("#56b4e9", "P"),
    "iht": ("#7a4fb5", "*"),
    "csnet": ("#8c6d31", "X"),
    "reconnet": ("#e69f00", "p"),
    "lowpass": ("#882255", "<"),
    "linear": ("#999933", ">"),
    "nearest": ("#44aa99", "h"),
}
"""Colours of methods of this package, most of them by Okabe and Ito, for all eyes."""

_OTHERS: Final = (("#332288", "v"), ("#117733", "d"), ("#aa4499", "H"), ("#661100", "8"))
"""For methods of other people, in the order in which they stand."""

_VARIANTS: Final = ("--", ":", "-.")
_BESIDE_LINES: Final = (":", "-.")
_GREY: Final = "#7f7f7f"


def styles_of(contenders: Sequence[Contender]) -> dict[str, dict[str, Any]]:
    """Keywords of `Axes.plot` for each contender, by its label.

    Parameters
    ----------
    contenders : sequence of Contender
        Oracles and what stands beside for comparison are grey. The first contender of a method has a whole line and a
        full marker, others of it have broken lines and hollow ones.
    """
    styles: dict[str, dict[str, Any]] = {}
    others = list(dict.fromkeys(one.method for one in contenders if one.competes and one.method not in _OWN))
    seen: dict[str, int] = {}
    for one in sorted(contenders, key=lambda one: one.label != one.method):
        if not one.competes:
            styles[one.label] = {"color": _GREY, "ls": "--", "marker": "None", "lw": 1.6}
        elif one.method in BESIDE and one.label == one.method:
            line = _BESIDE_LINES[BESIDE.index(one.method) % len(_BESIDE_LINES)]
            styles[one.label] = {"color": _GREY, "ls": line, "marker": ".", "lw": 1.2}
        else:
            own = _OWN.get(one.method) or _OTHERS[others.index(one.method) % len(_OTHERS)]
            number = seen[one.method] = seen.get(one.method, -1) + 1
            line, face = ("-", own[0]) if number == 0 else (_VARIANTS[(number - 1) % len(_VARIANTS)], "none")
            styles[one.label] = {"color": own[0], "marker": own[1], "ms": 5, "lw": 1.5, "ls": line, "mfc": face}
    return styles
