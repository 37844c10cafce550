"""Convolution blocks on the CPU, evaluated band by band.

On a large grid most of the time of a chain of small convolutions goes into memory: every layer writes an image of tens
of megabytes that has to come from the operating system, and every activation and batch norm reads and writes it again.
Here a chain is a tree of images that know how to make some of their rows: asking the last one for a band makes just
the rows that this band depends on, of all layers, in buffers that stay in the cache. Neighbouring bands compute the few
rows that both need twice.

Images are (rows, columns, channels), the layout that CPU convolutions like. Every image can be asked for its rows with
a border, zero outside of the frame, so that no convolution pads: zeros are put around what a batch norm made, exactly
as the network has them, and what is computed does not differ at borders.

Two convolutions of a row's neighbouring pixels are one convolution of pairs: (rows, columns, C) and (rows, columns / 2,
2 C) are the same numbers in memory. Convolutions with up to 8 outputs are done so, for they fill only half of a
processor's vector otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Convolved", "Given", "Image", "Repeated", "affine", "convolve", "in_pairs", "whole"]

_SLOPE: Final = 0.2
_PAIRED_OUTPUTS: Final = 8


class Image(Protocol):
    """Something that can make some of its rows."""

    shape: tuple[int, int, int]

    def rows(self, first: int, last: int, border: int) -> Tensor:
        """Rows `first` to `last` with a border of zeros, or of the rows that are there.

        Returns
        -------
        Tensor, (last - first + 2 border, columns + 2 border, channels)
            Contiguous; the border's rows are those of the image where it has them.
        """
        ...


class Given:
    """An image that is there.

    Parameters
    ----------
    image : Tensor, (H, W, C)
        Of any strides.
    dtype : torch.dtype
        Of the rows that are made.
    """

    def __init__(self, image: Tensor, dtype: torch.dtype) -> None:
        self.image = image
        self.dtype = dtype
        self.shape = (image.shape[0], image.shape[1], image.shape[2])

    def rows(self, first: int, last: int, border: int) -> Tensor:
        """See `Image`."""
        there = slice(max(first - border, 0), min(last + border, self.shape[0]))
        buffer, inner = _bordered(self.shape, first, last, border, self.image.new_empty(0, dtype=self.dtype))
        inner.copy_(self.image[there])
        return buffer


class Repeated:
    """A coarse image of 2 x 2 patterns, each of which is repeated twice in both directions.

    Parameters
    ----------
    patterns : Tensor, (H / 4, W / 4, 4 C)
        Channels in the order row of the pattern, column of the pattern, channel; contiguous.
    """

    def __init__(self, patterns: Tensor) -> None:
        self.patterns = patterns
        self.shape = (4 * patterns.shape[0], 4 * patterns.shape[1], patterns.shape[2] // 4)

    def rows(self, first: int, last: int, border: int) -> Tensor:
        """See `Image`."""
        low, high = max(first - border, 0), min(last + border, self.shape[0])
        buffer, inner = _bordered(self.shape, first, last, border, self.patterns)
        columns, channels = self.shape[1:]
        target = torch.unflatten(inner, 1, (columns // 4, 2, 2))
        patterns = torch.unflatten(self.patterns, 2, (2, 1, 2, channels))  # row, place of the copy, column, channel
        for row in range(low, min(low + 4, high)):
            source = patterns[row // 4 : (high - 1 - row) // 4 + row // 4 + 1, :, row % 2]
            target[row - low :: 4].copy_(source.expand(-1, -1, 2, -1, -1))
        return buffer


class Convolved:
    """A convolution block of one or several images side by side: convolution, LeakyReLU, batch norm.

    Parameters
    ----------
    sources : sequence of Image
        Their channels are concatenated.
    conv : Conv2d
        Of an odd kernel, padded to keep the size (before the stride).
    norm : BatchNorm2d
        Its running statistics are what is used.
    stride : int, optional
        Another one than the convolution's, to compute every second pixel alone.
    """

    def __init__(
        self,
        sources: Sequence[Image],
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d,
        stride: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.sources = sources
        self.stride = conv.stride[0] if stride is None else stride
        self.border = conv.kernel_size[0] // 2
        height, width, _ = sources[0].shape
        self.shape = (-(-height // self.stride), -(-width // self.stride), conv.out_channels)
        self.paired = self.stride == 1 and self.border > 0 and conv.out_channels <= _PAIRED_OUTPUTS
        weights = torch.split(conv.weight, [source.shape[2] for source in sources], dim=1)
        self.weights = [
            (in_pairs(part) if self.paired else part).to(dtype, memory_format=torch.channels_last) for part in weights
        ]
        bias = None if conv.bias is None else conv.bias.to(dtype)
        self.bias = bias if bias is None or not self.paired else bias.repeat(2)
        self.scale, self.shift = (value.to(dtype).repeat(self.shape[1]) for value in affine(norm))

    def rows(self, first: int, last: int, border: int) -> Tensor:
        """See `Image`."""
        low, high = max(first - border, 0), min(last + border, self.shape[0])
        taken = low * self.stride, (high - 1) * self.stride + 1
        total: Tensor | None = None
        for source, weight in zip(self.sources, self.weights, strict=True):
            padded = source.rows(*taken, self.border).to(weight.dtype)
            if self.paired:
                padded = padded.view(padded.shape[0], padded.shape[1] // 2, -1)
            part = convolve(padded, weight, self.bias if total is None else None, self.stride)
            total = part if total is None else total.add_(part)
        assert total is not None
        buffer, inner = _bordered(self.shape, first, last, border, total)
        flat = functional.leaky_relu(total.view(high - low, -1), _SLOPE, inplace=True)
        torch.addcmul(self.shift, flat, self.scale, out=inner.flatten(1))
        return buffer


def convolve(image: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """Convolve (H, W, C) with (O, C, k, l) without padding, to (H', W', O), contiguous."""
    output = functional.conv2d(image.permute(2, 0, 1)[None], weight, bias, stride)
    return output[0].permute(1, 2, 0).contiguous()


def in_pairs(weight: Tensor) -> Tensor:
    """The kernel on pairs of neighbouring pixels that is the same convolution.

    Parameters
    ----------
    weight : Tensor, (O, C, k, k)
        k odd.

    Returns
    -------
    Tensor, (2 O, 2 C, k, (k + 1) / 2)
        For an image whose first pair begins k // 2 pixels before the first output.
    """
    outputs, channels, size, _ = weight.shape
    shifted = weight.new_zeros(2, outputs, channels, size, size + 1)
    shifted[0, ..., :-1] = weight
    shifted[1, ..., 1:] = weight
    pairs = torch.unflatten(
        shifted, -1, ((size + 1) // 2, 2)
    )  # pixel of the output, O, C, row, pair, pixel of the input
    return pairs.permute(0, 1, 5, 2, 3, 4).reshape(2 * outputs, 2 * channels, size, (size + 1) // 2)


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm in evaluation mode, (C,) each."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    return scale.to(norm.weight.dtype), shift.to(norm.weight.dtype)


def whole(image: Image, band: int) -> Tensor:
    """All rows of an image, made in bands.

    Parameters
    ----------
    band : int
        Rows made at a time.

    Returns
    -------
    Tensor, (H, W, C)
    """
    height = image.shape[0]
    if band >= height:
        return image.rows(0, height, 0)
    result: Tensor | None = None
    for first in range(0, height, band):
        rows = image.rows(first, min(first + band, height), 0)
        if result is None:
            result = rows.new_empty(image.shape)
        result[first : first + band] = rows
    assert result is not None
    return result


def _bordered(shape: tuple[int, int, int], first: int, last: int, border: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """A buffer for rows with their border, zero where the image has none, and the part of it that is to be filled."""
    height, width, channels = shape
    above, below = max(border - first, 0), max(last + border - height, 0)
    buffer = like.new_empty(last - first + 2 * border, width + 2 * border, channels)
    end = buffer.shape[0] - below
    if border:
        buffer[:above].zero_()
        buffer[end:].zero_()
        buffer[above:end, :border].zero_()
        buffer[above:end, width + border :].zero_()
    return buffer, buffer[above:end, border : border + width]
