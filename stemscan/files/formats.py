"""Formats of files by their first bytes, and the opener of each."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final, Literal

from stemscan.errors import DataError, UsageError, refusal
from stemscan.files.images import Opener

__all__ = ["IN_PROCESS", "format_of", "measured_kind", "opener_of"]

IN_PROCESS: Final = frozenset({"npy", "text"})
"""Formats whose readers are our own and bound by the file's size: they need no worker process."""

_MARKS: Final = (
    (0, b"\x93NUMPY", "npy"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"II+\0", "tiff"),
    (0, b"MM\0+", "tiff"),
    (0, b"MATLAB 5.0", "mat"),
    (0, b"%!PS", "eps"),
    (0, b"\xc5\xd0\xd3\xc6", "eps"),
    (0, b"%PDF", "pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
    (0, b"qoif", "QOI"),
    (8, b"WEBP", "WEBP"),
    (4, b"ftypavif", "AVIF"),
    (0, b"\0\0\0\x03", "DigitalMicrograph"),
    (0, b"\0\0\0\x04", "DigitalMicrograph"),
    (0, b"II\x97\x01", "TIA"),
    (208, b"MAP ", "MRC"),
    (0, b"BM", "BMP"),
)
_PILLOW: Final = frozenset({"PNG", "JPEG", "GIF", "JPEG2000", "QOI", "WEBP", "AVIF", "BMP", "PPM"})
_PILLOW_SUFFIXES: Final = {
    ".tga": "TGA",
    ".pcx": "PCX",
    ".msp": "MSP",
    ".xbm": "XBM",
    ".xpm": "XPM",
    ".ras": "SUN",
    ".ico": "ICO",
    ".dib": "DIB",
    ".spi": "SPIDER",
    ".fli": "FLI",
    ".flc": "FLI",
    ".dcx": "DCX",
}
_TEXT: Final = frozenset({".csv", ".txt", ".tsv", ".tab", ".dat", ".asc"})
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_HDF5_SUFFIXES: Final = frozenset({".h5", ".hdf5", ".hspy", ".emd", ".de5", ".nxs"})
_NO_PICTURES: Final = {"eps": "a PostScript page", "pdf": "a PDF page"}


def format_of(path: Path) -> str:
    """The format of a file: by its first bytes where it has a mark, else by its suffix.

    Returns
    -------
    str
        npy, npz, tiff, hdf5, mat, zarr, text; a name of Pillow's; a module of RosettaSciIO; or "rosettasciio" for one
        that its suffix tells.

    Raises
    ------
    DataError
        When the file cannot be read, or is of no format that is known here.
    UsageError
        When it is a folder, and no Zarr.
    """
    if path.is_dir():
        if any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
            return "zarr"
        raise UsageError(f"expected a file or a Zarr folder, got {str(path)!r}, which is another folder")
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as problem:
        raise DataError(f"expected a readable file, got {str(path)!r}: {refusal(problem)}") from problem
    if not head:
        raise DataError(f"expected a file with data, got {str(path)!r}, which is empty")
    found = _by_mark(head, path) or _by_suffix(path)
    if found in _NO_PICTURES:
        raise DataError(
            f"expected an image file, got {str(path)!r}, which is {_NO_PICTURES[found]}; export pixels as tif or png"
        )
    if found is None:
        raise DataError(
            f"expected an image file, got {str(path)!r}, which is of no format known here; give tif, png, jpg, npy, "
            'or with pip install "stemscan[files]" dm3, dm4, emd, mrc, ser, hspy'
        )
    return found


def measured_kind(path: Path) -> Literal["npy", "text", "image"]:
    """Reader of measured numbers: by the first bytes, and where they tell nothing by the suffix.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    if path.is_dir():
        return "image"
    try:
        with path.open("rb") as file:
            found = _by_mark(file.read(4096), path)
    except OSError as problem:
        raise DataError(f"expected a readable file, got {str(path)!r}: {refusal(problem)}") from problem
    suffix = path.suffix.lower()
    if found == "npy" or (found is None and suffix == ".npy"):
        return "npy"
    return "text" if found is None and suffix in _TEXT else "image"


def _by_mark(head: bytes, path: Path) -> str | None:
    """The format that the first bytes tell."""
    if any(head[at : at + 8] == _HDF5 for at in (0, 512, 1024, 2048)):
        return "hdf5"
    if head.startswith(b"PK\x03\x04"):
        return _zip_format(path)
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PPM"
    suffix = path.suffix.lower()
    for at, mark, name in _MARKS:
        if head[at : at + len(mark)] == mark and (len(mark) > 2 or suffix in (".bmp", "")):
            return name
    return None


def _zip_format(path: Path) -> str | None:
    """The format of an archive, by what is in it."""
    if path.suffix.lower() == ".prz":
        return "rosettasciio"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:10_000]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as problem:
        raise DataError(f"expected a whole archive, got {str(path)!r}, which is damaged ({problem})") from problem
    if any(name.endswith(".npy") for name in names):
        return "npz"
    return "zarr" if any(name.split("/")[-1] in ("zarr.json", ".zgroup", ".zarray") for name in names) else None


def _by_suffix(path: Path) -> str | None:
    """The format that the suffix tells."""
    suffix = path.suffix.lower()
    if suffix in _TEXT:
        return "text"
    if suffix in _HDF5_SUFFIXES:
        raise DataError(f"expected an HDF5 file, got {str(path)!r}, which is damaged or of another format")
    if suffix == ".mat":
        return "mat"
    if suffix in _PILLOW_SUFFIXES:
        return _PILLOW_SUFFIXES[suffix]
    from stemscan.files.microscope import rosettasciio_reads

    return "rosettasciio" if rosettasciio_reads(suffix) else None


def opener_of(path: Path) -> Opener:
    """The function that opens a file; with its libraries imported.

    Raises
    ------
    DataError
        As `format_of`.
    MissingDependencyError
        When a library is not installed.
    """
    name = format_of(path)
    if name in ("npy", "npz"):
        from stemscan.files import numpy_files

        return numpy_files.open_npy if name == "npy" else numpy_files.open_npz
    if name == "text":
        from stemscan.files.text_images import open_text

        return open_text
    if name == "tiff":
        from stemscan.files.tiff import open_tiff

        return open_tiff
    if name == "zarr":
        from stemscan.files.zarr_images import open_zarr

        return open_zarr
    if name == "mat":
        from stemscan.files.matlab import open_mat

        return open_mat
    if name == "hdf5":
        from stemscan.files.hdf5 import hdf5_opener

        return hdf5_opener(path)
    if name in _PILLOW or name in _PILLOW_SUFFIXES.values():
        from stemscan.files.pillow import pillow_opener

        return pillow_opener(name)
    from stemscan.files.microscope import microscope_opener

    return microscope_opener(name, path)
