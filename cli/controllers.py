"""The controllers of `stemscan acquire`: built-in ones in one table, those of other packages by entry point or file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from stemscan.cli.virtual_options import VirtualOptions, virtual_settings
from stemscan.plugins.kind import PluginKind, split_plugin

if TYPE_CHECKING:
    from stemscan.acquisition.controllers import ControllerRequest
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.store.batch import DetectorInfo

__all__ = ["controller_usage", "opened_controller", "shadowed_controller"]


@contextmanager
def opened_controller(text: str, request: ControllerRequest) -> Iterator[ScanController]:
    """The controller that is asked for, closed in the end; what it has to say of its samples is told then.

    Parameters
    ----------
    text : str
        NAME or NAME:ADDRESS; the name of a built-in one, of an entry point, or ``file.py:function``.
    request : ControllerRequest
        Without the address; its options are those of the command that were given, by name.

    Raises
    ------
    UsageError
        When there is no such controller, or it has no such option.
    PluginError
        When a plug-in fails.
    StemscanError
        When it cannot be opened.
    """
    from stemscan.acquisition.controllers import close_controller, open_plugin
    from stemscan.acquisition.reports import warnings_of
    from stemscan.errors import ControllerError, StemscanError, UsageError

    name, address = split_plugin(text)
    try:
        plugin = _PLUGINS.find(name)
    except UsageError as problem:
        raise UsageError(f"--controller: {problem}") from None
    request = replace(request, address=address)
    if plugin is None:
        _check(text, request)
        opened = _BUILT_IN[name].open(request)
    else:
        _check_options(text, request.options, ("settings",))
        opened = open_plugin(plugin, replace(request, options=_settings(request.options.get("settings", []))))
    try:
        yield opened
    except BaseException:
        with suppress(StemscanError):  # what was wrong first matters more
            close_controller(opened)
        raise
    try:  # the store is complete, whatever comes now
        for warning in warnings_of(opened):
            request.warn(warning)
    except ControllerError as problem:
        request.warn(str(problem))
    try:
        close_controller(opened)
    except ControllerError as problem:
        request.warn(f"{problem}; every sample is stored")


def shadowed_controller(text: str) -> str:
    """Say that the built-in one of a name is taken although a package has one, too; empty where none has."""
    return _PLUGINS.shadows(split_plugin(text)[0])


def controller_usage() -> str:
    """Built-in controllers as they are written, for help."""
    return "|".join(built_in.usage for built_in in _BUILT_IN.values())


def _check(text: str, request: ControllerRequest) -> None:
    """Refuse an address where a built-in controller has none, its lack where it has one, and options of others."""
    from stemscan.errors import UsageError

    built_in = _BUILT_IN[text.partition(":")[0]]
    if (":" in built_in.usage) != bool(request.address):
        *first, last = (one.usage for one in _BUILT_IN.values())
        raise UsageError(f"--controller: expected {', '.join(first)} or {last}, got {text!r}")
    _check_options(text, request.options, built_in.options)


def _check_options(text: str, options: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse options of other controllers."""
    from stemscan.errors import UsageError

    if wrong := next((name for name in options if name not in known), None):
        flag = _FLAGS.get(wrong, "--" + wrong.replace("_", "-"))
        raise UsageError(f"{flag}: expected no such option with the controller {text}, got one; leave it out")


def _settings(given: list[str]) -> dict[str, str]:
    """Settings of a plug-in from NAME=VALUE."""
    from stemscan.errors import UsageError

    pairs = [text.partition("=") for text in given]
    for text, (name, equals, _) in zip(given, pairs, strict=True):
        if not (name and equals):
            raise UsageError(f"--set: expected NAME=VALUE, got {text!r}")
        if [other for other, _, _ in pairs].count(name) > 1:
            raise UsageError(f"--set: expected each name once, got {name} twice; keep one")
    return {name: value for name, _, value in pairs}


def _virtual(request: ControllerRequest) -> ScanController:
    """The virtual microscope."""
    from stemscan.errors import UsageError
    from stemscan.simulators.session import virtual_microscope

    options = dict(request.options)
    specimen = options.pop("specimen", None)
    if specimen is None:
        raise UsageError("expected --specimen beside the virtual controller, got none; add one such as crystal:SrTiO3")
    return virtual_microscope(request.plan, specimen, **virtual_settings(options))


def _obi(request: ControllerRequest) -> ScanController:
    """A device of the Open Beam Interface."""
    from stemscan.hardware.coil_lag import CoilLag
    from stemscan.hardware.lagged_controller import LaggedController
    from stemscan.hardware.obi.address import parse_address
    from stemscan.hardware.obi.controller import ObiController
    from stemscan.hardware.preflight.findings import dwell_findings
    from stemscan.hardware.profile import load_profile
    from stemscan.hardware.program import Program
    from stemscan.units import parse_time_constant_ns

    options, plan = request.options, request.plan
    host, port = parse_address(f"obi:{request.address}")
    detector = _detector(options["detector"]) if "detector" in options else None
    profile, round_dwell = load_profile(options.get("profile", "obi")), options.get("round_dwell", False)
    program = Program(plan, profile, round_dwell=round_dwell)
    tau = parse_time_constant_ns(options["coil_tau"]) if "coil_tau" in options else None
    if tau is not None:  # what is wrong with it is reported before the device is opened
        CoilLag(tau).run_in(plan.shape, program.quantisation.dwell_ns)
    for finding in dwell_findings(program.quantisation):
        request.warn(finding.text)
    device = ObiController(
        host,
        port,
        profile,
        detector=detector,
        timeout=request.timeout_s,
        round_dwell=round_dwell,
        connect=request.connect,
    )
    return device if tau is None else LaggedController(device, program, tau)


def _detector(texts: list[str]) -> DetectorInfo:
    """A detector from GAIN,OFFSET."""
    from stemscan.errors import UsageError
    from stemscan.store.batch import DetectorInfo

    try:
        (text,) = texts
        gain, offset = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--detector: expected two numbers as GAIN,OFFSET, got {' '.join(texts)!r}") from None
    return DetectorInfo(unit="adu", gain=gain, offset=offset)


def _replay(request: ControllerRequest) -> ScanController:
    """The samples of a store once more."""
    from stemscan.acquisition.replay import ReplayController

    return ReplayController(request.address)


@dataclass(frozen=True)
class _BuiltIn:
    """A controller of this package: how it is written, what opens it, and the options of `acquire` that it takes."""

    usage: str
    open: Callable[[ControllerRequest], ScanController]
    options: frozenset[str] = frozenset()


_BUILT_IN: Final[dict[str, _BuiltIn]] = {
    "virtual": _BuiltIn("virtual", _virtual, frozenset({"specimen", *(part.name for part in fields(VirtualOptions))})),
    "obi": _BuiltIn("obi://HOST:PORT", _obi, frozenset({"coil_tau", "profile", "round_dwell", "detector"})),
    "replay": _BuiltIn("replay:STORE", _replay),
}

_PLUGINS: Final = PluginKind("controller", "stemscan.controllers", lambda: _BUILT_IN)

_FLAGS: Final = {"value_range": "--range", "settings": "--set"}
