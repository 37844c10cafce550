"""Contenders of an evaluation: a method with its weights and settings, under a label of its own.

A contender is written ``METHOD``, or ``LABEL=METHOD[:WEIGHTS][,SETTING=VALUE...]``, so that several weights or settings
of one method stand side by side. METHOD is a name, or ``file.py:function`` for one of other people. Labels that begin
with ``ablation:`` are left to the table of ablations. The method `ORACLE` is no reconstruction: it looks at the truth,
and marks what a stationary linear estimate could reach.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stemscan.errors import ReconError, UsageError, WeightsError
from stemscan.plugins.kind import split_plugin
from stemscan.recon.method import Method
from stemscan.recon.registry import built_in, method_of, ready_methods
from stemscan.recon.settings import check_settings, parse_settings, plain
from stemscan.recon.weights import find_weights

__all__ = [
    "ABLATION",
    "BESIDE",
    "ORACLE",
    "ORACLES",
    "Contender",
    "all_contenders",
    "columns_contenders",
    "fitted_contenders",
    "labelled_once",
    "parameter_count",
    "parse_contender",
    "with_those_beside",
]

ORACLE: Final = "spectral-oracle"
"""Pseudo-method that is given the truth's spectrum; see `stemscan.recon.fourier_eb.spectral_oracle`."""

ORACLES: Final = (
    ORACLE,
    f"{ORACLE}-padded={ORACLE},padded=true",
    f"{ORACLE}-local={ORACLE},local_mean=true",
    f"{ORACLE}-local-padded={ORACLE},local_mean=true,padded=true",
)
"""Contenders of that kind: of the truth's periodogram or its local mean, on the scan's grid or a padded one."""

ABLATION: Final = "ablation"
"""First part of a label, before a colon, of a contender that is shown among the ablations alone."""

BESIDE: Final = tuple(sorted(name for name, method in built_in().items() if method.beside))
"""Methods that every table shows beside the others, asked for or not."""

_HERE: Final = Path()

_BUFFERS: Final = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Contender:
    """A method with its weights and settings.

    Attributes
    ----------
    label : str
        Its name in tables and figures.
    method : str
        Name of the method, or ``file.py:function`` without folder.
    weights : Path or None
        File of weights.
    weights_sha256 : str
        Digest of that file; empty without.
    settings : tuple of (str, value)
        Settings of the method, sorted by name.
    folder : Path or None
        Folder of the method's file.
    code : str
        Digest of the code of a plug-in; empty for methods of this package.
    judged : {"picture", "counts", "posterior", "raster"}
        Result that is judged in the task of columns: its picture, or columns fitted to the counts, their
        empirical-Bayes estimates, or columns fitted to a full raster of as many electrons.
    is_ablation : bool
        True if it belongs to the table of ablations alone.
    """

    label: str
    method: str
    weights: Path | None = None
    weights_sha256: str = ""
    settings: tuple[tuple[str, Any], ...] = ()
    folder: Path | None = None
    code: str = ""
    is_ablation: bool = False
    judged: str = "picture"

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", plain(self.settings))

    def find(self) -> Method:
        """Its method; imports a plug-in.

        Raises
        ------
        ReconError
            When the code of a plug-in is not what it was.
        StemscanError
            As `stemscan.recon.registry.method_of`.
        """
        found = method_of(self.method if self.folder is None else f"{self.folder / self.method}")
        if found.plugin is not None and found.plugin.digest() != self.code:
            raise ReconError(f"expected the code of {found} to stay as it was, got another; evaluate it again")
        return found

    @property
    def competes(self) -> bool:
        """Tell whether it is a method, and no mark that looks at the truth."""
        return self.method != ORACLE


def parse_contender(text: str, weights: Mapping[str, Path] | None = None, folder: Path = _HERE) -> Contender:
    """Read a contender.

    Parameters
    ----------
    text : str
        ``METHOD`` or ``LABEL=METHOD[:WEIGHTS][,SETTING=VALUE...]``.
    weights : mapping of str to Path, optional
        Weights of methods for which the text names none.
    folder : Path
        From which files in the text are found.

    Raises
    ------
    UsageError
        When it is written otherwise, or names a method or setting that there is not.
    InputNotFoundError
        When the weights file, or that of the method, does not exist.
    PluginError
        When a method of other people cannot be imported.
    WeightsError
        When the method needs weights, none are named and none are shipped; or the file holds no weights of it.

    Examples
    --------
    >>> narrow = parse_contender("narrow=normconv,width=1.5")
    >>> narrow.label, narrow.method, narrow.settings
    ('narrow', 'normconv', (('width', 1.5),))
    """
    label, equals, rest = text.partition("=")
    chosen, *settings = (rest if equals else text).split(",")
    name, file = split_plugin(chosen)
    if not label.strip() or "," in label or "|" in label or not name:
        raise UsageError(
            f"expected a contender as METHOD or LABEL=METHOD[:WEIGHTS][,SETTING=VALUE...], got {text!r}; "
            "a label holds neither comma nor bar"
        )
    method, label = method_of(str(folder / name) if ".py:" in name else name), label.strip()
    asked = parse_settings(settings, method.settings())
    if method.plugin is not None and equals and label in built_in():
        raise UsageError(f"expected a label for {method} that is no built-in method, got {text!r}; choose another")
    check_settings(str(method), method.load(), asked)
    given = folder / file if (folder / file).exists() else Path(file)  # which may name shipped ones
    path = _checked_weights(method, given if file else (weights or {}).get(name))
    plugin = method.plugin
    return Contender(
        label if equals else method.name,
        method.name,
        path,
        "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest(),
        tuple(sorted(asked.items())),
        folder=None if plugin is None or plugin.file is None else plugin.file.parent,
        code="" if plugin is None else plugin.digest(),
        is_ablation=bool(equals) and label.partition(":")[0] == ABLATION,
    )


def _checked_weights(method: Method, weights: Path | None) -> Path | None:
    """The file of a method's weights; what is wrong with it is told before anything is computed."""
    if not method.needs_weights:
        if weights is not None:
            raise UsageError(f"expected no weights for {method}, which has none, got {str(weights)!r}; leave them")
        return None
    from stemscan.recon.weights.file import check_exists, load_weights

    if method.plugin is None:
        weights = find_weights(weights, method.name)
        load_weights(weights, method.name)
    elif weights is not None:
        check_exists(weights)
    return None if weights is None else weights.resolve()


def all_contenders(weights: Mapping[str, Path] | None = None) -> list[Contender]:
    """Every method that has what it needs, and the oracles.

    Parameters
    ----------
    weights : mapping of str to Path, optional
        Weights of methods that need them; such a method without, and without shipped ones, is left out.
    """
    given = weights or {}
    return [parse_contender(name, given) for name in (*ready_methods(given), *ORACLES)]


def with_those_beside(contenders: Sequence[Contender]) -> list[Contender]:
    """The contenders and, after them, those of `BESIDE` that are missing.

    Raises
    ------
    UsageError
        When a label stands twice.
    """
    contenders = labelled_once(contenders)
    labels = [contender.label for contender in contenders]
    plain = {contender.method for contender in contenders if not contender.settings}
    missing = [name for name in BESIDE if name not in plain]
    clash = next((name for name in missing if name in labels), None)
    if clash is not None:
        raise UsageError(f"expected the label {clash} for the method of that name, got another; choose another label")
    return [*contenders, *map(parse_contender, missing)]


def labelled_once(contenders: Sequence[Contender]) -> list[Contender]:
    """The contenders, if each label stands once.

    Raises
    ------
    UsageError
        When one stands twice.
    """
    labels = [contender.label for contender in contenders]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"expected each label once, got {twice!r} twice; name one of the contenders otherwise")
    return list(contenders)


def columns_contenders(asked: Sequence[Contender] | None) -> list[Contender]:
    """Contenders of the task of columns: fits to the counts, and the pictures of those asked for.

    Parameters
    ----------
    asked : sequence of Contender or None
        None for all methods of this package with standard deviations, and those that stand beside.
    """
    if asked is None:
        asked = with_those_beside([parse_contender(name) for name in ready_methods({}) if built_in()[name].gives_std])
    raster = Contender("fit to a full raster", "columns", judged="raster")
    return [*fitted_contenders(), raster, *(one for one in asked if one.competes)]


def fitted_contenders() -> list[Contender]:
    """Columns fitted to counts, in place of a picture."""
    return [
        Contender("fit to counts", "columns", judged="counts"),
        Contender("fit, empirical Bayes", "columns", judged="posterior"),
    ]


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
