"""Small training runs for tests."""

from __future__ import annotations

from typing import Any

from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.loop import Pace

QUICK = Pace(log=1, save=2, validate=0)


def small(network: str = "fshnet", **changes: Any) -> TrainingConfig:
    """A configuration that trains in a second."""
    data = {"size": 128, "crop": 64, "crops_per_scan": 2, "smoothed": 0.5, "eq5": 0.3, "dose": [5.0, 20.0]}
    settings = {
        "network": network,
        "epochs": 2,
        "steps_per_epoch": 3,
        "batch": 2,
        "data": data | changes.pop("data", {}),
        "optimiser": {"learning_rate": 0.001},
    }
    return TrainingConfig.model_validate(settings | changes)
