"""Tables of numbers in text files of every dialect: read back equal, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stemscan.errors import DataError
from stemscan.files.tables import read_table, split_names

NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(float),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 4)),
    st.floats(allow_infinity=False),
)
TABLES = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(NUMBERS, min_size=n, max_size=n), min_size=1, max_size=6)
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]


def saved(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def field(number: float, *, comma: bool, quotes: bool) -> str:
    text = repr(int(number)) if number == number and number.is_integer() and abs(number) < 1e15 else repr(number)
    text = text.replace(".", ",") if comma else text
    return f'"{text}"' if quotes else text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    rows=TABLES,
    separator=st.sampled_from(["\t", ";", ",", " ", "|", "; ", ", ", "   ", " \t"]),
    comma=st.booleans(),
    quotes=st.booleans(),
    header=st.booleans(),
    trailing=st.booleans(),
    ended=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(ENCODINGS),
    remark=st.sampled_from(["", "# über x\n", "% made by hand\n\n"]),
)
def test_what_is_written_in_any_dialect_is_read_back(
    tmp_path: Path,
    rows: list[list[float]],
    separator: str,
    comma: bool,
    quotes: bool,
    header: bool,
    trailing: bool,
    ended: bool,
    end: str,
    encoding: str,
    remark: str,
) -> None:
    comma = comma and (quotes or separator.strip() != ",")
    lines = [separator.join(field(x, comma=comma, quotes=quotes) for x in row) for row in rows]
    names = [f"column{i}" for i in range(len(rows[0]))]
    if header:
        lines.insert(0, separator.join(f'"{name}"' if quotes else name for name in names))
    if trailing and len(rows[0]) > 1:
        lines = [line + separator for line in lines]
    text = remark + "\n".join(lines) + "\n" * ended
    path = saved(tmp_path / "a.csv", text.replace("\n", end), encoding)
    try:
        table = read_table(path)
    except DataError as problem:
        assert comma, problem  # 1,234 alone may be 1.234 or 1234, and 1,5 in one column is two
        assert any(word in str(problem) for word in ("thousands", "between columns", "name", "read with", "points"))
        return
    if comma and not quotes and len(rows[0]) == 1 and table.values.shape[1] == 2:
        return  # "1,2" is two columns
    np.testing.assert_array_equal(table.values, np.array(rows))
    assert table.names == (tuple(names) if header else None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="0123456789.,;-\t\n \"eE#xyna|'", max_size=40)))
def test_any_text_is_read_or_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    try:
        table = read_table(saved(tmp_path / "a.csv", text, "utf-8"))
    except DataError as problem:
        assert "\n" not in str(problem)
        assert "a.csv" in str(problem)
    else:
        assert table.values.ndim == 2


SAME: npt.NDArray[np.float64] = np.array([[3.0, 20.5], [7.25, 10.0]])


@pytest.mark.parametrize(
    "text",
    [
        "row;column\n3,0;20,5\n7,25;10,0\n",
        "row\tcolumn\n3\t20.5\n7.25\t10\n",
        "row,column,\n3,20.5,\n7.25,10,\n",
        '"row","column"\n"3","20,5"\n"7,25","10"\n',
        "row column\n 3   20,5\n 7,25 10\n",
        "row, column\n3, 20.5\n7.25, 10\n",
        "# row,column\n3 20.5\n7.25 10",
        "3;20,5;\n7,25;10;\n",
        "3,20.5 # first\n\n7.25,10 # second\n",
        "Zeile;Gr\u00f6\u00dfe\r\n3;20,5\r\n7,25;10",
        "3;20,5\n7,25;10,000\n",  # a comma that is proven to be a decimal sign is one everywhere
    ],
)
def test_dialects_of_the_wild(tmp_path: Path, text: str) -> None:
    for encoding in ("utf-8", "utf-16", "latin-1"):
        np.testing.assert_array_equal(read_table(saved(tmp_path / "a.txt", text, encoding)).values, SAME)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,234;5,678\n2,345;1,000\n", "'1,234', whose comma may be a decimal sign or stand between thousands"),
        ('"1,234","5,678"\n', "between thousands"),
        ("1.5;2\n1,5;2\n", "points as well as commas"),
        ("1.234,5;2\n", "'1.234,5' in line 1"),
        ("1;2\n3;4;5\n", "3 columns in line 2 and 2 before, read with semicolons"),
        ("1,2\n3,x\n", "'x' in line 2, read with commas between columns"),
        ("1,2\n3,\n", "1 column in line 2 and 2 before"),
        ("1,2\n3\n", "1 column in line 2 and 2 before"),
        ("1,2\n,3\n", "'' in line 2"),
        ("1,2\n\n# a\n3,1_000\n", "'1_000' in line 4"),
        ("a,b,c\n1,2\n", "'a,b,c', that does not name 2 columns"),
        ("a,b\n1,5,2,5\n", "that does not name 4 columns"),
        ("a,b\npx,px\n1,2\n", "'px' in line 2"),
        ("row,column\n", "'row,column' in line 1 and no numbers below"),
        ("# nothing\n", "no numbers"),
        ("", "no numbers"),
        ('1,"2\n', "'\"2' in line 1"),
        ("1,2\n3\x004", r"character '\\x00' in line 2; it is a binary file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=f"a.csv'.*{words}"):
        read_table(saved(tmp_path / "a.csv", text))


def test_a_last_line_needs_no_end(tmp_path: Path) -> None:
    table = read_table(saved(tmp_path / "a.csv", "x,y\n1.5,2"))
    assert (table.names, table.values.tolist()) == (("x", "y"), [[1.5, 2]])
    assert read_table(saved(tmp_path / "a.csv", "7")).values.tolist() == [[7]]


def test_names_of_columns() -> None:
    assert split_names("x (nm)\ty (nm)", 2, "\t") == ("x (nm)", "y (nm)")
    assert split_names("# row  column", 3) is not None
    assert split_names("a b", 3) is None


def test_a_later_batch_is_read_as_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.files.text._CHARACTERS", 16)
    rows = [(i, 2.5 * i) for i in range(50)]
    path = saved(tmp_path / "a.csv", "".join(f"{a};{b}\n" for a, b in rows).replace(".", ","))
    np.testing.assert_array_equal(read_table(path).values, np.array(rows))
    saved(path, "a;b\n" + "1;2\n" * 30 + "1;2.5\n" + "1;2\n" * 9 + "2,5;3\n")
    with pytest.raises(DataError, match="points as well as commas"):
        read_table(path)
    saved(path, "1;2\n" * 30 + "1;x\n")
    with pytest.raises(DataError, match="'x' in line 31"):
        read_table(path)


def test_sparse_files_and_long_lines_are_refused_at_once(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.csv", "1,2\n3,4\n")
    with path.open("r+b") as file:
        file.truncate(1 << 36)
    with pytest.raises(DataError, match="binary file"):
        read_table(path)
    with pytest.raises(DataError, match="at most 3 numbers"):
        read_table(saved(path, "1,2\n3,4\n"), most=3)
    with pytest.raises(DataError, match="3 columns .*, got 2"):
        read_table(path, columns=3)
