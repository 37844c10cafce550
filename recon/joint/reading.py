"""From a store of several channels to the inputs of methods: one channel's counts, or those of several as one's."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.errors import UsageError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import Positions, load_inputs, opened
from stemscan.types import ReadOnlyMapping

if TYPE_CHECKING:
    from stemscan.recon.drift.using import DriftUse
    from stemscan.store.reader import Acquisition

__all__ = ["chosen_channels", "load_channels"]


def chosen_channels(acquisition: Acquisition, channel: int | str) -> tuple[int, ...]:
    """Numbers of channels: of a number or a name, of NAME+NAME..., or of `all`; the one that is wanted first.

    Raises
    ------
    UsageError
        When one is not there, or is named twice.
    """
    if str(channel).lower() == "all":
        return tuple(range(len(acquisition.channels)))
    found = tuple(acquisition.channel_number(part) for part in str(channel).split("+"))
    if len(set(found)) < len(found):
        raise UsageError(f"expected each channel once, got {str(channel)!r}; leave the second out")
    return found


def load_channels(
    source: str | Path | Acquisition,
    channel: int | str = 0,
    positions: Positions | None = None,
    *,
    device: str = "cpu",
    drift: DriftUse = "auto",
) -> Inputs:
    """Read one channel of an acquisition, or several as one.

    Parameters
    ----------
    source : str, Path or Acquisition
        As for `load_inputs`.
    channel : int or str
        Number or name of the channel that is wanted; with others, as "abf+haadf", their counts are brought onto its
        signal (`stemscan.recon.joint.merging`); "all" is the first with all others.
    positions : {"actual", "commanded"}, optional
        As for `load_inputs`.
    device : str
        Of torch, on which channels are merged.
    drift : {"auto", "off", "stored"}
        As for `load_inputs`; that of the first channel is that of all.

    Returns
    -------
    Inputs
        `source` names the channel, and says how others were merged into it; `own` are its own counts then.

    Raises
    ------
    UsageError, StemscanError
        When there is no such channel, and as `load_inputs`.
    """
    from stemscan.recon.drift.using import drift_to_use

    acquisition = opened(source)
    numbers = chosen_channels(acquisition, channel)
    used = drift_to_use(acquisition, "off" if positions == "commanded" else drift)
    channels = [load_inputs(acquisition, positions, used, channel=number) for number in numbers]
    wanted = channels[0]
    if len(channels) == 1:
        return wanted
    from stemscan.recon.devices import check_device
    from stemscan.recon.joint.merging import merged

    made = merged(wanted, channels[1:], device=check_device(device))
    names = [acquisition.channels[number].name for number in numbers[1:]]
    relations = {name: asdict(relation) for name, relation in zip(names, made.relations, strict=True)}
    return replace(made.inputs, source=ReadOnlyMapping({**wanted.source, "merged": relations}), own=wanted)
