"""The training run: a folder that holds a configuration, checkpoints, history, weights and their card.

A run is a function of its configuration. On a CPU with the same number of threads it gives the same losses, bit for
bit, however often it was interrupted, for every step's data follow from its number and a checkpoint holds everything
else.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from stemscan.errors import StemscanError, TrainingError, UsageError
from stemscan.files.writing import write_text
from stemscan.recon.devices import check_device
from stemscan.recon.networks.registry import ARCHITECTURES, build
from stemscan.recon.training.batches import batches, scan_indices
from stemscan.recon.training.card import card
from stemscan.recon.training.checkpoint import NAME, State, load_checkpoint, save_checkpoint
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.folder import prepare_folder
from stemscan.recon.training.log import History
from stemscan.recon.training.processes import Processes, joined, own_device
from stemscan.recon.training.sync_norm import synchronised
from stemscan.recon.training.tasks import Batch, Losses, Task, task_of
from stemscan.recon.training.validation import Validation, validation_specimens
from stemscan.recon.weights.file import WeightsInfo, save_weights
from stemscan.runtime.interrupts import Interrupts
from stemscan.runtime.work import doing

__all__ = ["WEIGHTS", "Pace", "Report", "train"]

WEIGHTS: Final = "weights.safetensors"

Report = Callable[[int, int, Mapping[str, float]], None]
"""Called after every step with steps done, steps in all, and those of the numbers that are new."""


@dataclass(frozen=True)
class Pace:
    """Intervals at which a run does other things than training.

    Attributes
    ----------
    log, save, validate : int
        Steps between rows of the history, between checkpoints, and between validations (0: no validation at all).
    """

    log: int = 10
    save: int = 100
    validate: int = 500


@dataclass
class _Run:
    """Everything that a run needs while it goes."""

    config: TrainingConfig
    folder: Path
    task: Task
    state: State
    history: History
    processes: Processes
    device: torch.device
    pace: Pace
    report: Report
    images: Path | None
    validation: Validation | None = None


def train(
    config: TrainingConfig,
    folder: str | Path,
    *,
    resume: bool = False,
    device: str = "auto",
    workers: int = 1,
    images: Path | None = None,
    pace: Pace = Pace(),
    report: Report = lambda done, total, numbers: None,
) -> dict[str, float]:
    """Train a network, or go on with it.

    Parameters
    ----------
    folder : str or Path
        Of the run; it is made if its parent exists.
    resume : bool
        Go on from the last checkpoint of the folder, if there is one.
    device : str
        A torch device; "auto" takes CUDA where there is one. Of several processes each takes a GPU of its own.
    workers : int
        Processes that make training data; 0 makes them in between.
    images : Path, optional
        Folder of images to validate on; synthetic specimens otherwise.
    report : callable
        Gets the progress.

    Returns
    -------
    dict of str to float
        The last numbers of the history.

    Raises
    ------
    OutputExistsError
        When the folder holds a run and `resume` is false.
    UsageError
        When the device is not there, or there are images and no validation.
    InputNotFoundError
        When there is no folder of images.
    TrainingError
        When the run cannot be resumed, no image can be read, or a loss is no number: step, seed and scans are named.
    Interrupted
        A `KeyboardInterrupt`, on Ctrl-C and SIGTERM, after a checkpoint was written.
    """
    path = Path(folder)
    if images is not None and not pace.validate:
        raise UsageError(
            f"expected no images where no validation is wanted, got {str(images)!r}; leave out one of both"
        )
    where = own_device(torch.device(check_device(device)))
    check_device(str(where))
    with joined(where, config.batch) as processes:
        validation = _prepared(path, config, resume, processes, where, images)
        run = _begun(config, path, processes, where, pace, report, images)
        run.validation = validation
        if processes.leads:
            report(run.state.step, config.steps, {})
        with Interrupts() as interrupts:
            made = batches(config, run.state.step, workers=workers, rank=processes.rank, processes=processes.count)
            for batch in _waited_for(made, run.state):
                _step(run, batch)
                _between(run, interrupts)
        return {name: run.history.last(name) for row in run.history.rows for name in row}


def _waited_for(made: Iterator[Batch], state: State) -> Iterator[Batch]:
    """The batches, with the time booked for which they were not ready."""
    while True:
        began = time.perf_counter()
        batch = next(made, None)
        state.waited += time.perf_counter() - began
        if batch is None:
            return
        yield batch


def _prepared(
    folder: Path, config: TrainingConfig, resume: bool, processes: Processes, device: torch.device, images: Path | None
) -> Validation | None:
    """Prepare what the leading process needs: a folder, and scans of a user's images to validate on.

    What is wrong with them is found here, and told to all processes: none waits for one that has failed.
    """
    validation, problem = None, None
    if processes.leads:
        try:
            specimens = validation_specimens(images) if images is not None else []
            prepare_folder(folder, config, resume=resume)
            if specimens:
                validation = Validation(specimens, max(4, config.frames))
        except (StemscanError, OSError) as found:
            problem = found
    if processes.any(problem is not None, device):
        raise problem or TrainingError("expected the first process to begin the run, got an error there; mend that one")
    return validation


def _begun(
    config: TrainingConfig,
    folder: Path,
    processes: Processes,
    device: torch.device,
    pace: Pace,
    report: Report,
    images: Path | None,
) -> _Run:
    """A run at its beginning, or where its checkpoint says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build(config.network, config.frames)
    if processes.count > 1:
        network = synchronised(network)
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.optimiser.learning_rate)
    state = State(0, 0.0, network.train(), average, optimiser)
    if (folder / NAME).is_file():
        load_checkpoint(state, folder, config.digest())
    history = History(folder, state.step)
    return _Run(config, folder, task_of(config), state, history, processes, device, pace, report, images)


def _step(run: _Run, batch: Batch) -> None:
    """One step of the optimiser."""
    began = time.perf_counter()
    config, state = run.config, run.state
    placed = {name: tensor.to(run.device, non_blocking=True) for name, tensor in batch.items()}
    state.network.train()
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(config, state.step)
    state.optimiser.zero_grad(set_to_none=True)
    with torch.autocast(run.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        losses = run.task.losses(state.network, placed)
    share = run.processes.share(config.batch)
    (losses["loss"] * share).backward()  # type: ignore[no-untyped-call]
    run.processes.join_gradients(state.network)
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), config.optimiser.clip or math.inf)
    numbers = _numbers(run, losses, share) | {"gradient": float(norm)}
    if not (math.isfinite(numbers["loss"]) and math.isfinite(numbers["gradient"])):
        scans = scan_indices(config, state.step)
        if run.processes.leads:
            _show(run)
        raise TrainingError(
            f"expected finite losses, got a loss of {numbers['loss']} and a gradient of {numbers['gradient']} at step "
            f"{state.step}, seed {config.seed}, scans {scans[0]} to {scans[-1]}; checkpoints from before are kept: "
            "lower the learning rate or clip the gradient"
        )
    state.optimiser.step()
    state.step += 1
    _average(state, config.average)
    state.seconds += time.perf_counter() - began
    state.recent.append(numbers)


def learning_rate(config: TrainingConfig, step: int) -> float:
    """The learning rate of a step."""
    settings = config.optimiser
    rate = settings.learning_rate
    if settings.schedule == "step":
        rate *= 0.5 ** (step // config.steps_per_epoch // settings.halve_epochs)
    elif settings.schedule == "cosine":
        rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / config.steps))
    return rate * min(1.0, (step + 1) / (settings.warmup_steps + 1))


def _numbers(run: _Run, losses: Losses, share: float) -> dict[str, float]:
    """Losses over the joint batch."""
    names = list(losses)
    joint = run.processes.join(torch.stack([losses[name].detach().float() for name in names]), share)
    return dict(zip(names, joint.tolist(), strict=True))


@torch.no_grad()
def _average(state: State, memory: float) -> None:
    """Follow the weights with their running mean, quickly at first; statistics of batch norms are taken as they are."""
    memory = min(memory, (1 + state.step) / (10 + state.step)) if memory else 0.0
    for mean, weight in zip(state.average.parameters(), state.network.parameters(), strict=True):
        mean.lerp_(weight, 1 - memory)
    for copied, statistic in zip(state.average.buffers(), state.network.buffers(), strict=True):
        copied.copy_(statistic)


def _between(run: _Run, interrupts: Interrupts) -> None:
    """Do what is due after a step: history, progress, checkpoint, validation, and the end."""
    state, pace = run.state, run.pace
    last = state.step == run.config.steps
    means: dict[str, float] = {}
    if state.step % pace.log == 0 or last:
        means = {name: sum(one[name] for one in state.recent) / len(state.recent) for name in state.recent[0]}
        run.history.add(state.step, means | {"learning_rate": learning_rate(run.config, state.step - 1)})
        state.recent.clear()
    if run.processes.leads:
        waiting = {"waiting": state.waited / (state.waited + state.seconds)} if means else {}
        run.report(state.step, run.config.steps, means | waiting)
    stop = run.processes.any(interrupts.pending, run.device)
    if last or (pace.validate and state.step % pace.validate == 0):
        _keep_weights(run)
    if state.step % pace.save == 0 or last or stop:
        _save(run)
    if stop:
        if run.processes.leads:
            _show(run)
        interrupts.check()
        raise KeyboardInterrupt  # another process was told to stop


def _save(run: _Run) -> None:
    """Write history and checkpoint, in this order: a resumed run drops rows beyond the checkpoint, but makes none."""
    if run.processes.leads:
        run.history.write()
        save_checkpoint(run.state, run.folder, run.config.digest())
    run.processes.wait()


def _show(run: _Run) -> None:
    """Write the history and draw it, so that a run that stops early can be looked at."""
    run.history.write()
    run.history.draw()


def _keep_weights(run: _Run) -> None:
    """Write the weights as they are kept, try them, and write their card."""
    if run.processes.leads:
        config, architecture = run.config, ARCHITECTURES[run.config.network]
        path = run.folder / WEIGHTS
        info = WeightsInfo(
            frames=config.frames,
            convention=run.task.convention,
            origin=f"trained by stemscan, configuration {config.digest()[:12]}, step {run.state.step}",
            architecture=config.network,
        )
        save_weights(run.state.average, path, info, half=run.task.half, overwrite=True)
        if run.pace.validate:
            if run.validation is None:
                run.validation = Validation(
                    validation_specimens(run.images, config.data.variety), max(4, config.frames)
                )
            with doing("validating"):
                found = run.validation.run(architecture.method, path, str(run.device))
            run.history.add(run.state.step, found)
            run.report(run.state.step, config.steps, found)
        _show(run)
        write_text(run.folder / "card.md", card(config, run.state, run.history, run.images is not None), overwrite=True)
    run.processes.wait()
