"""A plan's plain data as the text of a plan file: small mappings and lists on one line each."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["normalised", "written"]


def normalised(value: Any) -> Any:
    """Write whole numbers as integers, so that 10 and 10.0 are the same plan."""
    if isinstance(value, dict):
        return {key: normalised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalised(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


class _Dumper(yaml.SafeDumper):
    """Writes the small mappings of a plan on one line each."""


class _Inline(dict):  # type: ignore[type-arg]
    """A mapping that is written on one line."""


_Dumper.add_representer(
    _Inline, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
_Dumper.add_representer(
    list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def _for_yaml(value: Any) -> Any:
    """Mark inner mappings as one-line ones."""
    return _Inline({key: _for_yaml(item) for key, item in value.items()}) if isinstance(value, dict) else value


def written(data: dict[str, Any]) -> str:
    """YAML of a mapping, its inner mappings and lists on one line each."""
    lines = {key: _for_yaml(value) for key, value in data.items()}
    return str(yaml.dump(lines, Dumper=_Dumper, sort_keys=False, width=120))
