"""Completers of the shell: names that fit what was typed, found without importing numpy, numba or torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import typer

from stemscan.plugins.kind import PluginKind

__all__ = [
    "complete_channels",
    "complete_configurations",
    "complete_controllers",
    "complete_detectors",
    "complete_devices",
    "complete_methods",
    "complete_plans",
    "complete_presets",
    "complete_profiles",
    "complete_rules",
    "complete_specimens",
    "complete_stores",
    "complete_weights",
]

_STORE = "zarr.json"
_TEMPLATE = "template"


def complete_methods(incomplete: str) -> list[str]:
    """Methods of reconstruction, those of installed packages too, and Python files."""
    from stemscan.recon.registry import PLUGINS, method_names

    return _fitting([*method_names(), *PLUGINS.installed()], incomplete) + _files(incomplete, (".py",))


def complete_weights(incomplete: str) -> list[str]:
    """Shipped weights and files of weights."""
    from stemscan.recon.weights import SHIPPED

    return _fitting(SHIPPED, incomplete) + _files(incomplete, (".safetensors",))


def complete_controllers(incomplete: str) -> list[str]:
    """Controllers, those of installed packages too."""
    plugins = PluginKind("controller", "stemscan.controllers", lambda: ())
    return _fitting(["virtual", "obi://", "replay:", *plugins.installed()], incomplete)


def complete_configurations(incomplete: str) -> list[str]:
    """Training configurations of the package, and YAML files."""
    return _fitting(_shipped("stemscan.recon", "training/configs"), incomplete) + complete_plans(incomplete)


def complete_presets(incomplete: str) -> list[str]:
    """Presets of the virtual microscope, and YAML files."""
    return _fitting(_shipped("stemscan.simulators", "instrument/presets"), incomplete) + complete_plans(incomplete)


def complete_profiles(incomplete: str) -> list[str]:
    """Controller profiles, and YAML files."""
    return _fitting(_shipped("stemscan", "hardware/profiles"), incomplete) + complete_plans(incomplete)


def complete_specimens(incomplete: str) -> list[str]:
    """Crystals, the synthetic test set, and files."""
    from stemscan.simulators.specimens.crystals import CRYSTALS

    return _fitting([*(f"crystal:{name}" for name in CRYSTALS), "synthetic:"], incomplete) + _files(incomplete, None)


def complete_detectors(incomplete: str) -> list[str]:
    """Detectors of the virtual microscope."""
    return _fitting(["haadf", "laadf", "abf", "bf", "q1", "q2", "q3", "q4"], incomplete)


def complete_devices(incomplete: str) -> list[str]:
    """Devices of torch."""
    return _fitting(["auto", "cpu", "cuda"], incomplete)


def complete_rules(incomplete: str) -> list[str]:
    """Rules that end a scan."""
    return _fitting(["psnr-gain=", "max-dose=", "passes="], incomplete)


def complete_plans(incomplete: str) -> list[str]:
    """YAML files."""
    return _files(incomplete, (".yaml", ".yml"))


def complete_stores(incomplete: str) -> list[str]:
    """Acquisition stores, and folders that may hold some."""
    return _files(incomplete, ())


def complete_channels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Channels of the store that the command line names."""
    places = [ctx.params.get("store"), *ctx.args]  # those behind an option without its value are not sorted out
    names = [name for place in places if place is not None for name in _channels(Path(place))]
    return _fitting([*names, "all"] if ctx.info_name == "recon" else names, incomplete)


def _channels(store: Path) -> list[str]:
    """Names of a store's channels, from its attributes alone; none where it is no store."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((store / _STORE).read_text(encoding="utf-8"))["attributes"]["stemscan"]
        return [detector["name"] for detector in record["channels"]]
    return []


def _shipped(package: str, folder: str) -> list[str]:
    """Names of the YAML files that come with a package."""
    names = (Path(str(one)).stem for one in (files(package) / folder).iterdir())
    return sorted(name for name in names if name != _TEMPLATE)


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    """Names that begin as typed."""
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, suffixes: tuple[str, ...] | None) -> list[str]:
    """Paths that begin as typed: files of some suffixes (None: all), stores, and folders with a slash behind them."""
    folder, start = os.path.split(incomplete)
    found = []
    with suppress(OSError):
        for one in sorted(os.scandir(folder or "."), key=lambda entry: entry.name):
            if not one.name.startswith(start) or (one.name.startswith(".") and not start):
                continue
            path = os.path.join(folder, one.name)
            if one.is_dir() and not os.path.exists(os.path.join(path, _STORE)):
                found.append(path + "/")
            elif one.is_dir() or suffixes is None or one.name.lower().endswith(suffixes or ("\0",)):
                found.append(path)
    return found
