"""The attribute `ome` of a store: what viewers of OME-Zarr 0.5 see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stemscan.store.batch import DetectorInfo
from stemscan.store.files import Json
from stemscan.store.schema import LEVELS, Layout

if TYPE_CHECKING:
    from stemscan.store.record import StoreRecord

__all__ = ["ome_attributes"]


def ome_attributes(layout: Layout, record: StoreRecord) -> Json:
    """The `ome` attribute: `frames` as an OME-Zarr 0.5 image; what is not known has scale 1 and no unit.

    Large frames have the levels of their pyramid, too. Several channels are named for viewers, and shown up to
    signal 1.
    """
    time: Json = {"name": "t", "type": "time"}
    rows: Json = {"name": "y", "type": "space"}
    columns: Json = {"name": "x", "type": "space"}
    scale = [1.0, 1.0, 1.0, 1.0]
    if layout.seconds_per_pass is not None:
        time["unit"], scale[0] = "second", layout.seconds_per_pass
    if layout.pixel_size_nm is not None:
        rows["unit"] = columns["unit"] = "nanometer"
        scale[2] = scale[3] = layout.pixel_size_nm
    axes = [time, {"name": "c", "type": "channel"}, rows, columns]
    if record.schema_version == 1:
        del axes[1], scale[1]
    datasets = [{"path": "frames", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    datasets += [_level(name, scale) for name in LEVELS if name in record.arrays]
    ome: Json = {"version": "0.5", "multiscales": [{"name": "frames", "axes": axes, "datasets": datasets}]}
    if len(record.channels) > 1:
        ome["omero"] = {"channels": [_shown(one, layout.electrons_per_sample) for one in record.detectors]}
    return ome


def _level(name: str, scale: list[float]) -> Json:
    """A level of the pyramid; the centres of its pixels lie where they belong on the grid."""
    coarse = 2 ** (1 + LEVELS.index(name))
    wider = [*scale[:-2], *(size * coarse for size in scale[-2:])]
    moved = [*(0.0 for _ in scale[:-2]), *(size * (coarse - 1) / 2 for size in scale[-2:])]
    where = [{"type": "scale", "scale": wider}, {"type": "translation", "translation": moved}]
    return {"path": name, "coordinateTransformations": where}


def _shown(channel: DetectorInfo, electrons: float) -> Json:
    """Name, colour and range of a channel for viewers."""
    low, high = channel.offset, channel.offset + channel.gain * electrons
    window = {"min": low, "max": high, "start": low, "end": high}
    return {"label": channel.name, "color": "FFFFFF", "active": True, "window": window}
