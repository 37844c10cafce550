"""Checks of arguments that functions of the face have in common: each refuses in one sentence what cannot be meant."""

from __future__ import annotations

import errno
import math
import operator
import os
from pathlib import Path
from typing import Any

from stemscan.errors import UsageError
from stemscan.objects.path import ObjectPath, as_path

__all__ = ["check_beginning", "described", "file_path", "real_number", "whole_number"]


def described(value: object) -> str:
    """A value as messages show it: itself where it is short, else its type.

    Examples
    --------
    >>> described(3), described("a" * 999)
    ('3', 'a str')
    """
    if isinstance(value, str | bytes | int | float | complex | None):
        text = repr(value)
        if len(text) <= 60:
            return text
    return f"{'an' if type(value).__name__[0] in 'AEIOUaeiou' else 'a'} {type(value).__name__}"


def file_path(value: Any, what: str) -> Path:
    """The path that an argument names; of a URL such as ``s3://bucket/acq.zarr``, an `ObjectPath`.

    Parameters
    ----------
    what : str
        Content of the file, with its article, for messages.

    Raises
    ------
    UsageError
        When it is no path, is empty, is one that no system can have, or a URL of another kind.

    Examples
    --------
    >>> file_path("plan.yaml", "a plan file").name
    'plan.yaml'
    """
    if isinstance(value, ObjectPath):
        return value
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise UsageError(f"expected the path of {what}, got {described(value)}; give text or a pathlib.Path")
    if not text:
        raise UsageError(f"expected the path of {what}, got empty text; name a file or folder")
    if "\0" in text:
        raise UsageError(f"expected the path of {what}, got text with a NUL character; take it out")
    if isinstance(path := as_path(text), ObjectPath):
        return path
    try:
        os.lstat(text)
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            raise UsageError(
                f"expected the path of {what}, got one of {len(text)} characters, which is too long; choose a shorter "
                "name"
            ) from problem
    return path


def whole_number(value: Any, what: str, low: float = -math.inf, high: float = math.inf) -> int:
    """A plain whole number, also of one of numpy's; a bool is none.

    Parameters
    ----------
    what : str
        The expectation, its limits included, for messages: "a seed from 0 to 9".
    low, high : float
        Limits, both allowed.

    Raises
    ------
    UsageError
        When it is no whole number, or outside of the limits.

    Examples
    --------
    >>> whole_number(3, "threads of at least 1", 1)
    3
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise UsageError(f"expected {what}, got {described(value)}; give a whole number")
    return number


def real_number(value: Any, what: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A plain finite number, also of one of numpy's; neither a bool nor text is one. Otherwise as `whole_number`."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high):
        raise UsageError(f"expected {what}, got {described(value)}; give a number")
    return number


def check_beginning(*, resume: bool, overwrite: bool) -> None:
    """Refuse to go on with a store and to replace it at once.

    Raises
    ------
    UsageError
    """
    if resume and overwrite:
        raise UsageError("expected resume or overwrite, got both; keep one")
