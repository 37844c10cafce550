"""The devices on which methods and training compute."""

from __future__ import annotations

from stemscan.errors import UsageError

__all__ = ["check_device"]


def check_device(device: str) -> str:
    """A device of torch that is there; imports torch.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", "mps", ...; "auto" takes CUDA where there is one, else the CPU.

    Raises
    ------
    UsageError
        When this machine has no such device.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise UsageError(
            f"expected a device of this machine such as cpu, cuda or cuda:1, got {device!r}; try auto or cpu"
        ) from problem
    return device
