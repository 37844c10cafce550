"""Tables of numbers in text files, in whatever dialect: csv, tsv, txt, of any spreadsheet or program.

Columns are separated by tabs, semicolons, bars, commas or blanks, the decimal sign is a point or a comma, the encoding
is found out (`stemscan.files.text`), numbers may stand in quotes, and a line may end with a separator. Lines that
begin with # or % are comments. One line of names may stand above the numbers, also as the last comment before them.
Whatever can be read in two ways is refused with a sentence that says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.files.dialect import (
    SEPARATORS,
    Dialect,
    Separator,
    dialects_of,
    fields_of,
    is_number,
    may_be_thousands,
)
from stemscan.files.text import batches_of_lines
from stemscan.units import counted

__all__ = ["Table", "read_table", "split_names"]

_SAMPLE_LINES: Final = 100
_SAMPLE_CHARACTERS: Final = 20_000
_BOTH_SIGNS: Final = "got points as well as commas in numbers; write decimal points and no signs between thousands"
_COMMENT = re.compile(r"\s*[#%]")
_NAME = re.compile(r"[^\s\[({]+(?:\s*[\[({][^\])}]*[\])}])?")
_WITH_COMMA = re.compile(r"[^\s;|]*,[^\s;|]*")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Contents of a text file.

    Attributes
    ----------
    values : ndarray of float64, (rows, columns)
        NaN where the file says nan.
    names : tuple of str or None
        Of the columns, where there is a line of names.
    remarks : tuple of str
        Comments above the numbers that are no line of names.
    """

    values: Numbers
    names: tuple[str, ...] | None
    remarks: tuple[str, ...] = ()


def read_table(path: Path, *, most: int | None = None, columns: int | None = None) -> Table:
    """Read a table.

    Parameters
    ----------
    most : int, optional
        Largest number of numbers; more are refused before they are all read.
    columns : int, optional
        Number of columns; others are refused by the first lines.

    Raises
    ------
    DataError
        When the file is no such table; the message says what was expected, the line, and what to do.
    OSError
        When the system refuses to read it.
    """
    reader = _Reader(path)
    parts: list[Numbers] = []
    count = 0
    for part in reader.parts():
        count += part.size
        if most is not None and count > most:
            raise DataError(f"expected at most {counted(most, 'number')} in {str(path)!r}, got more; check the file")
        if columns is not None and part.shape[1] != columns:
            raise DataError(
                f"expected {counted(columns, 'column')} in {str(path)!r}, got {part.shape[1]}; check the file"
            )
        parts.append(part)
    if not parts:
        raise DataError(f"expected a table of numbers in {str(path)!r}, got no numbers; check the file")
    return Table(parts[0] if len(parts) == 1 else np.concatenate(parts), reader.names, tuple(reader.remarks))


class _Reader:
    """One reading of a file, batch by batch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: tuple[str, ...] | None = None
        self.remarks: list[str] = []
        self._separator: Separator = None
        self._columns = 0
        self._points = self._commas = self._is_decimal = False
        self._grouped = ""

    def parts(self) -> Iterator[Numbers]:
        """Numbers of each batch, (rows, columns).

        Raises
        ------
        DataError
        """
        first = 1
        waiting: list[tuple[int, str]] = []
        for batch in batches_of_lines(self.path):
            lines = waiting + self._content(batch, first)
            first += len(batch)
            waiting = lines if not self._columns and len(lines) < 2 else []  # names, maybe, and their numbers to come
            if lines and not waiting:
                yield self._numbers(lines if self._columns else self._begin(lines))
        if waiting:
            yield self._numbers(self._begin(waiting))
        if self._commas and not self._is_decimal:
            raise self._error(
                f"got {self._grouped!r}, whose comma may be a decimal sign or stand between thousands; write decimal "
                "points and no signs between thousands"
            )

    def _content(self, batch: list[str], first: int) -> list[tuple[int, str]]:
        """Lines that are neither empty nor comments, with their numbers."""
        content = []
        for number, line in enumerate(batch, first):
            if _COMMENT.match(line):
                if not self._columns:
                    self.remarks.append(line.strip().lstrip("#%").strip())
            else:
                text = line.partition("#")[0]
                if text.strip():
                    content.append((number, text))
        return content

    def _begin(self, lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Find out the dialect and take off the line of names."""
        header = lines[0][1] if _has_no_number(lines[0][1]) else None
        body = lines if header is None else lines[1:]
        if not body:
            raise self._error(f"got {_shown(lines[0][1])} in line {lines[0][0]} and no numbers below; check the file")
        sample: list[str] = []
        for _, line in body[:_SAMPLE_LINES]:
            if len(sample) > 1 and sum(map(len, sample)) + len(line) > _SAMPLE_CHARACTERS:
                break
            sample.append(line)
        found = dialects_of(sample)
        if len(found) > 1:
            raise self._error(
                f"got lines that can be read with {' or with '.join(map(str, found))} ({_shown(sample[0])}); separate "
                "columns by semicolons or tabs"
            )
        if not found:
            raise self._blame(body, _likely(sample))
        self._separator = found[0].separator
        self._columns = len(fields_of(sample[0], self._separator))
        if header is not None:
            self.names = split_names(header, self._columns, self._separator)
            if self.names is None:
                raise self._error(
                    f"got a line of names, {_shown(header)}, that does not name {counted(self._columns, 'column')} as "
                    f"the numbers below have, read with {found[0]}; correct the names or the numbers"
                )
        return body

    def _numbers(self, lines: list[tuple[int, str]]) -> Numbers:
        """Numbers of lines, in the dialect that was found."""
        separator: str | None = self._separator
        texts = [line for _, line in lines]
        text = "\n".join(texts)
        if '"' in text:
            text = "\n".join("\t".join(fields_of(line, self._separator)) for line in texts)
            separator = "\t"
        elif separator is not None:
            text = "\n".join(line.rstrip(" ").removesuffix(separator) for line in texts)
        if separator != ",":
            text = self._with_points(text)
        try:
            values = np.asarray(
                np.loadtxt(text.replace("\u2212", "-").split("\n"), delimiter=separator, comments=None, ndmin=2)
            )
        except ValueError as problem:
            raise self._blame(lines, self._separator) from problem
        if values.shape != (len(lines), self._columns):
            raise self._blame(lines, self._separator)
        return values

    def _with_points(self, text: str) -> str:
        """Text with decimal points; decimal signs of both kinds are refused."""
        self._points |= "." in text
        if "," in text:
            self._commas = True
            if not self._is_decimal:
                with_comma = _WITH_COMMA.findall(text)
                self._grouped = with_comma[0]
                self._is_decimal = not all(map(may_be_thousands, with_comma))
        if self._points and self._commas:
            raise self._error(_BOTH_SIGNS)
        return text.replace(",", ".")

    def _blame(self, lines: Sequence[tuple[int, str]], separator: Separator) -> DataError:
        """Fault of the first line that has one."""
        columns = self._columns or len(fields_of(lines[0][1], separator))
        by = _in_words(separator)
        for number, line in lines:
            fields = fields_of(line, separator)
            for field in fields:
                if not (is_number(field, comma=False) or (separator != "," and is_number(field, comma=True))):
                    return self._error(
                        f"got {_shown(field)} in line {number}, read with {by} between columns; write numbers alone, "
                        "and nan where there is none"
                    )
            if len(fields) != columns:
                return self._error(
                    f"got {counted(len(fields), 'column')} in line {number} and {columns} before, read with {by} "
                    "between columns; give every line as many"
                )
        return self._error(_BOTH_SIGNS)

    def _error(self, what: str) -> DataError:
        """An error that names the file."""
        return DataError(f"expected a table of numbers in {str(self.path)!r}, {what}")


def split_names(line: str, columns: int, first: Separator = None) -> tuple[str, ...] | None:
    """Names of so many columns in a line, however they are separated; None where they are not as many.

    Examples
    --------
    >>> split_names("x [nm], y [nm]", 2), split_names("x [nm] y [nm]", 2), split_names("x;y;z", 2)
    (('x [nm]', 'y [nm]'), ('x [nm]', 'y [nm]'), None)
    >>> split_names("mean signal", 1), split_names("x, y", 1)
    (('mean signal',), None)
    """
    if columns == 1 and any(len(fields_of(line, separator)) > 1 for separator in SEPARATORS if separator is not None):
        return None
    for separator in (first, *SEPARATORS):
        names = _NAME.findall(line.replace('"', " ")) if separator is None else fields_of(line, separator)
        names = [name.strip(" ,;'\"") for name in names]
        if len(names) == columns and all(names):
            return tuple(names)
    return None


def _has_no_number(line: str) -> bool:
    """Tell whether no field of a line is a number, however they are separated."""
    return not any(
        is_number(field, comma=comma)
        for separator in SEPARATORS
        for field in fields_of(line, separator)
        for comma in (False, True)
    )


def _likely(lines: Sequence[str]) -> Separator:
    """Likely separator of the columns of lines that are no numbers."""
    return next((one for one in SEPARATORS if one is not None and one in lines[0]), None)


def _in_words(separator: Separator) -> str:
    """A separator for people."""
    return str(Dialect(separator, comma=False)).partition(" ")[0]


def _shown(text: str) -> str:
    """The beginning of a text, in quotes."""
    return repr(text.strip()[:40])
