"""Forms of a plan: plain data, the text of a plan file, the file itself, the digest."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from stemscan.arguments import file_path
from stemscan.errors import PlanError, refusal
from stemscan.files.opening import require_file
from stemscan.files.strict_yaml import MAX_BYTES, YamlProblem, parse
from stemscan.files.writing import write_text
from stemscan.plan.messages import Lines
from stemscan.plan.value import PlanValue
from stemscan.plan.yaml_text import written

__all__ = ["PlanForms"]


class PlanForms(PlanValue):
    """Base of a value that stands in a file of its own."""

    required_in_files: ClassVar[tuple[str, ...]] = ()
    """Keys that a file must have."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain data with defaults left out and numbers normalised; `from_dict` is the inverse."""

    @abstractmethod
    def file_dict(self) -> dict[str, Any]:
        """Plain data as a file states it."""

    @abstractmethod
    def check_files(self, folder: Path) -> None:
        """Refuse a value whose files, found from `folder`, are missing or not what it states."""

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits, of the canonical JSON of `to_dict`, names of files left out."""
        data = self.to_dict()
        for part in ("pattern", "region"):
            data.get(part, {}).pop("file", None)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """The plan as the text of a plan file, in the order of the fields."""
        data = self.file_dict()
        return written({name: data[name] for name in type(self).model_fields if name in data})

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Make a plan from plain data.

        Raises
        ------
        PlanError
            When a key or value is not one of a plan; `DoseLimitError` when the plan exceeds its own limit.
        """
        return cls._validated(data, {})

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "plan") -> Self:
        """Read the text of a plan file; `source` names it in errors.

        Raises
        ------
        PlanError
            When the text is not a plan; the message names the key, the value, what was expected and the line.
        """
        try:
            data, lines = parse(text)
            return cls._validated(data, lines, required=cls.required_in_files)
        except YamlProblem as problem:
            raise PlanError(f"{source}: {problem}") from problem
        except PlanError as problem:
            raise type(problem)(f"{source}: {problem}") from problem.__cause__

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a plan file.

        Raises
        ------
        InputNotFoundError
            When there is no such file, or a file that the plan names is not there.
        PlanError
            When the file is not a plan, or a file that it names holds something else than it states.
        """
        path = file_path(path, "a plan file")
        require_file(path, "a plan file", PlanError)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            plan = cls.from_yaml(raw.decode(), source=str(path))
        except UnicodeDecodeError as problem:
            raise PlanError(
                f"{path}: expected a text file in UTF-8, got other bytes at offset {problem.start}"
            ) from problem
        except OSError as problem:
            raise PlanError(f"{path}: expected a readable plan file, got: {refusal(problem)}") from problem
        plan.check_files(path.parent)
        return plan

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the plan file; whole or not at all.

        Raises
        ------
        OutputExistsError
            When the file is there and `overwrite` is false.
        InputNotFoundError
            When the parent folder does not exist.
        """
        write_text(file_path(path, "the new plan file"), self.to_yaml(), overwrite=overwrite)

    @classmethod
    def _validated(cls, data: Any, lines: Lines, required: tuple[str, ...] = ()) -> Self:
        """Validate plain data, turning pydantic's errors into one sentence."""
        if not isinstance(data, dict):
            raise PlanError(
                f"expected a mapping with the keys {', '.join(cls.required_in_files)}, got "
                f"{'nothing' if data is None else type(data).__name__}"
            )
        missing = [key for key in required if key not in data]
        if missing and set(data) <= set(cls.model_fields):  # an unknown key is likely the missing one, mistyped
            raise PlanError(f"expected the key {', '.join(missing)}, got a plan without; add it")
        return cls.model_validate(data, lines=lines)
