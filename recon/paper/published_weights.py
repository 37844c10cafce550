"""The published FSHNet weights: their import, without pickle, and the input that they are used to.

The published network was trained on standardised images, with the mean of equations 10 and 11 taken everywhere, of an
absolute value; its layers have other names. Both live here and nowhere else: `import_published` makes a weights file
of this project, with its names, and `prior_input` the input of its prior encoder.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError, WeightsError
from stemscan.files.writing import check_output
from stemscan.recon.fshnet.fourier_masks import apply_mask, forward, inverse, low_pass_mask
from stemscan.recon.fshnet.initial_reconstruction import RADIUS
from stemscan.recon.weights.file import (
    WeightsInfo,
    check_exists,
    filled_network,
    is_pickle,
    load_weights,
    read_tensors,
    save_weights,
)

if TYPE_CHECKING:
    from torch import Tensor

    from stemscan.recon.paper.network import FSHNet

__all__ = ["import_published", "load_fshnet", "names", "prior_input"]

_ARCHITECTURE: Final = "fshnet"
_FRAMES: Final = 4

# published convolution, published batch norm, our block; a block's bias has a name of its own
_BLOCKS: Final = (
    ("x_vst", "bn_x_vst", "shuffle.0"),
    *((f"shallow_x_{i}", f"bn_x_s_{i}", f"shuffle.{i}") for i in range(1, 5)),
    *((f"shallow_{i}", f"bn_s_{i}", f"prior.{i - 1}") for i in range(1, 6)),
    ("shallow_6", "bn_s_6", "prior_end"),
    *((f"deep1_{i}", f"bn_d_{i}", f"blocks.{i - 1}") for i in range(1, 4)),
    *(
        (f"repeat_residual.{i}.conv{n}", f"repeat_residual.{i}.bn{n}", f"middle.{i}.{part}")
        for i in range(5)
        for n, part in ((1, "reduce"), (2, "mix"), (3, "expand"))
    ),
    ("up_1", "bn_up_1", "decoder.to_eighth"),
    ("up_2", "bn_up_2", "decoder.to_quarter.0"),
    ("up_3", "bn_up_3", "decoder.to_quarter.1"),
    ("up_4", "bn_up_4", "decoder.to_half"),
    ("fusion_1", "bn_f_1", "fusion.0"),
    ("fusion_2", "bn_f_2", "fusion.1"),
)
_BIASES: Final = (("vst_x_bias", "shuffle.0"), ("up_4_bias", "decoder.to_half"))
_NORM: Final = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


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
        True if a file that is there may be replaced.

    Raises
    ------
    InputNotFoundError, OutputExistsError
        When there is no source, no folder for the destination, or something is there.
    UsageError
        When the destination does not end in .safetensors.
    WeightsError
        When the source does not hold exactly the published network's tensors.
    """
    path, target = Path(source), Path(destination)
    if target.suffix != ".safetensors":
        raise UsageError(f"expected an output that ends in .safetensors, got {str(destination)!r}; rename it")
    check_output(target, overwrite=overwrite)
    tensors = _read_any(path)
    network = filled_network(_ARCHITECTURE, _FRAMES, _translated(tensors, path), path)
    info = WeightsInfo(
        frames=_FRAMES,
        convention="published",
        origin="published weights of He et al., ICCV 2021",
        source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    save_weights(network, target, info, overwrite=overwrite)
    return info


def load_fshnet(source: str | Path) -> tuple[FSHNet, WeightsInfo]:
    """As `load_weights`, for FSHNet on frames alone.

    Raises
    ------
    InputNotFoundError, WeightsError
        As `load_weights`; or when the weights are of another network.
    """
    from stemscan.recon.paper.network import FSHNet

    network, info = load_weights(source)
    if not isinstance(network, FSHNet):
        raise WeightsError(
            f"expected weights of FSHNet on frames, got {info.architecture} in {str(source)!r}; give published ones"
        )
    return network, info


def names() -> dict[str, str]:
    """Published tensor names, without ``module.`` and ``recon.``, to names in `FSHNet`."""
    table = {conv: f"{block}.conv.weight" for conv, _, block in _BLOCKS}
    table |= {bias: f"{block}.conv.bias" for bias, block in _BIASES}
    return table | {f"{norm}.{part}": f"{block}.norm.{part}" for _, norm, block in _BLOCKS for part in _NORM}


def _translated(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Rename published tensors to those of `FSHNet` and drop the ones that its output does not depend on.

    Parameters
    ----------
    tensors : dict of str to Tensor
        As published, with or without ``module.`` before the names.
    path : Path
        File of the weights, for the message.

    Raises
    ------
    WeightsError
        When tensors are missing or unknown.
    """
    from stemscan.recon.paper.network import UNUSED_PARAMETERS

    table = names()
    given = {name.removeprefix("module.").removeprefix("recon."): tensor for name, tensor in tensors.items()}
    for fault, wrong in (
        ("missing", [name for name in table if name not in given]),
        ("unknown", [name for name in given if name not in table and name not in UNUSED_PARAMETERS]),
    ):
        if wrong:
            raise WeightsError(
                f"expected the published network's tensors, got {str(path)!r} with {len(wrong)} {fault} ({wrong[0]}); "
                "give the authors' weights of FSHNet"
            )
    return {ours: given[theirs] for theirs, ours in table.items()}


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


def prior_input(frames: npt.NDArray[np.float32], radius: float = RADIUS) -> npt.NDArray[np.float32]:
    """The published prior input: half the standardised absolute low-pass and half the summed samples.

    Parameters
    ----------
    frames : ndarray of float32, (T, H, W)
        Samples, standardised; 0 where not visited.
    radius : float
        In coefficients of a 1024 x 1024 transform.

    Returns
    -------
    ndarray of float32, (H, W)
    """
    summed = frames.sum(axis=0, dtype=np.float64)
    shape = cast("tuple[int, int]", summed.shape)
    folded: npt.NDArray[Any] = np.abs(inverse(apply_mask(low_pass_mask(shape, radius), forward(summed)), shape))
    deviation = float(folded.std())
    folded = (folded - folded.mean()) / (deviation if deviation > 0 else 1.0)
    prior: npt.NDArray[np.float32] = ((folded + summed) / 2).astype(np.float32)
    return prior
