"""A GPU that is pretended: tensors that are moved to "cuda" stay in memory, but must not meet those that are not there.

What is computed is what the CPU computes. A tensor that was made or left on the wrong device, or turned into an array
without coming back, is an error, as it would be with a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["There", "pretended_gpu"]

_WHERE = torch.device("cuda", 0)
_CROSSING = ("copy_", "__get__", "__set__")
_LAYOUT = ("non_blocking", "copy")
_move_module = nn.Module.to


class There(Tensor):
    """A tensor that is said to lie on the GPU."""


def _quietly(function: Any, arguments: Any, options: Any) -> Any:
    """Call torch without being asked again."""
    with torch._C.DisableTorchFunctionSubclass():
        return function(*arguments, **options)


def _here(tensor: Tensor) -> Tensor:
    """The tensor on the CPU."""
    found: Tensor = _quietly(Tensor.as_subclass, (tensor, Tensor), {})
    return found


def _there(made: Any) -> Any:
    """Whatever torch gives, on the GPU."""
    if isinstance(made, There):  # the same object: what it becomes anew would not be a leaf of a gradient
        return made
    if isinstance(made, Tensor):
        return _quietly(Tensor.as_subclass, (made, There), {})
    if type(made).__module__ == "torch.return_types":
        return type(made)([_there(one) for one in made])
    if isinstance(made, tuple | list):
        return type(made)(_there(one) for one in made)
    return made


def _tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested lists and dictionaries."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
        elif isinstance(value, dict):
            yield from _tensors(value.values())


def _on_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


class _Watch(TorchFunctionMode):
    """Looks at every call of torch."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Keep account of what lies where."""
        options = dict(kwargs or {})
        given = list(_tensors([*args, *options.values()]))
        there = [tensor for tensor in given if isinstance(tensor, There)]
        if func == Tensor.device.__get__ and there:
            return _WHERE
        if func is Tensor.cpu:
            return _here(args[0])
        if func is Tensor.to:
            return _moved(args, options)
        if func is Tensor.__deepcopy__ and there:
            return _copied(*args)
        if func is Tensor.__reduce_ex__ and there:
            return _here(args[0]).__reduce_ex__(args[1])  # type: ignore[no-untyped-call]
        name = getattr(func, "__name__", "")
        if there and name in ("numpy", "__array__"):
            raise TypeError(f"{name} of a tensor on the GPU")
        strangers = [tensor for tensor in given if not isinstance(tensor, There) and tensor.dim() > 0]
        if there and strangers and name not in _CROSSING and not (name == "__getitem__" and args[0] is there[0]):
            raise RuntimeError(f"{name}: tensors on the GPU and on the CPU")
        if _on_gpu(options.get("device")):
            return _there(_quietly(func, args, options | {"device": "cpu"}))
        made = _quietly(func, args, options)
        return _there(made) if there else made


def _moved(args: Any, options: dict[str, Any]) -> Tensor:
    """`Tensor.to`."""
    tensor, *rest = args
    device = options.pop("device", None)
    if rest and isinstance(rest[0], str | torch.device):
        device = rest.pop(0)
    elif rest and isinstance(rest[0], Tensor):
        device, rest[0] = ("cuda" if isinstance(rest[0], There) else "cpu"), rest[0].dtype
    on_gpu = isinstance(tensor, There) if device is None else _on_gpu(device)
    made = _here(tensor)
    options = {name: value for name, value in options.items() if name not in _LAYOUT}
    if rest or options:
        made = _quietly(Tensor.to, (made, *rest), options)
    moved: Tensor = _there(made) if on_gpu else made
    return moved


def _copied(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    """`copy.deepcopy`."""
    if id(tensor) not in memo:
        copy = _there(_here(tensor).detach().clone())
        memo[id(tensor)] = (
            nn.Parameter(copy, requires_grad=tensor.requires_grad) if getattr(tensor, "_is_param", False) else copy
        )
    copied: Tensor = memo[id(tensor)]
    return copied


def _module_to(module: nn.Module, *args: Any, **options: Any) -> nn.Module:
    """`nn.Module.to`, whose own way replaces the data of parameters and would lose where they are."""
    rest = list(args)
    device = options.pop("device", None)
    if rest and isinstance(rest[0], str | torch.device):
        device = rest.pop(0)
    if rest or options:
        _move_module(module, *rest, **options)
    if device is not None:
        move = _there if _on_gpu(device) else _here
        for part in module.modules():
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    part._parameters[name] = nn.Parameter(move(_here(parameter.data)), parameter.requires_grad)
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = move(_here(buffer))
    return module


@contextmanager
def pretended_gpu() -> Iterator[None]:
    """Have a GPU for a while."""
    cuda: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "is_bf16_supported": lambda *_, **__: True,
        "get_device_name": lambda *_: "a pretended GPU",
    }
    with mock.patch.multiple(torch.cuda, **cuda), mock.patch.object(nn.Module, "to", _module_to), _Watch():
        yield
