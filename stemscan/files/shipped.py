"""Settings files that come with the package, chosen by name, beside files of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.arguments import file_path
from stemscan.errors import InputNotFoundError, StemscanError, remedy_for
from stemscan.files.yaml_model import model_from_file, model_from_yaml

if TYPE_CHECKING:
    from stemscan.files.yaml_model import Model

__all__ = ["ShippedFiles"]


@dataclass(frozen=True)
class ShippedFiles:
    """YAML files in a folder of a package, named without their suffix.

    Parameters
    ----------
    what : str
        Name of such a file in messages: "controller profile".
    """

    package: str
    folder: str
    what: str

    def names(self) -> tuple[str, ...]:
        """Names in alphabetical order."""
        found = (Path(entry.name) for entry in files(self.package).joinpath(self.folder).iterdir())
        return tuple(sorted(path.stem for path in found if path.suffix == ".yaml"))

    def text(self, name: str) -> str:
        """Text of the file of a name.

        Raises
        ------
        InputNotFoundError
            When there is none of that name.
        """
        names = self.names()
        if name not in names:
            remedy = remedy_for(name, names, "correct the name or the path")
            raise InputNotFoundError(f"expected a {self.what} of {', '.join(names)}, or a file, got {name!r}; {remedy}")
        return files(self.package).joinpath(self.folder, f"{name}.yaml").read_text(encoding="utf-8")

    def model(self, model: type[Model], name: str | Path, *, error: type[StemscanError]) -> Model:
        """Settings of a name, whatever files there are, or else of a file.

        Raises
        ------
        InputNotFoundError
            When it is neither.
        StemscanError
            `error`, when the file is none; with the key, what was expected and the line.
        """
        path = file_path(name, f"a {self.what}, or its name")
        is_file = path.suffix in (".yaml", ".yml") or path.is_file()
        if isinstance(name, str) and (name in self.names() or not is_file):
            return model_from_yaml(model, self.text(name), what=self.what, source=name, error=error)
        return model_from_file(model, path, what=self.what, error=error)
