"""A training run in a process of its own: `training_process FOLDER CONFIG [DIE_AT [WORKERS]]`.

Before it dies it writes the numbers of its workers' processes to `workers` beside the folder.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.loop import train
from tests.recon.training.training_kit import QUICK


def main(folder: str, config: str, die_at: int = -1, workers: int = 0) -> None:
    """Train; at step `die_at` kill this process."""
    torch.set_num_threads(1)

    def report(done: int, total: int, numbers: Mapping[str, float]) -> None:
        if done == die_at:
            children = [str(child.pid) for child in multiprocessing.active_children()]
            Path(folder).with_name("workers").write_text(" ".join(children))
            os.kill(os.getpid(), signal.SIGKILL)

    settings = TrainingConfig.from_yaml(Path(config).read_text())
    train(settings, folder, resume=True, device="cpu", workers=workers, pace=QUICK, report=report)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
    sys.stdout.flush()
    os._exit(0)  # gloo's threads have been seen to abort an interpreter that shuts down, with all work done
