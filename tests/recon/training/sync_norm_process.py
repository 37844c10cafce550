"""One process of the test of synchronised batch norm: python -m tests.recon.training.sync_norm_process RANK FOLDER."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from stemscan.recon.training.sync_norm import synchronised
from tests.recon.fshnet.fshnet_kit import seeded_network, uniform

SPLITS = {"equal": (2, 2), "unequal": (3, 1), "empty": (4, 0)}
"""Images of the joint batch of 4 that each of the two processes gets."""

EMPTY = "empty"
"""The split that needs another network: torch has no backward pass of an empty pixel shuffle."""

STEPS = 3


def joint_batch() -> tuple[Tensor, Tensor, Tensor]:
    """Frames, priors and targets in double precision."""
    shapes = (4, 4, 32, 32), (4, 1, 32, 32), (4, 1, 16, 16)
    frames, priors, targets = (torch.from_numpy(uniform(seed, shape)) for seed, shape in enumerate(shapes, 70))
    return frames, priors, targets


class Convolutions(nn.Module):
    """A small network with FSHNet's inputs and output."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Conv2d(5, 6, 3, 2, 1), nn.LeakyReLU(), nn.BatchNorm2d(6), nn.Conv2d(6, 1, 1), nn.BatchNorm2d(1)
        self.layers = nn.Sequential(*layers)
        for index, parameter in enumerate(self.parameters()):
            parameter.data = torch.from_numpy(uniform(90 + index, tuple(parameter.shape)) - 0.3)

    def forward(self, frames: Tensor, prior: Tensor) -> Tensor:
        """(N, 4, H, W) and (N, 1, H, W) to (N, 1, H / 2, W / 2)."""
        output: Tensor = self.layers(torch.cat([frames, prior], dim=1))
        return output


def train(rows: slice, group: bool, small: bool = False) -> dict[str, Tensor]:
    """Three steps of plain descent; outputs of these rows, losses, and the state of the network at the end."""
    network: nn.Module = (Convolutions() if small else seeded_network()).double().train()
    if group:
        network = synchronised(network)
    frames, priors, targets = joint_batch()
    result: dict[str, Tensor] = {}
    for step in range(STEPS):
        output = network(frames[rows], priors[rows])
        loss = (output - targets[rows]).square().sum() / targets.numel()  # the joint mean, once added up
        network.zero_grad()
        loss.backward()
        result |= {f"output {step}": output.detach(), f"loss {step}": loss.detach()}
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, name
                if group:
                    distributed.all_reduce(parameter.grad)
                result[f"gradient {step} {name}"] = parameter.grad.clone()
                parameter.sub_(0.01 * parameter.grad)
    network.eval()
    result["evaluation"] = network(frames[:1], priors[:1]).detach()
    return result | {f"state {name}": tensor for name, tensor in network.state_dict().items()}


def main(rank: int, folder: Path) -> None:
    """Train with every split and leave the results in the folder."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    for name, split in SPLITS.items():
        first = sum(split[:rank])
        done = train(slice(first, first + split[rank]), group=True, small=name == EMPTY)
        torch.save(done, folder / f"{name}-{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # gloo's threads have been seen to abort an interpreter that shuts down, with all work done
