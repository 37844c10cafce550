"""Weights files: safetensors with a description of what is in them, never pickle.

`save_weights` and `load_weights` are the format: tensors under this project's layer names, and as metadata the format
and its version, the architecture (see `recon.networks`), the number of frames, the convention of the inputs and
where the weights come from. A file that is not exactly what is expected is refused with one sentence: weights that half
fit give images that look like images.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from stemscan.errors import WeightsError, refusal
from stemscan.files.opening import require_file
from stemscan.files.writing import write_file
from stemscan.units import counted

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "FORMAT",
    "Convention",
    "WeightsInfo",
    "check_exists",
    "filled_network",
    "is_pickle",
    "load_weights",
    "read_tensors",
    "save_weights",
]

FORMAT: Final = "stemscan-weights"
FORMAT_VERSION: Final = "1"
_PROTOCOL: Final = 0x80  # first byte of a pickle; the number of its protocol follows

Convention = Literal["published", "paper", "analysis"]
"""Recipe of the network's inputs: that of the published code, the paper's equations, or Fourier analysis."""


@dataclass(frozen=True)
class WeightsInfo:
    """Description of the weights in a file.

    Attributes
    ----------
    frames : int
        Frames that the network takes, where it is built for a number of them.
    convention : {"published", "paper", "analysis"}
        Way in which its inputs are made.
    origin : str
        Origin of the weights, in words.
    source_sha256 : str
        Digest of the file that was imported; empty for weights that were trained here.
    architecture : str
        Name in `stemscan.recon.networks.registry.ARCHITECTURES`.
    """

    frames: int
    convention: Convention
    origin: str = ""
    source_sha256: str = ""
    architecture: str = "fshnet"


def save_weights(
    network: nn.Module, destination: str | Path, info: WeightsInfo, *, half: bool = False, overwrite: bool = False
) -> None:
    """Write a network's weights. The same weights give the same bytes.

    Parameters
    ----------
    network : Module
        Of the architecture that `info` names.
    half : bool
        Round the weights to float16, which halves the file. They are float32 again when they are loaded.
    overwrite : bool
        True if a file that is there may be replaced.

    Raises
    ------
    InputNotFoundError, OutputExistsError
        When the folder is missing, or something is there.
    """
    import torch
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if half:
        tensors = {name: x.to(torch.float16) if x.is_floating_point() else x for name, x in tensors.items()}
    # one entry holds all, because the library writes several in random order
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "architecture": info.architecture,
        "frames": info.frames,
        "convention": info.convention,
        "origin": info.origin,
        "source_sha256": info.source_sha256,
    }
    metadata = {"stemscan": json.dumps(description, sort_keys=True)}
    content = save(tensors, metadata)

    def write(path: Path) -> None:
        path.write_bytes(content)

    write_file(Path(destination), write, overwrite=overwrite)


def load_weights(source: str | Path, method: str = "fshnet") -> tuple[nn.Module, WeightsInfo]:
    """Read a weights file and build its network, in evaluation mode on the CPU.

    Parameters
    ----------
    method : str
        The method that shall run the network.

    Returns
    -------
    (Module, WeightsInfo)

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    WeightsError
        When it is not a whole, finite set of weights of one of the method's networks in this format.
    """
    path = Path(source)
    tensors, metadata = read_tensors(path)
    info = _described(path, metadata, method)
    return filled_network(info.architecture, info.frames, tensors, path), info


def check_exists(path: Path) -> None:
    """Refuse a path without a file.

    Raises
    ------
    InputNotFoundError
        When there is nothing.
    WeightsError
        When it is a folder, device or pipe.
    """
    require_file(path, "a weights file", WeightsError)


def is_pickle(path: Path) -> bool:
    """Tell whether a file is one of torch's: a zip archive or a bare pickle."""
    with path.open("rb") as file:
        start = file.read(9)
    if start[4:] == b"\0\0\0\0{":  # safetensors: length of the header in 8 bytes, then JSON; may begin like a pickle
        return False
    return zipfile.is_zipfile(path) or (
        len(start) > 1 and start[0] == _PROTOCOL and 2 <= start[1] <= pickle.HIGHEST_PROTOCOL
    )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    WeightsError
        When it is a pickle, damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open

    check_exists(path)
    if is_pickle(path):
        converted = f"{path.stem}{'-converted' if path.suffix == '.safetensors' else ''}.safetensors"
        raise WeightsError(
            f"expected weights in the safetensors format, got {str(path)!r}, which is a pickle; "
            f"convert it: stemscan weights import {path.name} -o {converted}"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno:
            raise WeightsError(f"expected to read {str(path)!r}, got: {refusal(problem)}") from problem
        raise WeightsError(
            f"expected a whole safetensors file, got {str(path)!r}, which cannot be read ({problem}); "
            "copy or download it again"
        ) from problem


def _described(path: Path, metadata: dict[str, str], method: str) -> WeightsInfo:
    """The description in a file's metadata, or an error that says what is wrong with it."""
    from stemscan.recon.networks.registry import ARCHITECTURES

    try:
        description = json.loads(metadata["stemscan"])
        found = tuple(str(description[key]) for key in ("format", "format_version"))
        info = WeightsInfo(
            frames=int(description["frames"]),
            convention=description["convention"],
            origin=str(description["origin"]),
            source_sha256=str(description["source_sha256"]),
            architecture=str(description["architecture"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise WeightsError(
            f"expected a weights file of this project, got {str(path)!r}, which has no such description; "
            f"convert published weights first: stemscan weights import {path.name} -o fshnet.safetensors"
        ) from problem
    known = [name for name, one in ARCHITECTURES.items() if one.method == method]
    if found != (FORMAT, FORMAT_VERSION) or info.architecture not in known:
        raise WeightsError(
            f"expected {' or '.join(known)} weights in version {FORMAT_VERSION} of the format {FORMAT}, "
            f"got {info.architecture} in version {found[1]} of {found[0]} in {str(path)!r}; give weights of this method"
        )
    if info.convention not in get_args(Convention) or not 1 <= info.frames <= 256:
        raise WeightsError(
            f"expected 1 to 256 frames in one of the conventions {', '.join(get_args(Convention))}, got "
            f"{counted(info.frames, 'frame')} in {info.convention!r} in {str(path)!r}; "
            "the file was made by something else, make it again"
        )
    return info


def filled_network(architecture: str, frames: int, tensors: dict[str, Tensor], path: Path) -> nn.Module:
    """A network made of the tensors, all of them and nothing else, in evaluation mode.

    Parameters
    ----------
    architecture : str
        Name in `stemscan.recon.networks.registry.ARCHITECTURES`.
    frames : int
        Frames that the network takes, where it is built for a number of them.
    tensors : dict of str to Tensor
        By the network's own names; float16 ones become float32.
    path : Path
        The file that they are from, for messages.

    Raises
    ------
    WeightsError
        When they are not exactly the network's, or not finite.
    """
    import torch

    from stemscan.recon.networks.registry import build

    with torch.device("meta"):  # no initialisation: it would be thrown away, and draws from the global generator
        network = build(architecture, frames)
    wanted = network.state_dict()
    for fault, names in (
        ("missing", [name for name in wanted if name not in tensors]),
        ("unknown", [name for name in tensors if name not in wanted]),
    ):
        if names:
            raise WeightsError(
                f"expected the {counted(len(wanted), 'tensor')} of {architecture}, got {str(path)!r} with {len(names)} "
                f"{fault} ({names[0]}); give weights of this method"
            )
    tensors = {name: x.to(torch.float32) if x.dtype == torch.float16 else x for name, x in tensors.items()}
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise WeightsError(
                f"expected {name} of shape {tuple(wanted[name].shape)} and {wanted[name].dtype}, got "
                f"{tuple(tensor.shape)} and {tensor.dtype} in {str(path)!r}; give weights of this method"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"expected finite weights, got NaN or infinity in {name} in {str(path)!r}; take an earlier checkpoint"
            )
    network.load_state_dict(tensors, assign=True)
    return network.eval()
