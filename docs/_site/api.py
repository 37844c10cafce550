"""Pages of the API, made from what the package exports."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

__all__ = ["MODULES", "write_pages"]

MODULES = {
    "stemscan.simulators.api": "The virtual world: specimens, crystals, frames, the virtual microscope",
    "stemscan.recon.conformance": "Tests that a method of your own must pass",
    "stemscan.recon.method": "Declaration of a method",
    "stemscan.recon.registry": "Methods by name",
    "stemscan.recon.inputs.gridding": "Samples between pixels",
    "stemscan.recon.inputs.reading": "Inputs of a store",
    "stemscan.recon.columns.wish": "Plans from a wish",
    "stemscan.recon.drift.following": "A field that follows drift",
    "stemscan.acquisition.scan_controller": "The interface to a microscope",
    "stemscan.acquisition.controllers": "Controllers by name",
    "stemscan.acquisition.conformance": "Tests that a controller of your own must pass",
    "stemscan.acquisition.armed_range": "The turns of arm, start and read",
    "stemscan.acquisition.replay": "Replay of a store",
    "stemscan.acquisition.faulty": "A controller with faults",
    "stemscan.store.batch": "What a controller delivers",
    "stemscan.store.ledger": "Times and doses of the beam",
    "stemscan.store.provenance": "Where counts come from",
    "stemscan.hardware.profile": "Controller profiles",
    "stemscan.hardware.program": "Programs of a scan generator",
    "stemscan.hardware.coil_lag": "Where lagging coils put the beam",
    "stemscan.hardware.exporters": "Plans for other programs",
    "stemscan.hardware.obi.controller": "Open Beam Interface",
    "stemscan.errors": "All errors",
    "stemscan.testing": "Strategies for property tests",
}
"""Public modules besides the names of `stemscan` itself, and a word on each."""


def write_pages(docs: Path) -> None:
    """Write a page for each public name and for each public module; autodoc fills them."""
    import stemscan

    folder = docs / "api"
    folder.mkdir(exist_ok=True)
    names = {name: getattr(stemscan, name) for name in sorted(stemscan.__all__)}
    functions = [name for name, it in names.items() if inspect.isroutine(it)]
    errors = [name for name, it in names.items() if inspect.isclass(it) and issubclass(it, Exception)]
    values = [name for name in names if name not in {*functions, *errors}]
    text = [*_title("API"), "All of ``import stemscan as ss``, then the public modules.", ""]
    for title, listed in (("Functions", functions), ("Values and classes", values), ("Errors", errors)):
        text += [*_title(title, "-"), ".. currentmodule:: stemscan", "", ".. autosummary::", "   :toctree: ss"]
        text += ["   :nosignatures:", "", *(f"   {name}" for name in listed), ""]
    text += [*_title("Public modules", "-"), ".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in MODULES)]
    _write(folder / "index.rst", text)
    for name, title in MODULES.items():
        _write(folder / f"{name}.rst", _module_page(name, title, set(map(id, names.values()))))


def _module_page(name: str, title: str, shown: set[int]) -> list[str]:
    """The text of a module's page; names that `stemscan` itself has are links."""
    module = import_module(name)
    text = [*_title(name.removeprefix("stemscan.")), f"{title}: ``{name}``.", "", f".. currentmodule:: {name}", ""]
    for one in getattr(module, "__all__", ()):
        it = getattr(module, one)
        if id(it) in shown:
            text += [f"- :py:obj:`stemscan.{one}`", ""]
        elif inspect.isclass(it):
            text += [f".. autoclass:: {one}", "   :members:", f"   :exclude-members: {', '.join(_LEFT_OUT)}", ""]
        elif inspect.isroutine(it):
            text += [f".. autofunction:: {one}", ""]
    return text


_LEFT_OUT = ("model_config", "model_post_init", "count", "index")
"""Members of the libraries' base classes."""


def _title(text: str, line: str = "=") -> list[str]:
    """A heading."""
    return [text, line * len(text), ""]


def _write(path: Path, lines: list[str]) -> None:
    """Write a page where it changed, so that Sphinx reads no page in vain."""
    text = "\n".join([*lines, ""])
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
