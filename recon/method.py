"""Declaration of a reconstruction method: `Method`, made once, beside the method.

The function itself is ``function(inputs, *, device, weights, **settings)``, with ``device`` and ``weights`` where it
uses them, and returns an `Estimate`; it does its own arithmetic on its own grid and knows nothing of names, times or
files.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from stemscan.errors import UsageError
from stemscan.named import import_named
from stemscan.plugins.plugin import Plugin
from stemscan.recon.settings import RESERVED, Setting, settings_of

__all__ = ["Method"]

_SUMS: Final = 8
"""Bytes a pixel of S and V, which inputs make when they are first asked for."""

_SMALL_GRID: Final = 100
"""Bytes a pixel to which the part that does not grow comes at most."""

_LAST: Final = 100


@dataclass(frozen=True)
class Method:
    """A reconstruction method.

    Attributes
    ----------
    name : str
        By which people ask for it.
    function : str or callable
        The function, or where it is: ``module:name``, imported when the method is first used.
    description : str
        One line for people.
    needs_weights : bool
        True if it runs trained weights, shipped ones or a file.
    uses_torch : bool
        True if it computes with torch, and so on other devices than the CPU.
    gives_std : bool
        True if it estimates the standard deviation of its errors.
    sees_truth : bool
        True if it is given the truth: then it marks what could be reached, and is no method to use.
    beside : bool
        True if every table of an evaluation shows it beside the others, asked for or not.
    memory : tuple of float
        Memory beside its inputs, by `benchmarks/memory.py`: bytes per pixel of the plan's grid, and further bytes that
        do not grow beyond this. Of methods that find a coarser grid, on the coarsest; they ask for more later.
    cost : float
        Processor time for a pixel of the plan's grid, in microseconds as measured once at 1024 x 1024 pixels on one
        thread: for what is predicted of long runs, in which methods stand beside each other.
    tiles : bool
        True if its image at a place follows from the samples around it, so that large frames are made tile by tile.
    rank : int
        Place in lists: lower ones come first.
    plugin : Plugin or None
        Its origin, if it is not part of this package.
    """

    name: str
    function: str | Callable[..., Any]
    description: str
    needs_weights: bool = False
    uses_torch: bool = False
    gives_std: bool = False
    sees_truth: bool = False
    beside: bool = False
    memory: tuple[float, float] = (32, 0)
    cost: float = 2.0
    tiles: bool = False
    rank: int = _LAST
    plugin: Plugin | None = None

    def __str__(self) -> str:
        return f"method {self.name}"

    def __call__(self, inputs: Any, **arguments: Any) -> Any:
        """Run the function."""
        return self.load()(inputs, **arguments)

    @classmethod
    def of_plugin(cls, plugin: Plugin) -> Self:
        """A method of other people; imports it.

        A plain function says by its parameters what it uses: it runs on the devices of torch if it has a ``device``,
        and weights if it has ``weights``.

        Raises
        ------
        UsageError
            When it does not take inputs, or has a setting whose name `reconstruct` needs itself.
        StemscanError
            As `Plugin.load`.
        """
        found = plugin.load()
        if isinstance(found, cls):
            return replace(found, name=plugin.name, plugin=plugin)
        parameters = inspect.signature(found).parameters
        first = next(iter(parameters.values()), None)
        if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
            raise UsageError(f"expected {plugin} to take inputs as its first parameter, got none; see docs/methods.md")
        taken = next((name for name in list(parameters)[1:] if name in RESERVED), None)
        if taken is not None:
            raise UsageError(f"expected settings of {plugin} with names of their own, got {taken!r}; choose another")
        return cls(
            plugin.name,
            found,
            (inspect.getdoc(found) or "without description").split("\n")[0].rstrip("."),
            needs_weights="weights" in parameters,
            uses_torch="device" in parameters,
            plugin=plugin,
        )

    def load(self) -> Callable[..., Any]:
        """The method's function; imports its module."""
        return self.function if callable(self.function) else import_named(self.function)

    def settings(self) -> Mapping[str, Setting]:
        """Settings by name; imports the method's module."""
        return settings_of(self.load())

    def takes(self, parameter: str) -> bool:
        """Tell whether its function has a parameter."""
        return parameter in inspect.signature(self.load()).parameters

    def bytes_needed(self, shape: tuple[int, int]) -> float:
        """Memory for a grid of rows and columns, in bytes beyond the inputs."""
        pixels = math.prod(shape)
        return self.memory[0] * pixels + min(self.memory[1], _SMALL_GRID * pixels) + _SUMS * pixels
