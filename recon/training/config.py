"""Configuration of a training run: a YAML file, validated like a plan.

Those of the package are in `configs/`: numbers that the FSHNet paper gives (Section 4) in `paper`, ours in `default`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stemscan.errors import TrainingError
from stemscan.files.shipped import ShippedFiles
from stemscan.files.yaml_model import model_from_yaml
from stemscan.recon.networks.registry import ARCHITECTURES
from stemscan.units import counted

__all__ = [
    "TEST_SEEDS_FROM",
    "DataSettings",
    "LossSettings",
    "OptimiserSettings",
    "TrainingConfig",
    "Variety",
    "configuration_names",
    "configuration_text",
]

TEST_SEEDS_FROM: Final = 2**63
"""Specimen seeds from here on are for testing; no training may use them."""

_YOUNGER: Final = (("data", "micrograph_dose", None), ("data", "variety", "usual"), ("loss", "exceptions", 1.0))
"""Settings that are younger than the digests on the shipped cards, with the values that they had before."""

Variety = Literal["usual", "wide"]
"""Varieties of synthetic specimens."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def _as_tuple(value: object) -> object:
    """Let a list, as YAML gives it, stand for a tuple."""
    return tuple(value) if isinstance(value, list) else value


Dose = Annotated[float, Field(ge=1e-3, le=1e6)]
DoseRange = Annotated[tuple[Dose, Dose], BeforeValidator(_as_tuple)]


class _Settings(BaseModel):
    """Immutable, strict settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataSettings(_Settings):
    """Scans and crops that the network is shown.

    Parameters
    ----------
    generator : str
        `physical`: scans of synthetic specimens with Poisson counts on the absolute scale. `paper`: Section 4.1, the
        specimen at half the size smoothed and doubled, counts by equation 5.
    variety : str
        Of the synthetic specimens: `usual`, or `wide` with shapes that are no lattice, more defects and uneven ground.
    size : int
        Rows and columns of a scan, a multiple of 64.
    crop : int
        Rows and columns of what the network sees of it, a multiple of 64.
    crops_per_scan : int
        Crops taken of every scan, at random.
    specimens : int, optional
        Number of different specimens, which then return with other noise; every scan has its own without.
    samples_per_block : tuple of int
        Samples in 8 x 8 pixels per pass; one of them at random.
    passes : tuple of int
        Passes; one of them at random.
    dose : tuple of float
        Least and largest electrons per sample, 0.001 to 1000000; uniform in the logarithm.
    smoothed : float
        Share of physical scans whose specimens are prepared as the paper's are.
    micrograph_dose : tuple of float, optional
        Least and largest electrons per pixel, 0.001 to 1000000, of the micrographs that are smoothed, uniform in the
        logarithm: what smoothing leaves of their noise is part of the truth, as it is of real micrographs. Without,
        they have none.
    eq5 : float
        Share of physical scans that follow equation 5 instead of counting.
    """

    generator: Literal["physical", "paper"] = "physical"
    variety: Variety = "usual"
    size: Annotated[int, Field(ge=64, le=4096, multiple_of=64)] = 1024
    crop: Annotated[int, Field(ge=64, le=4096, multiple_of=64)] = 256
    crops_per_scan: Annotated[int, Field(ge=1, le=256)] = 4
    specimens: Count | None = None
    samples_per_block: Annotated[
        tuple[Annotated[int, Field(ge=1, le=64)], ...], BeforeValidator(_as_tuple), Field(min_length=1)
    ] = (3,)
    passes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=256)], ...], BeforeValidator(_as_tuple), Field(min_length=1)
    ] = (4,)
    dose: DoseRange = (10.0, 10.0)
    smoothed: Share = 0.0
    micrograph_dose: DoseRange | None = None
    eq5: Share = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.crop > self.size:
            raise ValueError(f"data.crop: expected at most the size {self.size}, got {self.crop}")
        for name in ("dose", "micrograph_dose"):
            span = getattr(self, name)
            if span is not None and span[0] > span[1]:
                raise ValueError(f"data.{name}: expected the least and the largest, got {list(span)}")
        return self


class OptimiserSettings(_Settings):
    """Adam and its schedule.

    Parameters
    ----------
    learning_rate : float
        At its largest.
    warmup_steps : int
        Steps over which it rises to that.
    schedule : str
        `step`: halved every `halve_epochs`; `cosine`: to a hundredth at the end; `constant`.
    halve_epochs : int
        For `step`.
    clip : float, optional
        Largest norm of the gradient.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["step", "cosine", "constant"] = "step"
    halve_epochs: Count = 50
    clip: Annotated[float, Field(gt=0)] | None = None


class LossSettings(_Settings):
    """Weights in the losses.

    Parameters
    ----------
    guidance, variation : float
        Lambda_1 and lambda_2 of equation 15, for the networks that are trained by it.
    exceptions : float
        Weight of a pixel at a column that departs from its lattice (displaced, missing, replaced, added), over that of
        any other, for networks on the full grid; 1 gives all the same.
    """

    guidance: Annotated[float, Field(ge=0)] = 0.2
    variation: Annotated[float, Field(ge=0)] = 0.01
    exceptions: Annotated[float, Field(ge=1, le=100)] = 1.0


class TrainingConfig(_Settings):
    """A training run.

    Parameters
    ----------
    version : int
        Of this format: 1.
    network : str
        In `stemscan.recon.networks.registry.ARCHITECTURES`.
    seed : int
        Drives specimens, scans and initial weights; 0 to 2**63 - 1, so that test sets (`TEST_SEEDS_FROM` and beyond)
        are disjoint from every training set.
    epochs, steps_per_epoch : int
        Length of the run; an epoch is what the schedule counts in.
    batch : int
        Crops a step, over all processes together.
    frames : int
        Frames of a network that is built for a number of them.
    average : float
        Memory of the running mean of the weights, which is what is kept; 0 keeps the last weights.
    precision : str
        `float32` or `bfloat16` (convolutions only).
    data, optimiser, loss
        See their classes.

    Raises
    ------
    TrainingError
        From `from_yaml` and `load`, with the key, what was expected and the line.
    """

    version: Literal[1] = 1
    network: str
    seed: Annotated[int, Field(ge=0, lt=TEST_SEEDS_FROM)] = 1
    epochs: Count = 100
    steps_per_epoch: Count = 200
    batch: Annotated[int, Field(ge=1, le=4096)] = 4
    frames: Annotated[int, Field(ge=1, le=256)] = 4
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    data: DataSettings = DataSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    loss: LossSettings = LossSettings()

    @model_validator(mode="after")
    def _network_fits(self) -> Self:
        if self.network not in ARCHITECTURES:
            raise ValueError(f"network: expected one of {', '.join(ARCHITECTURES)}, got {self.network!r}")
        if ARCHITECTURES[self.network].takes_frames and min(self.data.passes) < self.frames:
            raise ValueError(
                f"data.passes: expected at least the {counted(self.frames, 'frame')} of the network, "
                f"got {min(self.data.passes)}"
            )
        return self

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all settings."""
        settings = self.model_dump(mode="json")
        for part, name, default in _YOUNGER:
            if settings[part][name] == default:
                del settings[part][name]
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "configuration") -> Self:
        """Read the text of a configuration; `source` names it in errors."""
        return model_from_yaml(cls, text, what="training configuration", source=source, error=TrainingError)

    @classmethod
    def load(cls, name: str | Path) -> Self:
        """Read a configuration.

        Parameters
        ----------
        name : str or Path
            Of one that comes with the package, whatever files there are; else a file.

        Raises
        ------
        InputNotFoundError
            When it is neither.
        TrainingError
            When the file is no configuration.
        """
        return _CONFIGURATIONS.model(cls, name, error=TrainingError)


_CONFIGURATIONS: Final = ShippedFiles(__package__, "configs", "training configuration")
configuration_names, configuration_text = _CONFIGURATIONS.names, _CONFIGURATIONS.text
