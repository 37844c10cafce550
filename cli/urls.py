"""Refusal of URLs where a command takes paths of this machine alone, before it does anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["HereOnly"]


class HereOnly:
    """Base of commands: they take URLs where they say so, and there, these have become an `ObjectPath` by now."""

    params: list[Any]

    def invoke(self, ctx: Any) -> Any:
        """Refuse URLs elsewhere, and do what the command does."""
        from stemscan.errors import UsageError
        from stemscan.objects.path import ObjectPath, as_path, is_url

        for given in self.params:
            value = ctx.params.get(given.name)
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, str | Path) and not isinstance(one, ObjectPath) and is_url(one):
                    name = given.opts[0] if given.param_type_name == "option" else given.metavar or given.name.upper()
                    raise UsageError(
                        f"{name}: expected a path of this machine, got {str(as_path(one))!r}: {ctx.command_path} takes "
                        "no URL there; copy it, and give the path of the copy"
                    )
        return super().invoke(ctx)  # type: ignore[misc]
