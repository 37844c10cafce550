"""The card of trained weights: what they are, what they were trained on, for how long, and what came of it."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import torch

from stemscan import __version__
from stemscan.recon.networks.registry import ARCHITECTURES

if TYPE_CHECKING:
    from stemscan.recon.training.checkpoint import State
    from stemscan.recon.training.config import TrainingConfig
    from stemscan.recon.training.log import History

__all__ = ["card"]


def card(config: TrainingConfig, state: State, history: History, on_images: bool) -> str:
    """The card as Markdown.

    Parameters
    ----------
    state : State
        Of the run.
    on_images : bool
        True if validation was on a user's images.
    """
    device = next(state.network.parameters()).device
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} CPU cores"
    parameters = sum(parameter.numel() for parameter in state.network.parameters())
    data = config.data
    names = [name for name in dict.fromkeys(n for row in history.rows for n in row) if name != "step"]
    paper = data.generator == "paper"
    made = "of Section 4.1 of the paper" if paper else "physical, on the absolute scale"
    eq5, smoothed = (1.0, 1.0) if paper else (data.eq5, data.smoothed)
    lines = [
        f"# {config.network}",
        "",
        f"{ARCHITECTURES[config.network].description}; {parameters:,} trainable parameters.",
        "",
        "| | |",
        "|---|---|",
        f"| data | synthetic specimens of the {data.variety} variety, seed {config.seed}, generator {made} |",
        f"| scans | {data.size} x {data.size}, passes {_listed(data.passes)}; {_listed(data.samples_per_block)} of 64; "
        f"dose {data.dose[0]:g} to {data.dose[1]:g}; {eq5:.0%} by equation 5, {smoothed:.0%} smoothed |",
        f"| steps | {state.step:,} of {config.steps:,}, batches of {config.batch} crops of {data.crop} x {data.crop} |",
        f"| optimiser | Adam, {config.optimiser.learning_rate:g}, {config.optimiser.schedule}; {config.precision} |",
        f"| weights | {f'running mean, memory {config.average:g}' if config.average else 'last'} |",
        f"| time | {state.seconds / 3600:.2f} h of training steps on {hardware} ({platform.machine()}), "
        f"{state.waited / 3600:.2f} h of waiting for data |",
        f"| configuration | sha256 {config.digest()} |",
        f"| made by | stemscan {__version__}, torch {torch.__version__.split('+')[0]} |",
        "",
        f"Last figures (validation on {'images of a folder' if on_images else 'synthetic specimens of a test seed'}, "
        "4 passes or as many as the network takes frames, dose 10, Poisson counts, absolute PSNR in dB):",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {history.last(name):.4g} |" for name in names),
        "",
    ]
    return "\n".join(lines)


def _listed(numbers: tuple[int, ...]) -> str:
    """Numbers, each once."""
    return ", ".join(map(str, sorted(set(numbers))))
