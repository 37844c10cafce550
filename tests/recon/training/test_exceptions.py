"""Places that a lattice does not predict, and their weight in the loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stemscan.recon.fshnet.full_grid import Correction
from stemscan.recon.training.batches import batches
from stemscan.recon.training.exceptions import exception_mask
from stemscan.recon.training.scans import training_scan
from stemscan.recon.training.tasks import task_of
from stemscan.store.true_columns import DEFECTS, TrueColumns
from tests.recon.training.training_kit import small


def lattice() -> TrueColumns:
    """Columns 10 pixels apart; one is missing, one is far from its site, the others are little displaced."""
    row, col = (part.ravel() for part in np.meshgrid(np.arange(5, 64, 10.0), np.arange(5, 64, 10.0), indexing="ij"))
    moved, defect = np.full(36, 0.1), np.zeros(36)
    defect[7], moved[28] = DEFECTS.index("vacancy"), 2.0
    return TrueColumns.of(("one",), row=row, col=col, amplitude=1.0, displacement_row=moved, defect=defect)


def test_exceptions_are_the_pixels_of_columns_that_depart() -> None:
    mask = exception_mask(lattice(), (64, 64))
    assert mask[15, 15]
    assert mask[45, 45]
    assert not mask[25, 25]
    assert int(mask.sum()) == 2 * int(sum(np.hypot(y, x) <= 6 for y in range(-7, 8) for x in range(-7, 8)))


def test_nothing_is_an_exception_where_no_columns_are_known() -> None:
    assert not exception_mask(None, (8, 8)).any()
    assert not exception_mask(lattice().where(np.zeros(36, bool)), (8, 8)).any()


def test_scans_of_the_wide_variety_have_exceptions() -> None:
    data = small(data={"variety": "wide", "smoothed": 0.5}).data
    shares = [float(training_scan(data, 1, index).exceptions.mean()) for index in range(12)]
    assert max(shares) > 0
    assert min(shares) == 0
    assert np.mean(shares) < 0.5


class Wrong(torch.nn.Module):
    """Corrects by 1 where told and puts out a standard deviation like the estimate's."""

    def __init__(self, where: torch.Tensor) -> None:
        super().__init__()
        self.image = where.float().requires_grad_()

    def forward(self, channels: torch.Tensor) -> Correction:
        return Correction(self.image, torch.zeros(channels.shape[0], 1, *channels.shape[2:]))


@pytest.mark.parametrize("exceptions", [1.0, 4.0])
def test_errors_at_exceptions_count_more(exceptions: float) -> None:
    config = small("fshnet-full", data={"variety": "wide"}, loss={"exceptions": exceptions})
    task = task_of(config)
    batch = next(batches(config, 0))
    batch["estimate"] = batch["truth"].clone()
    batch["std"] = torch.full_like(batch["std"], 0.02)
    mask = torch.zeros_like(batch["truth"], dtype=torch.bool)
    mask[:, :, :16, :16] = True
    if exceptions > 1:
        batch["weight"] = torch.where(mask, exceptions, 1.0)
    else:
        assert "weight" not in batch
    found = [task.losses(Wrong(where), batch) for where in (mask, mask.flip(2))]
    share = 16 * 16 / 64**2
    assert float(found[0]["fidelity"]) == pytest.approx(
        np.log(exceptions * share / (1 + (exceptions - 1) * share) + 0.02), abs=1e-5
    )
    assert (found[0]["fidelity"] > found[1]["fidelity"]) == (exceptions > 1)
    assert float(found[0]["likelihood"]) == pytest.approx(float(found[1]["likelihood"]), rel=1e-5)


def test_the_weight_reaches_a_batch() -> None:
    config = small("fshnet-full", data={"variety": "wide", "size": 256, "crop": 128}, loss={"exceptions": 4.0})
    weights = torch.cat([batch["weight"].ravel() for batch in batches(config, 0)])
    assert set(weights.tolist()) == {1.0, 4.0}
