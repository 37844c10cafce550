"""One sentence for a plan that pydantic refuses: the key, the value, what was expected, the line, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from stemscan.files.yaml_model import expectation, key_path, shortened, with_line, yaml_hint

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["describe"]

Location = tuple[str | int, ...]
_KINDS = tuple(
    "block-random raster serpentine uniform line-hop spiral lissajous blue-noise hilbert random-walk interleaved list "  # noqa: SIM905
    "polygon image".split()
)
_EXAMPLES = {"dose": "{electrons_per_sample: 10}", "limits": "{max_dose_e_per_A2: 500}"}
_KNOWN_KEYS = frozenset(
    "version pattern shape passes repeat order dwell_ns dose pixel_size_nm seed limits kind block samples_per_block "  # noqa: SIM905
    "ratio height pitch spacing cycles step row_stride column_stride file sha256 samples pixels points region "
    "max_jump_px settle time_constant_ns tolerance_px per_jump electrons_per_sample total_electrons probe_current_pa "
    "collection max_dose_e_per_A2".split()
)


def describe(problem: ValidationError, data: Any, lines: Mapping[Location, int]) -> str:
    """Describe the first of pydantic's errors in one sentence and count the others.

    Parameters
    ----------
    problem : pydantic.ValidationError
        What validation raised.
    data : object
        The plain data that was validated.
    lines : mapping
        Line of each path of keys, where the data came from a file.
    """
    errors = sorted(problem.errors(include_url=False), key=lambda error: error["type"] != "extra_forbidden")
    sentence = _sentence(errors[0], lines)
    more = len(errors) - 1
    return sentence + (f" (and {more} more)" if more else "")


def _sentence(error: ErrorDetails, lines: Mapping[Location, int]) -> str:
    """Describe one error."""
    location = tuple(part for part in error["loc"] if part not in _KINDS)
    key = key_path(location) or "plan"
    line = next((lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines), None)
    where = f"{key} (line {line})" if line is not None else key
    kind = error["type"]
    if kind == "value_error":
        message = str(error["ctx"]["error"])
        return with_line(message, lines) if message.startswith(f"{key}:") or not location else f"{where}: {message}"
    if kind == "extra_forbidden":
        suggestion = _suggestion(str(location[-1]))
        return f"{where}: expected a key that plans have, got {key!r};{suggestion} remove or correct it"
    if location[:1] == ("shape",):
        whole = where.replace(key, "shape")
        found = shortened(error["input"])
        return f"{whole}: expected [rows, columns], whole numbers from 1 to 65536, got {found}; correct it"
    if kind == "missing":
        return f"{where}: expected this key, got none; add it"
    return f"{where}: expected {_expected(error)}, got {shortened(error['input'])}{yaml_hint(error)}"


def _suggestion(key: str) -> str:
    """Name the known key that a mistyped one resembles."""
    matches = get_close_matches(key, _KNOWN_KEYS, n=1)
    return f" did you mean {matches[0]!r}?" if matches else ""


def _expected(error: ErrorDetails) -> str:
    """What would have been right, from pydantic's message."""
    context = error.get("ctx", {})
    if error["type"] == "union_tag_invalid":
        return f"kind to be one of {context['expected_tags']}"
    if error["type"] == "union_tag_not_found":
        return f"a mapping with a kind, one of {', '.join(_KINDS)}"
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"a mapping such as {_EXAMPLES.get(str(error['loc'][0]), '{kind: raster}')}"
    return expectation(error)
