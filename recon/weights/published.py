"""The published FSHNet weights as a weights file of this project: other names, no pickle."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stemscan.errors import UsageError, WeightsError
from stemscan.files.writing import check_output
from stemscan.recon.weights.file import (
    WeightsInfo,
    check_exists,
    filled_network,
    is_pickle,
    read_tensors,
    save_weights,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["import_published"]

_ARCHITECTURE: Final = "fshnet"
_FRAMES: Final = 4


def import_published(source: str | Path, destination: str | Path, *, overwrite: bool = False) -> WeightsInfo:
    """Convert the published weights to this project's format.

    Parameters
    ----------
    source : str or Path
        The authors' own file (.pkl or .pth, read without running code of it) or safetensors, with the
        published names, with or without ``module.`` before them.
    destination : str or Path
        A safetensors file.
    overwrite : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    WeightsInfo

    Raises
    ------
    InputNotFoundError, OutputExistsError
        When there is no source, no folder for the destination, or something is there.
    UsageError
        When the destination does not end in .safetensors.
    WeightsError
        When the source does not hold exactly the published network's tensors.
    """
    from stemscan.recon.paper.published_weights import translated

    path, target = Path(source), Path(destination)
    if target.suffix != ".safetensors":
        raise UsageError(f"expected an output that ends in .safetensors, got {str(destination)!r}; rename it")
    check_output(target, overwrite=overwrite)
    tensors = _read_any(path)
    network = filled_network(_ARCHITECTURE, _FRAMES, translated(tensors, path), path)
    info = WeightsInfo(
        frames=_FRAMES,
        convention="published",
        origin="published weights of He et al., ICCV 2021",
        source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    save_weights(network, target, info, overwrite=overwrite)
    return info


def _read_any(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file or of a file of torch's, which may hold tensors only."""
    check_exists(path)
    if not is_pickle(path):
        return read_tensors(path)[0]
    from stemscan.recon.weights.pickled_tensors import PickledFileError, read_pickled_tensors

    try:
        loaded = read_pickled_tensors(path)
    except PickledFileError as problem:
        raise WeightsError(
            f"expected a whole file of tensors only, got {str(path)!r}, which is or holds {problem}; download it again "
            "from where the authors put it"
        ) from problem
    if loaded is None:
        raise WeightsError(
            f"expected named tensors, got {str(path)!r}, which holds something else; give the file of the weights alone"
        )
    return loaded
