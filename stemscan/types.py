"""Types and limits that several rooms share, each defined once."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = ["NOISES", "Noise"]

Noise = Literal["poisson", "eq5"]
"""Statistics of counts: electrons that arrive one by one, or equation 5 of the FSHNet paper."""

NOISES: Final[tuple[Noise, ...]] = get_args(Noise)
