"""Equation 17: the operator, its mask and the gradient that training needs."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from stemscan.recon.paper.edges import edge_mask, edges, laplacian_of_gaussian
from tests.recon.fshnet.fshnet_kit import lattice, uniform


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image, dtype=np.float64))[None, None]


def test_filter_of_a_point_is_its_kernel_and_sums_to_zero() -> None:
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1.0
    response = laplacian_of_gaussian(point)[0, 0]
    assert response[4, 4] == 16.0
    assert response.sum() == 0.0
    torch.testing.assert_close(response, response.T)
    torch.testing.assert_close(response, response.flip(0))


def test_constants_have_no_edges_even_at_the_border() -> None:
    image = tensor(uniform(2, (12, 14)))
    torch.testing.assert_close(laplacian_of_gaussian(image + 7.0), laplacian_of_gaussian(image))
    assert laplacian_of_gaussian(torch.full((1, 1, 6, 6), 3.0)).abs().max() == 0.0


def test_mask_tests_the_response_not_the_image() -> None:
    image = tensor(uniform(3, (16, 16)) - 2.0)  # negative everywhere
    response = laplacian_of_gaussian(image)
    torch.testing.assert_close(edges(image), response.clamp(min=0))
    assert edges(image).max() > 0


def test_loss_of_equation_16_has_a_gradient_that_lowers_it() -> None:
    target = edges(tensor(lattice((32, 32))))
    image = tensor(lattice((32, 32)) * 0.5 + 0.01 * uniform(4, (32, 32))).requires_grad_()
    loss = functional.mse_loss(edges(image), target)
    (gradient,) = torch.autograd.grad(loss, image)
    assert gradient.abs().max() > 0
    with torch.no_grad():
        step = image - 1e-3 * gradient / gradient.abs().max()
        assert functional.mse_loss(edges(step), target) < loss


def test_gradient_is_that_of_the_filter_where_the_mask_is_one() -> None:
    image = tensor(uniform(5, (10, 10))).requires_grad_()
    mask = edge_mask(laplacian_of_gaussian(image))
    assert not mask.requires_grad
    assert 0 < mask.sum() < mask.numel()
    (through_edges,) = torch.autograd.grad(edges(image).sum(), image)
    (through_filter,) = torch.autograd.grad((mask * laplacian_of_gaussian(image)).sum(), image)
    torch.testing.assert_close(through_edges, through_filter)
