"""Several channels of one scan measured elsewhere: a file each, a signal each of one file, or an axis of an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stemscan.errors import UsageError
from stemscan.files.arrays import read_array
from stemscan.store.importing.measured import Samples, samples_from_frames
from stemscan.store.importing.measured_files import Found, means_all, read_samples
from stemscan.units import counted

__all__ = ["channel_names", "joined", "read_channels"]


def read_channels(
    files: Sequence[Path], *, frames: Sequence[str] = (), axis: int | None = None, **how: Any
) -> list[Found]:
    """Read the samples of each channel.

    Parameters
    ----------
    files : sequence of pathlib.Path
        One a channel, or one of all.
    frames : sequence of str
        Signal, or frame of one: one for all files, one each, or several of a single file.
    axis : int, optional
        Of channels, in the single array of frames; from 0, or from the end below 0.
    **how
        Further arguments of `read_samples`.

    Returns
    -------
    list of Found
        Of the same samples, `joined` makes one of them.

    Raises
    ------
    StemscanError
        As `read_samples`, and where numbers of files and frames do not go together.
    """
    if axis is not None:
        return _along(files, frames, axis, **how)
    if len(files) > 1 and len(frames) not in (0, 1, len(files)):
        raise UsageError(
            f"expected --frame once, or once for each of {counted(len(files), 'file')}, got {len(frames)}; match them"
        )
    pairs = max(len(files), len(frames))
    return [
        read_samples(files[min(at, len(files) - 1)], frame=frames[min(at, len(frames) - 1)] if frames else None, **how)
        for at in range(pairs)
    ]


def channel_names(files: Sequence[Path], frames: Sequence[str], number: int, given: Sequence[str]) -> tuple[str, ...]:
    """Names of channels: as given, or those of their files or signals where these differ, or channel-0, channel-1.

    Raises
    ------
    UsageError
        When there are not as many names as channels.
    """
    if given and len(given) != number:
        raise UsageError(f"--name: expected one for each of {counted(number, 'channel')}, got {len(given)}; match them")
    if given:
        return tuple(given)
    if number == 1:
        return ("detector",)
    found = [path.name.partition(".")[0] for path in files] if len(files) == number else list(frames)
    tidy = [name.replace(" ", "-").replace("+", "-").replace(",", "-") for name in found]
    apart = len(set(map(str.lower, tidy))) == number and all(name[:1].isalpha() for name in tidy) and "all" not in tidy
    return tuple(tidy) if apart else tuple(f"channel-{at}" for at in range(number))


def joined(found: Sequence[Found], names: Sequence[str]) -> Samples:
    """The samples of all channels together.

    Raises
    ------
    UsageError
        When channels were not measured at the same places in the same order.
    """
    first = found[0].samples
    if len(found) == 1:
        return first
    for one, name in zip(found[1:], names[1:], strict=True):
        other = one.samples
        pairs = {
            "grid": (first.shape, other.shape),
            "samples per pass": (first.samples_per_pass, other.samples_per_pass),
        }
        for what, (wanted, got) in pairs.items():
            if wanted != got:
                raise UsageError(f"expected the {what} of channel {names[0]}, {wanted}, got {got} of channel {name}")
        places = [item.positions if item.actual is None else item.actual for item in (first, other)]
        if not np.array_equal(places[0], places[1]):
            at = int(np.argmax((places[0] != places[1]).any(axis=1)))
            raise UsageError(
                f"expected all channels at the same places, got {places[0][at].tolist()} of {names[0]} and "
                f"{places[1][at].tolist()} of {name} at sample {at}; give one mask or one list of positions"
            )
    counts = [one.samples.counts for one in found]
    return replace(first, counts=np.stack(counts, axis=1), left_out=max(one.samples.left_out for one in found))


def _along(files: Sequence[Path], frames: Sequence[str], axis: int, **how: Any) -> list[Found]:
    """Channels along an axis of one array of frames."""
    mask = how.get("mask")
    if len(files) != 1 or frames or how.get("positions") is not None or how.get("columns") is not None:
        raise UsageError("--channel-axis: expected one array of frames, without --frame, --positions or --columns")
    stack = read_array(files[0])
    if stack.ndim not in (3, 4) or not -stack.ndim <= axis < stack.ndim:
        raise UsageError(
            f"--channel-axis: expected an array (passes, rows, columns) or (rows, columns) with one more axis, and its "
            f"number, got shape {stack.shape} and axis {axis}"
        )
    full = mask is not None and means_all(mask)
    visited = None if mask is None or full else read_array(mask, mask=True)
    told_apart_by = "NaN" if mask is None else "mask"
    channels = np.moveaxis(stack, axis, 0)
    if full:
        visited = np.ones(channels.shape[-2:], bool)
    return [Found(samples_from_frames(one, visited), told_apart_by) for one in channels]
