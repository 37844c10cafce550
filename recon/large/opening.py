"""From a store to the frame that is reconstructed in tiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.recon.large.field import Field, LoadedField, StoreField
from stemscan.recon.large.samples_field import Placing, SamplesField

if TYPE_CHECKING:
    from stemscan.recon.drift.using import DriftUse
    from stemscan.recon.inputs.reading import Positions
    from stemscan.store.reader import Acquisition

__all__ = ["open_field"]


def open_field(
    source: str | Path | Acquisition,
    channel: int | str = 0,
    positions: Positions | None = None,
    *,
    device: str = "cpu",
    drift: DriftUse = "auto",
) -> Field:
    """Open a store, of which parts are read; one whose channels are merged is read into memory.

    Parameters
    ----------
    source, channel, positions, device, drift
        As for `stemscan.recon.joint.reading.load_channels`.

    Raises
    ------
    StemscanError
        As `load_channels`.
    """
    from stemscan.recon.drift.using import drift_to_use
    from stemscan.recon.inputs.reading import check_positions, opened, origin_of
    from stemscan.recon.joint.reading import chosen_channels, load_channels

    acquisition = opened(source)
    numbers = chosen_channels(acquisition, channel)
    if len(numbers) > 1 or not acquisition.samples_committed:
        return LoadedField(load_channels(acquisition, channel, positions, device=device, drift=drift))
    check_positions(acquisition, positions)
    number, actual = numbers[0], acquisition.has_actual and positions != "commanded"
    used = drift_to_use(acquisition, "off" if positions == "commanded" else drift)
    origin = origin_of(acquisition, number, used, actual=actual)
    placing = Placing(actual, used.trajectory)
    drawn = acquisition.state == "complete" and not acquisition.channels[number].dead_share
    if drawn and placing.on_pixels and "truth_trajectory" not in acquisition.tracks:
        return StoreField(acquisition, number, origin)
    return SamplesField(acquisition, number, origin, placing)
