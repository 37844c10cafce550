"""Equations 15 to 17: values by hand, gradients by finite differences, precision."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from stemscan.errors import ReconError
from stemscan.recon.paper.edges import edges
from stemscan.recon.paper.losses import fshnet_loss, guidance_loss, total_variation
from tests.recon.fshnet.fshnet_kit import lattice, uniform


def image(seed: int, shape: tuple[int, int] = (9, 11), batch: int = 2) -> torch.Tensor:
    return torch.from_numpy(uniform(seed, (batch, 1, *shape)))


def test_total_is_the_weighted_sum_of_the_parts() -> None:
    estimate, reference, structure = image(1), image(2), image(3)
    parts = fshnet_loss(estimate, reference, structure)
    torch.testing.assert_close(parts.discrepancy, (estimate - reference).square().mean())
    torch.testing.assert_close(parts.guidance, ((edges(estimate) - edges(structure)) / 16).square().mean())
    torch.testing.assert_close(parts.total, parts.discrepancy + 0.2 * parts.guidance + 0.01 * parts.variation)
    other = fshnet_loss(estimate, reference, structure, 0.7, 0.3)
    torch.testing.assert_close(other.total, parts.discrepancy + 0.7 * parts.guidance + 0.3 * parts.variation)


def test_total_variation_by_hand() -> None:
    ramp = torch.tensor([[0.0, 1.0, 3.0], [5.0, 6.0, 8.0]])[None, None]
    assert total_variation(ramp) == 5.0 + 1.5  # absolute differences; squares would give 25 + 2.5
    assert total_variation(torch.full((1, 1, 4, 4), 2.0)) == 0.0
    assert total_variation(torch.tensor([[[[1.0, 4.0]]]])) == 3.0
    assert total_variation(torch.ones(1, 1, 1, 1)) == 0.0


@pytest.mark.parametrize("part", ["total", "discrepancy", "guidance", "variation"])
def test_gradient_agrees_with_finite_differences(part: str) -> None:
    reference, structure = image(5), image(6)
    assert torch.autograd.gradcheck(
        lambda x: getattr(fshnet_loss(x, reference, structure), part), image(4).requires_grad_(), eps=1e-6
    )


def test_guidance_pulls_the_image_towards_the_structure() -> None:
    structure = torch.from_numpy(lattice((24, 24)))[None, None]
    estimate = (0.3 * structure + 0.01 * image(7, (24, 24), 1).float()).requires_grad_()
    structure.requires_grad_()
    loss = guidance_loss(estimate, structure)
    loss.backward()  # type: ignore[no-untyped-call]
    assert estimate.grad is not None
    assert estimate.grad.norm() > 1e-3 / 16**2  # the filter's centre weight, squared, is the unit
    assert structure.grad is None
    with torch.no_grad():
        assert guidance_loss(estimate - 1e-2 * estimate.grad / estimate.grad.abs().max(), structure) < loss


def test_without_structure_the_guidance_is_left_out() -> None:
    parts = fshnet_loss(image(1), image(2), None)
    assert parts.guidance == 0.0
    torch.testing.assert_close(parts.total, parts.discrepancy + 0.01 * parts.variation)


def test_half_precision_is_left_before_anything_is_computed() -> None:
    estimate, reference, structure = (image(seed).to(torch.bfloat16) for seed in (1, 2, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        parts = fshnet_loss(estimate, reference, structure)
    exact = fshnet_loss(estimate.double(), reference.double(), structure.double())
    for part, expected in zip(parts, exact, strict=True):
        assert part.dtype == torch.float32
        torch.testing.assert_close(part.double(), expected, rtol=1e-5, atol=1e-6)


def test_loss_of_the_joint_batch_is_the_mean_over_its_images() -> None:
    estimate, reference, structure = image(1), image(2), image(3)
    single = [fshnet_loss(estimate[i : i + 1], reference[i : i + 1], structure[i : i + 1]).total for i in (0, 1)]
    torch.testing.assert_close(fshnet_loss(estimate, reference, structure).total, (single[0] + single[1]) / 2)
    assert functional.mse_loss(estimate, reference) != single[0]


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 1, 8, 8), (2, 1, 8, 4), (2, 1, 8, 8)),
        ((2, 1, 8, 8), (1, 1, 8, 8), (2, 1, 8, 8)),
        ((2, 1, 8, 8), (2, 1, 8, 8), (2, 1, 16, 16)),
        ((2, 3, 8, 8), (2, 3, 8, 8), (2, 3, 8, 8)),
        ((8, 8), (8, 8), (8, 8)),
    ],
)
def test_shapes_that_would_broadcast_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ReconError, match="expected estimate, reference and structure of one shape"):
        fshnet_loss(torch.zeros(shapes[0]), torch.zeros(shapes[1]), torch.zeros(shapes[2]))
