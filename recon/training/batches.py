"""Batches by step: which crops of which scans a step sees, made by worker processes ahead of time.

A group is as many scans as a batch has crops. Its k-th batch takes the k-th crop of each, so that a scan, which costs
more than what is learnt from one crop of it, serves several steps, and no batch has two crops of one scan. Which scan
and crop stand at which place follows from the configuration and the step alone: neither the number of workers nor an
interruption changes it, and every one of several processes makes the places of the batch that are its own.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Final

import torch
from torch.utils.data import DataLoader, Dataset

from stemscan.errors import StemscanError, TrainingError
from stemscan.recon.children import end_with_parent, start_method
from stemscan.recon.inputs.reading import input_bytes
from stemscan.recon.threads import limit_threads
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.scans import crop_origin, training_scan
from stemscan.recon.training.tasks import Batch, Task, crop, stack, task_of
from stemscan.runtime.interrupts import blocked, unblocked
from stemscan.runtime.memory import require_memory

__all__ = ["batches", "scan_indices"]

_SCAN: Final = 100
"""Memory to draw a specimen and to analyse its scan, for a pixel of the grid, by `benchmarks/memory.py`."""


def scan_indices(config: TrainingConfig, step: int, rank: int = 0, processes: int = 1) -> list[int]:
    """Numbers of the scans whose crops a step sees, those of one process."""
    first = step // config.data.crops_per_scan * config.batch
    return [first + place for place in range(rank, config.batch, processes)]


def batches(
    config: TrainingConfig, start: int, *, workers: int = 0, rank: int = 0, processes: int = 1
) -> Iterator[Batch]:
    """The batches of steps start, start + 1, ... to the end of the run.

    Parameters
    ----------
    start : int
        First step.
    workers : int
        Processes that make them ahead of time; 0 makes them here.
    rank, processes : int
        Number of this training process, and how many there are.

    Yields
    ------
    Batch
        Of the crops that are this process's part of the batch.

    Raises
    ------
    TrainingError
        When a worker dies.
    """
    scan = input_bytes((config.data.size, config.data.size), max(config.data.passes)) + _SCAN * config.data.size**2
    remedy = "take fewer workers or smaller scans"
    require_memory(max(1, workers) * scan, f"to make scans of {config.data.size} x {config.data.size} pixels", remedy)
    each = config.data.crops_per_scan
    groups = _Groups(config, rank, processes)
    order = range(start // each, -(-config.steps // each))
    loader: DataLoader[list[Batch]] = DataLoader(
        groups,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        multiprocessing_context=start_method() if workers else None,
        worker_init_fn=_as_worker,
    )
    with blocked():
        made = iter(loader)
    for group in order:
        try:
            whole = next(made)
        except (RuntimeError, MemoryError, StemscanError) as problem:
            if not workers:
                raise
            raise TrainingError(
                f"expected workers to make data, got: {_cause(problem)}; resume with fewer workers"
            ) from problem
        for number, batch in enumerate(whole):
            if start <= group * each + number < config.steps:
                yield batch


class _Groups(Dataset[list[Batch]]):
    """Groups of batches by number."""

    def __init__(self, config: TrainingConfig, rank: int, processes: int) -> None:
        self._config = config
        self._rank = rank
        self._processes = processes
        self._task: Task | None = None

    def __getitem__(self, group: int) -> list[Batch]:
        """The batches of a group; computed on one thread, whose number could change sums in the last digit."""
        if self._task is None:
            self._task = task_of(self._config)
        config, data = self._config, self._config.data
        crops: list[list[Batch]] = [[] for _ in range(data.crops_per_scan)]
        with limit_threads(1), torch.no_grad():
            for index in scan_indices(config, group * data.crops_per_scan, self._rank, self._processes):
                example = self._task.example(training_scan(data, config.seed, index))
                for number, found in enumerate(crops):
                    found.append(crop(example, crop_origin(data, config.seed, index, number), data.crop))
        return [stack(found) for found in crops]


def _cause(problem: BaseException) -> str:
    """Cause of a worker's end: that it died, or what it raised, at the end of the traceback in its message."""
    lines = str(problem).splitlines() or [type(problem).__name__]
    return lines[-1 if lines[0].startswith("Caught ") else 0]


def _as_worker(worker: int) -> None:
    """End with the trainer; leave Ctrl-C to it, which a terminal sends to all processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    unblocked()
