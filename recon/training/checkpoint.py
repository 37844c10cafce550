"""Checkpoints: everything that a run needs to go on as if it had never stopped, in one safetensors file.

Written whole or not at all, and synced before it takes the place of the one before: whatever kills the process leaves
the last checkpoint. Data need no state, for they follow from the step (`batches`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from stemscan.errors import TrainingError, WeightsError
from stemscan.files.writing import write_file
from stemscan.recon.weights.file import read_tensors

__all__ = ["NAME", "State", "load_checkpoint", "save_checkpoint"]

NAME: Final = "checkpoint.safetensors"
_FORMAT: Final = "stemscan-checkpoint-1"


@dataclass
class State:
    """State of a run.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Spent on them.
    network, average : Module
        The network, and the running mean of its weights.
    recent : list of dict of str to float
        Numbers of the steps since the last row of the history.
    waited : float
        Seconds for which steps waited for data.
    """

    step: int
    seconds: float
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    recent: list[dict[str, float]] = field(default_factory=list)
    waited: float = 0.0


def save_checkpoint(state: State, folder: Path, digest: str) -> None:
    """Write the checkpoint of a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    digest : str
        Of the configuration.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for part, module in (("network", state.network), ("average", state.average)):
        tensors |= {f"{part}.{name}": _own(tensor) for name, tensor in module.state_dict().items()}
    for number, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": _own(tensor) for name, tensor in moments.items()}
    about = {
        "format": _FORMAT,
        "step": state.step,
        "seconds": state.seconds,
        "waited": state.waited,
        "recent": state.recent,
        "configuration": digest,
    }

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(save(tensors, {"stemscan": json.dumps(about)}))
            file.flush()
            os.fsync(file.fileno())

    write_file(folder / NAME, write, overwrite=True)


def load_checkpoint(state: State, folder: Path, digest: str) -> None:
    """Bring a run to where its checkpoint says it was.

    Parameters
    ----------
    state : State
        Of the run from its beginning; changed in place.
    folder : Path
        Of the run.
    digest : str
        Of the configuration.

    Raises
    ------
    TrainingError
        When the checkpoint is damaged or of another configuration.
    """
    path = folder / NAME
    try:
        tensors, metadata = read_tensors(path)
        about = json.loads(metadata["stemscan"])
        found, step = str(about["configuration"]), int(about["step"])
        seconds, waited = float(about["seconds"]), float(about.get("waited", 0.0))
        recent = [{str(name): float(value) for name, value in row.items()} for row in about["recent"]]
        if about["format"] != _FORMAT:
            raise ValueError(about["format"])
    except (WeightsError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        raise TrainingError(
            f"expected a checkpoint of a run, got {str(path)!r}, which is damaged or something else; begin a new run"
        ) from problem
    if found != digest:
        raise TrainingError(
            f"expected the configuration that {str(folder)!r} was begun with ({found[:12]}), got another "
            f"({digest[:12]}); give the first one, or another folder"
        )
    try:
        for part, module in (("network", state.network), ("average", state.average)):
            module.load_state_dict(_under(tensors, f"{part}."))
        state.optimiser.load_state_dict(
            {"state": _moments(tensors), "param_groups": state.optimiser.state_dict()["param_groups"]}
        )
    except (RuntimeError, ValueError) as problem:
        raise TrainingError(
            f"expected a checkpoint of this network, got {str(path)!r} with other tensors; begin a new run"
        ) from problem
    state.step, state.seconds, state.waited, state.recent = step, seconds, waited, recent


def _own(tensor: Tensor) -> Tensor:
    """A tensor of its own on the CPU, as the file format needs it."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _moments(tensors: dict[str, Tensor]) -> dict[int, dict[str, Any]]:
    """The optimiser's state by number of the parameter."""
    found: dict[int, dict[str, Any]] = {}
    for name, tensor in _under(tensors, "optimiser.").items():
        number, _, moment = name.partition(".")
        found.setdefault(int(number), {})[moment] = tensor
    return found
