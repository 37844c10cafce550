"""Several training processes that act as one: `torchrun --nproc-per-node N -m stemscan train ...`.

Every process makes its own crops of the joint batch, batch norms are taken over the joint batch (`sync_norm`), and
gradients and losses are means over it, weighted by crops. So the run is that of one process with the joint batch, up
to the rounding of sums.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from stemscan.errors import UsageError
from stemscan.units import counted

__all__ = ["ALONE", "Processes", "joined", "own_device", "speaks"]


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them.

    Attributes
    ----------
    rank, count : int
        Number of this process, and how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Tell whether this one writes files and speaks."""
        return self.rank == 0

    def share(self, batch: int) -> float:
        """This process's part of a batch."""
        return len(range(self.rank, batch, self.count)) / batch

    def join_gradients(self, network: nn.Module) -> None:
        """Sum gradients over processes. Losses must have been weighted by their share before they were taken.

        (Not after: what comes back through a joint batch norm is the sum of all processes' gradients already.)
        """
        if self.count == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        begin = 0
        for gradient in gradients:
            gradient.copy_(flat[begin : begin + gradient.numel()].reshape(gradient.shape))
            begin += gradient.numel()

    def join(self, values: Tensor, share: float) -> Tensor:
        """Joint mean of local means."""
        if self.count == 1:
            return values
        joint = values * share
        distributed.all_reduce(joint)
        return joint

    def any(self, flag: bool, device: torch.device) -> bool:
        """Tell whether it is true in any process."""
        if self.count == 1:
            return flag
        found = torch.tensor(float(flag), device=device)
        distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
        return bool(found)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


ALONE = Processes()


@contextmanager
def joined(device: torch.device, batch: int) -> Iterator[Processes]:
    """Join the processes that torchrun started; alone where it started none.

    Parameters
    ----------
    batch : int
        Crops of the joint batch, at least one a process.

    Raises
    ------
    UsageError
        When there are more processes than crops, or the environment asks for several without saying how they meet.
    """
    count = _asked()
    if count == 1:
        yield ALONE
        return
    if count > batch:
        raise UsageError(
            f"expected at most {counted(batch, 'process')} for a batch of {batch}, got {count}; start fewer"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where barriers meet
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), count)
        distributed.barrier()  # none leaves while another still talks to it
    finally:
        distributed.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The device of this one of several processes: each on a machine takes a GPU of its own, by its local rank.

    Parameters
    ----------
    device : torch.device
        Taken as it is where it is no GPU, has a number, or the process is alone.

    Raises
    ------
    UsageError
        As `joined`.
    """
    if str(device) != "cuda" or _asked() == 1:
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def speaks() -> bool:
    """Tell whether this process, of those that torchrun started, speaks to people; True where it is alone.

    Raises
    ------
    UsageError
        As `joined`.
    """
    return _asked() == 1 or os.environ["RANK"] == "0"


def _asked() -> int:
    """Number of processes that the environment asks for."""
    asked = {name: os.environ.get(name, "") for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT")}
    if asked["WORLD_SIZE"] in ("", "1"):
        return 1
    if not all(asked.values()) or not (asked["WORLD_SIZE"].isdecimal() and asked["RANK"].isdecimal()):
        wrong = ", ".join(f"{name}={value}" for name, value in asked.items())
        raise UsageError(f"expected the environment that torchrun makes, got {wrong}; start with torchrun, or unset it")
    return int(asked["WORLD_SIZE"])
