"""What is compared: a method with its weights and settings, under a label of its own.

A contender is written ``METHOD``, or ``LABEL=METHOD[:WEIGHTS][,SETTING=VALUE...]``, so that several weights or settings
of one method stand side by side. Labels that begin with ``ablation:`` are left to the table of ablations. The method
`ORACLE` is no reconstruction: it looks at the truth, and marks what a stationary linear estimate could reach.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stemscan.errors import UsageError, WeightsError
from stemscan.files.strict_yaml import YamlProblem, parse
from stemscan.recon.registry import METHODS, check_settings, ready_methods
from stemscan.recon.weights import find_weights

__all__ = [
    "ABLATION",
    "BESIDE",
    "ORACLE",
    "Contender",
    "all_contenders",
    "parameter_count",
    "parse_contender",
    "with_those_beside",
]

ORACLE: Final = "spectral-oracle"
"""Pseudo-method that is given the truth's spectrum; see `stemscan.recon.fourier_eb.spectral_oracle`."""

ABLATION: Final = "ablation:"
"""What the label of a contender begins with that is shown among the ablations alone."""

BESIDE: Final = ("constant", "normconv")
"""Methods that every table shows beside the others, asked for or not."""

_BUFFERS: Final = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Contender:
    """A method with its weights and settings.

    Attributes
    ----------
    label : str
        Its name in tables and figures.
    method : str
        A name in `stemscan.recon.registry.METHODS`, or `ORACLE`.
    weights : Path or None
        File of weights.
    weights_sha256 : str
        Digest of that file; empty without.
    settings : tuple of (str, value)
        Settings of the method, sorted by name.
    """

    label: str
    method: str
    weights: Path | None = None
    weights_sha256: str = ""
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def is_ablation(self) -> bool:
        """Tell whether it belongs to the table of ablations alone."""
        return self.label.startswith(ABLATION)


def parse_contender(text: str, weights: Mapping[str, Path] | None = None) -> Contender:
    """Read a contender.

    Parameters
    ----------
    text : str
        ``METHOD`` or ``LABEL=METHOD[:WEIGHTS][,SETTING=VALUE...]``.
    weights : mapping of str to Path, optional
        Weights of methods for which the text names none.

    Returns
    -------
    Contender

    Raises
    ------
    UsageError
        When it is written otherwise, or names a method or setting that there is not.
    InputNotFoundError
        When the weights file does not exist.
    WeightsError
        When the method needs weights, none are named and none are shipped; or the file holds no weights of it.

    Examples
    --------
    >>> parse_contender("narrow=normconv,width=1.5")
    Contender(label='narrow', method='normconv', weights=None, weights_sha256='', settings=(('width', 1.5),))
    """
    label, equals, rest = text.partition("=")
    if not equals:
        label, rest = text, text
    chosen, *settings = rest.split(",")
    method, _, file = chosen.partition(":")
    if not label.strip() or "," in label or "|" in label or not method:
        raise UsageError(
            f"expected a contender as METHOD or LABEL=METHOD[:WEIGHTS][,SETTING=VALUE...], got {text!r}; "
            "a label holds neither comma nor bar"
        )
    if method not in (*METHODS, ORACLE):
        raise UsageError(f"expected a method of {', '.join((*METHODS, ORACLE))}, got {method!r} in {text!r}")
    return _checked(label.strip(), method, Path(file) if file else (weights or {}).get(method), _settings(settings))


def _checked(label: str, method: str, weights: Path | None, settings: dict[str, Any]) -> Contender:
    """A contender whose weights are there and whose settings the method has."""
    if method == ORACLE:
        if settings or weights is not None:
            raise UsageError(f"expected neither weights nor settings with {ORACLE}, got some for {label!r}; leave them")
        return Contender(label, method)
    check_settings(method, settings)
    if weights is not None and not METHODS[method].needs_weights:
        raise UsageError(f"expected no weights for method {method}, which has none, got {str(weights)!r}; leave them")
    if METHODS[method].needs_weights:
        weights = find_weights(weights, method)
    if weights is not None:
        from stemscan.recon.weights.file import load_weights

        load_weights(weights, method)  # what is wrong with a file is said before anything is computed
    digest = "" if weights is None else hashlib.sha256(weights.read_bytes()).hexdigest()
    return Contender(label, method, None if weights is None else weights.resolve(), digest, _sorted(settings))


def _sorted(settings: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Settings in the order of their names."""
    return tuple(sorted(settings.items()))


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    """Settings from SETTING=VALUE, each value read as YAML."""
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"expected a setting as NAME=VALUE, got {text!r}; write for example windows=false")
        try:
            settings[key], _ = parse(value)
        except YamlProblem as problem:
            raise UsageError(f"expected a plain value for setting {key}, got {value!r}; write a number or word") from (
                problem
            )
    return settings


def all_contenders(weights: Mapping[str, Path] | None = None) -> list[Contender]:
    """Every method that has what it needs, and the oracle.

    Parameters
    ----------
    weights : mapping of str to Path, optional
        Weights of methods that need them; such a method without, and without shipped ones, is left out.

    Returns
    -------
    list of Contender
    """
    given = weights or {}
    return [parse_contender(name, given) for name in (*ready_methods(given), ORACLE)]


def with_those_beside(contenders: Sequence[Contender]) -> list[Contender]:
    """The contenders and, after them, those of `BESIDE` that are missing.

    Raises
    ------
    UsageError
        When a label stands twice.
    """
    labels = [contender.label for contender in contenders]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"expected each label once, got {twice!r} twice; name one of the contenders otherwise")
    plain = {contender.method for contender in contenders if not contender.settings}
    missing = [name for name in BESIDE if name not in plain]
    clash = next((name for name in missing if name in labels), None)
    if clash is not None:
        raise UsageError(f"expected the label {clash} for the method of that name, got another; choose another label")
    return [*contenders, *map(parse_contender, missing)]


def parameter_count(contender: Contender) -> int | None:
    """Trained parameters in a contender's weights file, running statistics of batch norm not counted.

    Returns
    -------
    int or None
        None without weights.

    Raises
    ------
    WeightsError
        When the file cannot be read.
    """
    if contender.weights is None:
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(contender.weights, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(_BUFFERS)]  # noqa: SIM118
            return sum(int(math.prod(file.get_slice(name).get_shape())) for name in names)
    except (SafetensorError, OSError) as problem:
        raise WeightsError(
            f"expected a whole safetensors file, got {str(contender.weights)!r} ({problem}); copy it again"
        ) from problem
