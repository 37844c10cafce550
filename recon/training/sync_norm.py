"""Batch norm over the joint batch of all processes, by a differentiable sum over processes.

Distributed data parallel training averages gradients, but lets every process normalise by its own part of the batch:
two processes with two images each are then another network than one process with four. `SynchronisedBatchNorm2d` adds
up count, sum and sum of squares over the processes and normalises by the moments of the joint batch. The sum is
differentiable (its gradient is the sum of the processes' gradients), so the gradient is that of the joint batch too.
Works with any backend and device (torch's own SyncBatchNorm needs CUDA).

Every process takes its local mean and variance in a numerically stable way and turns them into sum and sum of squares
in double precision, a few numbers per channel, so that nothing is lost when they are subtracted again.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

__all__ = ["SynchronisedBatchNorm2d", "process_sum", "synchronised"]

Group = distributed.ProcessGroup
Network = TypeVar("Network", bound=nn.Module)


class _ProcessSum(torch.autograd.Function):
    """Sum over processes; as every process's loss depends on it, its gradient is a sum over processes too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group | None) -> Tensor:
        ctx.group = group
        return _summed(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return process_sum(gradients[0], ctx.group), None


def process_sum(values: Tensor, group: Group | None = None) -> Tensor:
    """Sum of a tensor over processes, differentiable any number of times.

    All processes must call it in the same order, and so must their backward passes, which they do when they run the
    same network.

    Parameters
    ----------
    values : Tensor
        Of the same shape and dtype in all processes.
    group : ProcessGroup, optional
        All processes when not given.

    Returns
    -------
    Tensor of the same shape and dtype
        The same in all processes.
    """
    return cast(Tensor, _ProcessSum.apply(values, group))  # type: ignore[no-untyped-call]


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the joint batch of all processes; plain batch norm where there is one process.

    Takes the arguments of `torch.nn.BatchNorm2d` and has its weights, statistics and names. Local batches may differ in
    size and may be empty. In evaluation mode it does not communicate.

    Attributes
    ----------
    group : ProcessGroup or None
        The processes; None stands for all.
    """

    group: Group | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W), by the joint batch in training mode."""
        joint = (self.training or self.running_mean is None) and _processes(self.group) > 1
        if not joint:
            return super().forward(input)
        self._check_input_dim(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        count, mean, variance = joint_moments(values, self.group)
        if self.training:
            self._track(count, mean.detach(), variance.detach())
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        shift = self.bias - mean * scale if self.affine else -mean * scale
        return torch.addcmul(_on_channels(shift, values), values, _on_channels(scale, values)).to(input.dtype)

    @torch.no_grad()
    def _track(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics as batch norm does: the variance without bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        unbiased = variance * (count / (count - 1).clamp(min=1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)


def joint_moments(values: Tensor, group: Group | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and variance (with bias) of each channel over all processes.

    Parameters
    ----------
    values : Tensor of float32 or float64, (N, C, H, W)
        N may be 0, if it is not in all processes.

    Returns
    -------
    (Tensor of float64, scalar; Tensor of double precision, (C,); Tensor of double precision, (C,))
    """
    size = values.numel() // values.shape[1]
    if size:
        local_variance, local_mean = (x.double() for x in torch.var_mean(values, dim=(0, 2, 3), correction=0))
        sums, squares = size * local_mean, size * (local_variance + local_mean.square())
    else:  # zeros that hang on the graph, for the backward pass has to meet the other processes as well
        sums = squares = values.sum(dim=(0, 2, 3)).double()
    total = process_sum(torch.cat([sums.new_tensor([size]), sums, squares]), group)
    count, (sums, squares) = total[0].detach(), total[1:].chunk(2)
    mean = sums / count
    return count, mean, (squares / count - mean.square()).clamp(min=0)


def synchronised(network: Network, group: Group | None = None) -> Network:
    """Replace every `torch.nn.BatchNorm2d` in a network by one over the joint batch, in place.

    Parameters, statistics and the names of the state dict stay the same (the same tensors, so that an optimiser that
    holds them goes on).

    Parameters
    ----------
    group : ProcessGroup, optional
        All processes when not given.

    Returns
    -------
    Module
        The network itself, or its replacement where it is a batch norm.
    """
    if isinstance(network, nn.BatchNorm2d):
        return cast(Network, _replacement(network, group))
    for name, child in network.named_children():
        setattr(network, name, synchronised(child, group))
    return network


def _replacement(norm: nn.BatchNorm2d, group: Group | None) -> SynchronisedBatchNorm2d:
    """A norm over the joint batch with the same tensors."""
    with torch.device("meta"):
        new = SynchronisedBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    for name, parameter in norm.named_parameters(recurse=False):
        setattr(new, name, parameter)
    for name, buffer in norm.named_buffers(recurse=False):
        setattr(new, name, buffer)
    new.group = group
    return new.train(norm.training)


def _on_channels(values: Tensor, like: Tensor) -> Tensor:
    """(C,) to (1, C, 1, 1) in the dtype of the values that it will meet."""
    return values.to(like.dtype)[None, :, None, None]


def _summed(values: Tensor, group: Group | None) -> Tensor:
    """Sum over processes in a tensor of its own."""
    total = values.clone(memory_format=torch.contiguous_format)
    if _processes(group) > 1:
        distributed.all_reduce(total, group=group)
    return total


def _processes(group: Group | None) -> int:
    """Processes in a group; 1 without any."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size(group)
