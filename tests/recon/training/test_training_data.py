"""Training scans and batches: a function of configuration and step, of nothing else."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from stemscan.recon.networks.registry import ARCHITECTURES, build
from stemscan.recon.paper.losses import fshnet_loss
from stemscan.recon.training.batches import batches, scan_indices
from stemscan.recon.training.config import DataSettings
from stemscan.recon.training.scans import crop_origin, training_scan
from stemscan.recon.training.tasks import Batch, task_of
from tests.recon.training.training_kit import small


def same(first: Batch, second: Batch) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_scans_follow_from_their_number() -> None:
    data = DataSettings(
        size=128, crop=64, samples_per_block=(1, 2, 3, 4, 5, 6), passes=(1, 4), dose=(5.0, 50.0), eq5=0.5
    )
    first, again, other = (training_scan(data, 1, index) for index in (3, 3, 4))
    np.testing.assert_array_equal(first.inputs.frames, again.inputs.frames)
    assert not np.array_equal(first.truth, other.truth)
    scans = [training_scan(data, 1, index).inputs for index in range(40)]
    assert {scan.noise for scan in scans} == {"poisson", "eq5"}
    assert {scan.T for scan in scans} == {1, 4}
    ratios = {round(float(scan.V.mean()) / scan.T * 64) for scan in scans}
    assert ratios == {1, 2, 3, 4, 5, 6}
    doses = [scan.electrons_per_sample for scan in scans]
    assert 5 <= min(doses) < 10
    assert 25 < max(doses) <= 50


def test_specimens_return_with_other_noise() -> None:
    data = DataSettings(size=64, crop=64, specimens=2)
    first, second = training_scan(data, 1, 0), training_scan(data, 1, 2)
    np.testing.assert_array_equal(first.truth, second.truth)
    assert not np.array_equal(first.inputs.frames, second.inputs.frames)


def test_the_papers_generator() -> None:
    scan = training_scan(DataSettings(generator="paper", size=128, crop=64), 1, 0)
    assert scan.inputs.noise == "eq5"
    assert scan.inputs.T == 4
    assert scan.half.shape == (64, 64)
    assert (scan.half.min(), scan.half.max()) == (0, 1)
    # smoothed by a Gaussian of 1.5 pixels: hardly anything at the highest frequencies
    spectrum = np.abs(np.fft.rfft2(scan.half - scan.half.mean())) ** 2
    assert spectrum[24:40, 24:].sum() < 1e-4 * spectrum.sum()
    assert np.abs(scan.truth.reshape(64, 2, 64, 2).mean(axis=(1, 3)) - scan.half).max() < 0.1


def test_micrographs_that_are_smoothed_can_have_noise() -> None:
    """What smoothing leaves of it is smooth and part of the truth; less of it at a higher dose."""
    plain = DataSettings(size=256, crop=128, generator="paper")
    truth = training_scan(plain, 1, 3).half
    left = []
    for dose in (20.0, 2000.0):
        scan = training_scan(plain.model_copy(update={"micrograph_dose": (dose, dose)}), 1, 3)
        assert 0 <= scan.truth.min() < scan.truth.max() <= 1
        spectrum = np.abs(np.fft.rfft2(scan.half - scan.half.mean())) ** 2
        assert spectrum[48:80, 48:].sum() < 1e-3 * spectrum.sum()
        left.append(float(np.std(scan.half / scan.half.std() - truth / truth.std())))
    assert left[0] > 3 * left[1] > 0


def test_crops_lie_on_blocks_and_inside() -> None:
    data = DataSettings(size=256, crop=128)
    origins = {crop_origin(data, 1, index, number) for index in range(20) for number in range(4)}
    assert origins == {(row, column) for row in (0, 64, 128) for column in (0, 64, 128)}


@pytest.mark.parametrize("network", sorted(set(ARCHITECTURES) - {"fshnet-linear-initial"}))
def test_every_network_learns_something_of_a_batch(network: str) -> None:
    config = small(network)
    task = task_of(config)
    batch = next(batches(config, 0))
    torch.manual_seed(0)
    model = build(network).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = task.losses(model, batch)["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_the_guidance_reaches_the_network() -> None:
    config = small()
    batch = next(batches(config, 0))
    model = build("fshnet")
    parts = fshnet_loss(model(batch["frames"], batch["prior"]), batch["truth"], batch["structure"])
    parts.guidance.backward()  # type: ignore[no-untyped-call]
    assert sum(float(p.grad.abs().sum()) for p in model.parameters() if p.grad is not None) > 0


def test_batches_can_begin_anywhere_and_do_not_depend_on_workers() -> None:
    config = small(data={"crops_per_scan": 2})
    whole = list(batches(config, 0))
    assert len(whole) == config.steps
    for start in (1, 4):
        part = list(batches(config, start))
        assert len(part) == config.steps - start
        assert all(same(a, b) for a, b in zip(part, whole[start:], strict=True))
    ahead = list(islice(batches(config, 0, workers=2), 4))
    assert all(same(a, b) for a, b in zip(ahead, whole, strict=False))


def test_processes_share_a_batch() -> None:
    config = small(batch=3)
    joint = next(batches(config, 0))
    parts = [next(batches(config, 0, rank=rank, processes=2)) for rank in (0, 1)]
    assert [len(part["truth"]) for part in parts] == [2, 1]
    assert torch.equal(joint["truth"][0::2], parts[0]["truth"])
    assert torch.equal(joint["truth"][1::2], parts[1]["truth"])
    assert scan_indices(config, 2) == [3, 4, 5]


def test_what_is_said_of_a_worker() -> None:
    from stemscan.recon.training.batches import _cause

    assert _cause(RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed.\nmore")).endswith("Killed.")
    caught = "Caught MemoryError in DataLoader worker process 0.\nOriginal Traceback:\n  File x\nMemoryError: 1 TB"
    assert _cause(MemoryError(caught)) == "MemoryError: 1 TB"
    assert _cause(MemoryError()) == "MemoryError"
