"""`stemscan methods`: the methods of reconstruction, and the settings of one."""

from __future__ import annotations

from typing import Annotated

from stemscan.cli.common import JsonOption, Talk, table
from stemscan.cli.completing import complete_methods
from stemscan.cli.options import argument

__all__ = ["EXAMPLES", "methods"]

EXAMPLES = """
stemscan methods
stemscan methods fourier-eb
"""


def methods(
    name: Annotated[
        str | None,
        argument("NAME|FILE.py:FUNCTION", "Method whose settings are shown.", complete=complete_methods),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the methods of reconstruction, or the settings of one."""
    from stemscan.recon.listing import described, known_methods, setting_lines
    from stemscan.recon.registry import PLUGINS, method_of

    talk = Talk(as_json=as_json)
    if name is None:
        known = known_methods()
        unusable = PLUGINS.unusable()
        more = [
            *(f"Not usable: {reason}" for reason in unusable),
            "",
            "Settings of one: stemscan methods NAME. A method of your own: --method FILE.py:FUNCTION.",
        ]
        talk.result({"methods": known, "unusable": unusable}, [*table(list(known.items())), *more])
    else:
        method = method_of(name)
        talk.result(described(method), [f"{method.name}: {method.description}", *setting_lines(method)])
