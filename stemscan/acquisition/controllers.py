"""Controllers by name: what a factory of another package gets, and what it must give.

A package names its factory in the group `stemscan.controllers` of its entry points; in a file of one's own it is
``file.py:function``. It takes a `ControllerRequest` and returns a `ScanController`. In Python, the controller itself is
handed to `stemscan.acquisition.session.acquire`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stemscan.acquisition.reports import MEMBERS, controller_errors
from stemscan.acquisition.scan_controller import ScanController
from stemscan.acquisition.timed_controller import aside
from stemscan.errors import ControllerError, PluginError, StemscanError

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.plugins.plugin import Plugin

__all__ = ["ControllerRequest", "close_controller", "open_plugin"]


@dataclass(frozen=True)
class ControllerRequest:
    """A controller that is asked for.

    Parameters
    ----------
    plan : ScanPlan
        Plan of the scan.
    address : str
        Text behind the name and a colon, as ``//127.0.0.1:2224`` of ``mine://127.0.0.1:2224``; empty where nothing
        does.
    options : mapping
        By name; of a plug-in, the texts given as ``--set NAME=VALUE``.
    timeout_s : float
        Longest silence of the controller in seconds.
    connect : bool
        False where the store is complete already: only `capabilities` and `detector` will be asked.
    warn : callable
        Takes a sentence that the user should read.
    """

    plan: ScanPlan
    address: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 30.0
    connect: bool = True
    warn: Callable[[str], None] = lambda _: None


def open_plugin(plugin: Plugin, request: ControllerRequest) -> ScanController:
    """The controller that a plug-in makes.

    Parameters
    ----------
    plugin : Plugin
        Found by `stemscan.plugins`.

    Raises
    ------
    PluginError
        When its code cannot be imported or fails, or makes something else; the message names it.
    ControllerError
        When it is not open in time, or as the plug-in raises it.
    UsageError
        As the plug-in raises it.
    """
    factory = plugin.load()
    opening = aside(lambda: factory(request), "open")
    try:
        made = opening.result(request.timeout_s)
        missing = [name for name in MEMBERS if not hasattr(made, name)]
    except StemscanError:
        raise
    except (Exception, SystemExit) as problem:
        if not opening.done():
            raise ControllerError(
                f"expected {plugin} to open within {request.timeout_s:g} s, got no answer; check the hardware, or give "
                "it more time with --timeout"
            ) from None
        raise PluginError(
            f"expected {plugin} to open, got {plugin.blame(problem)}; report it to its authors"
        ) from problem
    if missing or not isinstance(made, ScanController):
        raise PluginError(
            f"expected {plugin} to make a ScanController, got {type(made).__name__} without {', '.join(missing)}; "
            "report it to its authors"
        )
    return made


def close_controller(controller: ScanController) -> None:
    """Release a controller.

    Raises
    ------
    ControllerError
        When it fails; the message names it.
    """
    with controller_errors(controller):
        controller.close()
