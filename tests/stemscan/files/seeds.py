"""Small whole files of every format, to be damaged."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.stemscan.files.conftest import write_dm, write_mrc, write_ser

__all__ = ["SEEDS"]

GREY = np.random.default_rng(5).integers(0, 255, (24, 20)).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 251
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def _tiff(name: str, data: Any = DEEP, **options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"{name}.tif"
        tifffile.imwrite(path, data, **options)
        return path

    return make


def _pillow(name: str, data: Any = GREY, **options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        Image.fromarray(data).save(path, **options)
        return path

    return make


def _animation(folder: Path) -> Path:
    path = folder / "a.gif"
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(GREY[::-1].copy())])
    return path


def _npy(folder: Path) -> Path:
    np.save(folder / "a.npy", DEEP)
    return folder / "a.npy"


def _npz(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", haadf=DEEP, bf=GREY)
    return folder / "a.npz"


def _mat(folder: Path) -> Path:
    importlib.import_module("scipy.io").savemat(folder / "a.mat", {"haadf": DEEP}, do_compression=True)
    return folder / "a.mat"


def _text(folder: Path) -> Path:
    np.savetxt(folder / "a.csv", GREY, delimiter=",", fmt="%d")
    return folder / "a.csv"


def _vendor(name: str, write: Callable[..., None], data: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / name, data, 0.02)
        return folder / name

    return make


def _hdf5(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import h5py

        path = folder / name
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as file:
            if name.endswith("hspy"):
                file.attrs["file_format"] = "HyperSpy"
                group = file.create_group("Experiments/a")
                group.create_dataset("data", data=DEEP, compression="gzip", chunks=(8, 8))
                for number in range(2):
                    group.create_group(f"axis-{number}").attrs.update({"scale": 0.02, "units": "nm", "navigate": False})
            elif name.endswith("emd"):
                file.attrs.update({"version_major": 0, "version_minor": 2})
                group = file.create_group("signals/a")
                group.attrs["emd_group_type"] = 1
                group.create_dataset("data", data=DEEP)
                for number, size in enumerate(DEEP.shape, 1):
                    axis = group.create_dataset(f"dim{number}", data=np.arange(size) * 0.02)
                    axis.attrs.update({"name": f"a{number}", "units": "nm"})
            else:
                file.create_dataset("haadf", data=DEEP, compression="gzip", chunks=(8, 8))
        return path

    return make


SEEDS: dict[str, list[Callable[[Path], Path]]] = {
    "tiff": [
        _tiff("plain"),
        _tiff("lzw", compression="lzw"),
        _tiff("zlib", compression="zlib", predictor=True),
        _tiff("tiles", tile=(16, 16), compression="zstd"),
        _tiff("palette", GREY, photometric="palette", colormap=np.arange(768, dtype=np.uint16).reshape(3, 256)),
        _tiff("imagej", np.stack([DEEP, DEEP]), imagej=True, metadata={"unit": "nm"}, resolution=(50, 50)),
        _tiff("ome.ome", np.stack([DEEP, DEEP]), ome=True, metadata={"axes": "TYX", "PhysicalSizeX": 1}),
        _tiff("big", DEEP, bigtiff=True, byteorder=">"),
        _tiff("jpeg", COLOUR, photometric="rgb", compression="jpeg"),
        _tiff("packed", GREY > 99, compression="packbits"),
    ],
    "png": [_pillow("a.png"), _pillow("b.png", COLOUR), _pillow("c.png", DEEP), _pillow("d.png", GREY > 99)],
    "jpeg": [_pillow("a.jpg"), _pillow("b.jpg", COLOUR, progressive=True)],
    "gif": [_animation],
    "bmp": [_pillow("a.bmp"), _pillow("b.bmp", COLOUR)],
    "webp": [_pillow("a.webp", COLOUR, lossless=True)],
    "jpeg2000": [_pillow("a.jp2", DEEP)],
    "npy": [_npy],
    "npz": [_npz],
    "mat": [_mat],
    "text": [_text],
    "hdf5": [_hdf5("a.hspy"), _hdf5("a.h5"), _hdf5("a.emd")],
    "dm": [_vendor("a.dm3", write_dm, DEEP.astype(np.float32)), _vendor("a.dm4", write_dm, DEEP.astype(np.float32))],
    "ser": [_vendor("a.ser", write_ser, DEEP[None].astype(np.float32))],
    "mrc": [_vendor("a.mrc", write_mrc, DEEP[None].astype(np.float32))],
}
