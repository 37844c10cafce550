"""Reader of stores and of tables of columns for napari (npe2; the manifest is `napari.yaml` beside this module).

Layers have the scale of the scan in nm, where it is known. Maps of a reconstruction are read as they are looked at:
napari pages through the pyramid of a large image. napari itself is not imported.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["reader_of"]

LayerData = tuple[Any, dict[str, Any], str]
"""Data of a layer, its attributes, and its kind."""

Reader = Callable[[str | Sequence[str]], list[LayerData]]

_COLUMN_FIELDS: Final = ("row", "col", "amplitude")
_HIDDEN: Final = ("std", "contradiction", "visits")


def reader_of(path: str | Sequence[str]) -> Reader | None:
    """The reader of an acquisition, a reconstruction or a table of columns; None of anything else.

    Parameters
    ----------
    path : str or sequence of str
        As napari gives it; of several paths none is read.

    Examples
    --------
    >>> reader_of("holiday.csv") is None
    True
    """
    if not isinstance(path, str):
        return None
    place = Path(path)
    if place.suffix.lower() == ".csv":
        return _read_columns if _is_of_columns(place) else None
    return _read_store if _kind_of(place) is not None else None


def _kind_of(place: Path) -> str | None:
    """Kind of a store of this project; None of other folders."""
    from stemscan.errors import StemscanError
    from stemscan.recon.output.zarr_image import is_reconstruction
    from stemscan.store.reader import Acquisition

    if not (place / "zarr.json").is_file():
        return None
    if is_reconstruction(place):
        return "reconstruction"
    try:
        Acquisition.open(place)
    except StemscanError:
        return None
    return "acquisition"


def _read_store(path: str | Sequence[str]) -> list[LayerData]:
    """Layers of a store."""
    from stemscan.store.reader import Acquisition

    place = Path(str(path))
    if _kind_of(place) == "reconstruction":
        return _of_reconstruction(place)
    return _of_acquisition(Acquisition.open(place))


def _of_acquisition(store: Acquisition) -> list[LayerData]:
    """Counts of each detector, and visits, by pass; those of a store that grows are renewed while it does."""
    from stemscan.recon.view.napari_following import Growth, follow

    place, growth = _scale(store.pixel_size_nm, 3), Growth(store)
    layers: list[LayerData] = []
    for frames, detector in zip(growth.counts, store.channels, strict=True):
        limits = [float(frames.min()), float(max(frames.max(), frames.min() + 1))]
        name = "counts" if len(store.channels) == 1 else f"counts {detector.name}"
        more = {"contrast_limits": limits, "metadata": {"contrast": limits}}
        layers.append((frames, {"name": name, **more, **place}, "image"))
    visits = {"name": "visits", "visible": False, "colormap": "cyan", **place}
    if not growth.complete:
        follow(growth)
    return [*layers, (growth.visits, visits, "image")]


def _of_reconstruction(place: Path) -> list[LayerData]:
    """Image with its pyramid, standard deviation, and contradiction."""
    import zarr

    from stemscan.recon.output.zarr_image import read_record

    record, group = read_record(place), zarr.open_group(place, mode="r")
    scale = _scale(record["pixel_size_nm"], 2)
    ome: Any = group.attrs["ome"]
    datasets = ome["multiscales"][0]["datasets"]
    levels: list[Any] = [group[str(one["path"])] for one in datasets]
    layers: list[LayerData] = []
    for name in ("image", "std", "contradiction"):
        if name not in group:
            continue
        pyramid = name == "image" and len(levels) > 1
        attributes = {"name": name, "visible": name not in _HIDDEN, "multiscale": pyramid, **scale}
        if name == "contradiction":
            limit = float(record["contradictions"]["threshold"])
            attributes |= {
                "contrast_limits": [-limit, limit],
                "colormap": "twilight_shifted",
                "blending": "translucent",
            }
        elif name == "image":
            smallest = np.asarray(levels[-1])
            attributes["contrast_limits"] = [float(one) for one in np.percentile(smallest, (0.1, 99.9))]
        layers.append((levels if pyramid else group[name], attributes, "image"))
    return layers


def _is_of_columns(place: Path) -> bool:
    """Tell whether a table was written by `stemscan columns`."""
    try:
        with place.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return {*_COLUMN_FIELDS, "row_std", "col_std"} <= set(header)


def _read_columns(path: str | Sequence[str]) -> list[LayerData]:
    """Points of columns, in pixels, with all that is known of each."""
    with Path(str(path)).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    features = {name: _values([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    places = np.array([[float(row["row"]), float(row["col"])] for row in rows]).reshape(-1, 2)
    attributes = {"name": Path(str(path)).stem, "features": features, "size": 3, "face_color": "transparent"}
    return [(places, {**attributes, "border_color": "orange"}, "points")]


def _values(texts: Sequence[str]) -> list[float] | list[str]:
    """A field as numbers where all are."""
    try:
        return [float(text) if text else float("nan") for text in texts]
    except ValueError:
        return list(texts)


def _scale(size: float | None, axes: int) -> dict[str, Any]:
    """Scale of rows and columns in nm; nothing where it is not known."""
    if size is None:
        return {}
    return {"scale": [1.0] * (axes - 2) + [size, size], "units": ["pixel"] * (axes - 2) + ["nm", "nm"]}
