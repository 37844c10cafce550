"""Images of a file: the signals in it, the frames of each, and which of them is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stemscan.errors import DataError, UsageError
from stemscan.files.pixel_size import PixelSize
from stemscan.types import Array
from stemscan.units import counted

__all__ = ["Loaded", "Opener", "Picture", "Signal", "choose", "uniquely_named"]

Loaded = tuple[Array, tuple[str, ...]]
"""Values of a frame, (H, W) or (H, W, channels), and notes of what was done to them."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame of an image file, or all frames of one of its signals.

    Attributes
    ----------
    values : ndarray (H, W), (H, W, c), or with all frames (T, H, W), (T, H, W, c)
        As the file means them: its type kept, palettes resolved, brighter is more, turned as it says.
    frames : int
        Number of frames in the file, over all its signals.
    frame : int
        Number of this one, or of the first of several.
    name : str
        Of the signal that it belongs to; empty where the file has no names.
    pixel_size_nm : tuple of float, optional
        Distance of neighbouring rows and of neighbouring columns in nm, where the file says it.
    notes : tuple of str
        Changes that the reader made to the values.
    warnings : tuple of str
        Warnings about the file for the user, one clause each, to stand behind its name.
    """

    values: Array
    frames: int = 1
    frame: int = 0
    name: str = ""
    pixel_size_nm: PixelSize | None = None
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Signal:
    """Frames of one kind in a file, not decoded yet.

    Attributes
    ----------
    load : callable
        Decodes the frame of a number; raises whatever its library raises.
    size : tuple of int
        Rows and columns.
    frame_bytes : int
        Of a decoded frame.
    stack : tuple of int
        Extent of the axes before rows and columns, the first slowest.
    name : str
        As the file has it.
    pixel_size_nm, warnings
        As of `Picture`.
    kind : str
        "picture"; or "4D" for patterns at scan points; or "spectra" for the sum of a spectrum image's channels, which
        is taken only by its name.
    """

    load: Callable[[int], Loaded]
    size: tuple[int, int]
    frame_bytes: int
    stack: tuple[int, ...] = ()
    name: str = ""
    pixel_size_nm: PixelSize | None = None
    warnings: tuple[str, ...] = ()
    kind: str = "picture"

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(np.prod(self.stack, dtype=np.int64))


Opener = Callable[[Path], AbstractContextManager[Sequence[Signal]]]
"""Opens a file for as long as frames of its signals are decoded."""


def uniquely_named(signals: Sequence[Signal]) -> list[str]:
    """A name for each signal; where several have the same, later ones are numbered."""
    names: list[str] = []
    for signal in signals:
        name, number = signal.name, 2
        while name and name in names:
            name, number = f"{signal.name} {number}", number + 1
        names.append(name)
    return names


def choose(
    signals: Sequence[Signal], wanted: int | str | None, file: str, *, every: bool
) -> tuple[Signal, range, int, str]:
    """Find the frame that is meant, or with `every` all those of one signal.

    Parameters
    ----------
    wanted : int or str, optional
        Number of a frame over all signals; or the name of a signal, with ``:NUMBER`` behind it for one of its frames.
    file : str
        For messages.
    every : bool
        True if all frames of a signal are meant where no number is given.

    Returns
    -------
    numbers : range
        Of its frames.
    first : int
        Number of the first of them over all signals.
    name : str
        Of the signal.

    Raises
    ------
    DataError
        When there is no picture.
    UsageError
        When it is not clear which frame is meant, or there is no such frame.
    """
    pictures = [signal for signal in signals if signal.kind != "spectra"]
    names, starts = uniquely_named(pictures), [0]
    for one in pictures:
        starts.append(starts[-1] + one.frames)
    if isinstance(wanted, str):
        named = _named(signals, pictures, names, wanted)
        if named is not None:
            signal, start, name, inside = named[0], starts[named[1]], named[2], named[3]
            if inside is None:
                if signal.frames > 1 and not every:
                    raise UsageError(
                        f"expected a single picture, got {counted(signal.frames, 'frame')} of {name!r} in {file!r}; "
                        f"choose one with frame (--frame {name}:0 to {name}:{signal.frames - 1})"
                    )
                return signal, range(signal.frames), start, name
            if not inside < signal.frames:
                raise UsageError(
                    f"expected a frame from {name}:0 to {name}:{signal.frames - 1}, got {wanted!r} for {file!r}"
                )
            return signal, range(inside, inside + 1), start + inside, name
        if not wanted.lstrip("-").isdecimal():
            raise UsageError(f"expected {_choices(names, starts[-1])}, got {wanted!r} for {file!r}")
        wanted = int(wanted)
    if not starts[-1]:
        raise _no_picture(signals, file)
    if wanted is None:
        if every and len(pictures) == 1:
            return pictures[0], range(pictures[0].frames), 0, names[0]
        if starts[-1] > 1:
            raise _several(pictures, names, starts[-1], file)
        wanted = 0
    if not 0 <= wanted < starts[-1]:
        raise UsageError(f"expected a frame from 0 to {starts[-1] - 1}, got {wanted} for {file!r}")
    which = next(number for number, one in enumerate(pictures) if wanted < starts[number + 1])
    inside = wanted - starts[which]
    return pictures[which], range(inside, inside + 1), wanted, names[which]


def _named(
    signals: Sequence[Signal], pictures: Sequence[Signal], names: Sequence[str], wanted: str
) -> tuple[Signal, int, str, int | None] | None:
    """Signal of a name, its number among the pictures, its name, and the frame behind the colon."""
    for summed in signals:
        if summed.kind == "spectra" and wanted == summed.name:
            return summed, 0, summed.name, 0
    for number, (signal, name) in enumerate(zip(pictures, names, strict=True)):
        if not name:
            continue
        if wanted.casefold() == name.casefold():
            return signal, number, name, None
        inside = wanted[len(name) + 1 :]
        if wanted.casefold().startswith(f"{name.casefold()}:") and inside.isdecimal():
            return signal, number, name, int(inside)
    return None


def _choices(names: Sequence[str], frames: int) -> str:
    """Choices of a frame."""
    given = list(_shortened([name for name in names if name]))
    numbers = f"a number from 0 to {frames - 1}" if frames > 1 else "the number 0"
    return f"a frame's name ({', '.join(given)}) or {numbers}" if given else f"{numbers} for a frame"


def _shortened(names: Sequence[str]) -> Iterator[str]:
    """The first few names."""
    yield from names[:8]
    if len(names) > 8:
        yield f"and {counted(len(names) - 8, 'other')}"


def _several(pictures: Sequence[Signal], names: Sequence[str], frames: int, file: str) -> UsageError:
    """More frames than one, and none was chosen."""
    if len(pictures) == 1 and pictures[0].kind == "4D":
        points, pattern = " x ".join(map(str, pictures[0].stack)), " x ".join(map(str, pictures[0].size))
        return UsageError(
            f"expected a picture, got a 4D file in {file!r}: {points} scan points with a pattern of {pattern} pixels "
            "each; make a picture of it first with a virtual detector, or choose a pattern with frame "
            f"(--frame 0 to {frames - 1})"
        )
    if len(pictures) > 1 and all(names):
        return UsageError(
            f"expected a single picture, got {counted(len(pictures), 'signal')} in {file!r}; choose one with frame "
            f"(--frame {names[0]!r}), of {', '.join(_shortened(names))}"
        )
    shape = " x ".join(map(str, (*pictures[0].stack, *pictures[0].size)))
    array = f" of an array of {shape}" if len(pictures) == 1 and len(pictures[0].stack) > 1 else ""
    return UsageError(
        f"expected a single picture, got {counted(frames, 'frame')}{array} in {file!r}; choose one with frame "
        f"(--frame 0 to {frames - 1})"
    )


def _no_picture(signals: Sequence[Signal], file: str) -> DataError:
    """Nothing but spectra, or nothing at all."""
    spectra = next((signal for signal in signals if signal.kind == "spectra"), None)
    if spectra is None:
        return DataError(f"expected a picture, got only spectra or single values in {file!r}")
    return DataError(
        f"expected a picture, got a spectrum image of {spectra.size[0]} x {spectra.size[1]} points in {file!r}; "
        f"choose the sum of its channels with frame (--frame {spectra.name!r}), or export a picture"
    )
