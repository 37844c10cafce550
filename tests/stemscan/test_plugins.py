"""Plug-ins: found by name, file or object, imported late, and named in every error."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stemscan.errors import InputNotFoundError, PluginError, UsageError
from stemscan.plugins.kind import PluginKind, split_plugin
from stemscan.plugins.plugin import Plugin
from tests.plugin_kit import install

KIND = PluginKind("method", "stemscan.tests", lambda: ("linear", "constant"))


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def installed(folder: Path, package: str, points: str, **modules: str) -> None:
    """A package with entry points of `KIND`."""
    install(folder, package, KIND.group, points, **modules)


def found(text: str) -> Plugin:
    plugin = KIND.find(text)
    assert plugin is not None
    return plugin


# ---------------------------------------------------------------------- found


def test_a_function_of_a_file_and_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "weighing.py").write_text("POWER = 2\n")
    (tmp_path / "mine.py").write_text(
        "import weighing\n\ndef power():\n    import late\n    return weighing.POWER + late.ONE\n"
    )
    (tmp_path / "late.py").write_text("ONE = 1\n")
    plugin = found(f"{tmp_path / 'mine.py'}:power")
    assert (str(plugin), plugin.origin) == ("method mine.py:power", f"file {str(tmp_path / 'mine.py')!r}")
    assert plugin.load()() == 3
    assert plugin.load() is plugin.load()


def test_files_of_one_name_and_neighbours_of_one_name_keep_apart(tmp_path: Path) -> None:
    loaded = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "beside_of_both.py").write_text(f"NUMBER = {number}\n")
        (folder / "mine.py").write_text("import beside_of_both\n\ndef number(): return beside_of_both.NUMBER\n")
        loaded.append(found(f"{folder / 'mine.py'}:number").load())
    assert [function() for function in loaded] == [1, 2]


def test_a_file_that_has_changed_is_imported_anew_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "changing.py").write_text("VALUE = 1\n")
    (tmp_path / "mine.py").write_text("import changing\n\ndef value(): return changing.VALUE\n")
    text = f"{tmp_path / 'mine.py'}:value"
    assert found(text).load()() == 1
    (tmp_path / "changing.py").write_text("VALUE = 2222\n")
    assert found(text).load()() == 2222


def test_neighbours_imported_inside_functions_are_each_files_own_and_read_anew(tmp_path: Path) -> None:
    code = "def number():\n    import hq\n    from parts import size\n    import deep.er as e\n"
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "parts").mkdir(parents=True)
        (folder / "deep").mkdir()
        (folder / "hq.py").write_text(f"NUMBER = {number}\n")
        (folder / "parts" / "__init__.py").write_text("")
        (folder / "parts" / "size.py").write_text("from . import __name__\nfrom hq import NUMBER as SIZE\n")
        (folder / "deep" / "er.py").write_text("import hq\nDEEP = hq.NUMBER\n")
        (folder / "mine.py").write_text(f"{code}    return hq.NUMBER, size.SIZE, e.DEEP\n")
    first, second = (found(f"{tmp_path / str(number) / 'mine.py'}:number") for number in (1, 2))
    assert [one.load()() for one in (first, second, first)] == [(1, 1, 1), (2, 2, 2), (1, 1, 1)]
    (tmp_path / "1" / "hq.py").write_text("NUMBER = 9\n")
    assert (first.load()(), second.load()()) == ((9, 9, 9), (2, 2, 2))
    assert "hq" not in sys.modules


def test_an_entry_point_of_a_package(tmp_path: Path) -> None:
    installed(
        tmp_path, "found-here", "idw = found_here:Idw.run", found_here="class Idw:\n    run = staticmethod(len)\n"
    )
    plugin = found("idw")
    assert (plugin.name, plugin.origin) == ("idw", "package found-here 1.2 (found_here:Idw.run)")
    assert plugin.load() is len
    assert KIND.installed() == {"idw": "package found-here 1.2 (found_here:Idw.run)"}


def test_an_object() -> None:
    assert KIND.of_object(test_an_object).name == "test_an_object"
    assert KIND.of_object(partial(found, "x")).name == "found"
    assert KIND.of_object(test_an_object).load() is test_an_object
    assert len(KIND.of_object(test_an_object).digest()) == 64
    assert KIND.of_object(len).digest() == ""
    with pytest.raises(UsageError, match=r"expected method to be a name, file.py:function or a function, got int 3"):
        KIND.of_object(3)


def test_built_in_names_are_none() -> None:
    assert KIND.find("linear") is None


def test_nothing_is_imported_to_find(tmp_path: Path) -> None:
    installed(tmp_path, "unseen-package", "unseen = unseen_module:run", unseen_module="raise SystemExit(3)\n")
    (tmp_path / "unseen_file.py").write_text("raise SystemExit(3)\n")
    assert found("unseen").name == "unseen"
    assert found(f"{tmp_path / 'unseen_file.py'}:run").digest()
    code = "import sys, stemscan.plugins.kind; print({'importlib.metadata', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("magic", r"expected method to be one of linear, constant, idw or file\.py:function, got 'magic'"),
        ("mine.py", r"expected method as file\.py:function, got 'mine.py'; write mine\.py:method"),
        (
            "twice",
            r"one method of the name twice, got that of package a 1\.2 \(a:f\) and that of package b",
        ),
    ],
)
def test_names_that_cannot_be_meant(tmp_path: Path, text: str, words: str) -> None:
    installed(tmp_path / "1", "a", "twice = a:f\nidw = a:f")
    installed(tmp_path / "2", "b", "twice = b:f\nlinear = b:f")
    with pytest.raises(UsageError, match=words):
        KIND.find(text)


def test_the_built_in_one_comes_first_and_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    installed(tmp_path / "1", "a", "twice = a:f\nidw = a:f\nbadval = !!\nnocolon = weird")
    installed(tmp_path / "2", "b", "twice = b:f\nlinear = b:f")
    assert KIND.find("linear") is KIND.find("constant") is None
    assert KIND.shadows("constant") == ""
    assert "the built-in one, which is taken, and that of package b 1.2 (b:f); unin" in KIND.shadows("linear")
    assert list(KIND.installed()) == ["idw"]
    assert [reason.split(", got")[0] for reason in KIND.unusable()] == [
        "expected method badval as module:function",
        "expected one method of the name linear",
        "expected method nocolon as module:function",
        "expected one method of the name twice",
    ]
    for name in ("badval", "nocolon"):
        with pytest.raises(PluginError, match=r"as module:function, got that of package a 1\.2 \((!!|weird)\); report"):
            KIND.find(name)


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputNotFoundError, match=r"file of method sub/no\.py:run, got none at .*no\.py'; check"):
        KIND.find("sub/no.py:run")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (
            "def other(): ...\nclass One: ...\n",
            UsageError,
            r"mine\.py:run to be in .*, got no 'run' there; it has other, One",
        ),
        ("run = 3\n", UsageError, r"expected method mine\.py:run to be a function, got int"),
        (
            "\nimport no_such_module\n",
            PluginError,
            r"NotFoundError: .*no_such_module', line 2 of .*mine\.py; mend",
        ),
        (
            "import broken_neighbour\n",
            PluginError,
            r"got ZeroDivisionError: .*, line 3 of .*neighbour\.py;",
        ),
        ("def run(:\n", PluginError, r"SyntaxError: invalid syntax, line 1 of .*mine\.py; mend it"),
        (
            "raise SystemExit\n",
            PluginError,
            r"import method mine\.py:run from file '.*mine\.py', got SystemExit, line 1",
        ),
        ("\0", PluginError, r"method mine\.py:run .*null bytes"),
        ("'\udcff'", PluginError, r"method mine\.py:run .*SyntaxError"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, code: str, kind: type[Exception], words: str) -> None:
    (tmp_path / "broken_neighbour.py").write_text("\n\n1 / 0\n")
    (tmp_path / "mine.py").write_bytes(code.encode("utf-8", "surrogateescape"))
    with pytest.raises(kind, match=words) as caught:
        found(f"{tmp_path / 'mine.py'}:run").load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("", UsageError, r"expected method idw to be in '.*wrong_entry\.py', got no 'run' there; rep"),
        (
            "\nimport no_such\n",
            PluginError,
            r"method idw from package wrong 1\.2 \(wrong_entry:run\), got .*line 2 of",
        ),
    ],
)
def test_what_is_wrong_with_a_package(tmp_path: Path, code: str, kind: type[Exception], words: str) -> None:
    installed(tmp_path, "wrong", "idw = wrong_entry:run", wrong_entry=code)
    try:
        with pytest.raises(kind, match=words):
            found("idw").load()
    finally:
        sys.modules.pop("wrong_entry", None)


def test_the_line_of_the_plugin_is_named_and_not_that_of_what_it_calls(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import json\n\ndef run():\n    return json.loads('{')\n")
    plugin = found(f"{tmp_path / 'mine.py'}:run")
    try:
        plugin.load()()
    except ValueError as problem:
        assert plugin.blame(problem).endswith(f"line 4 of {tmp_path / 'mine.py'}")
    assert plugin.blame(ValueError()) == "ValueError"


# ---------------------------------------------------------------------- digests


def test_a_digest_goes_by_what_the_code_does(tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()
    files: dict[str, Any] = {
        "mine.py": "import json, near.part\nfrom beside import x\n\ndef run(): return 1\n",
        "beside.py": "import further\nx = 1\n",
        "further.py": "y = 1\n",
        "near/__init__.py": "",
        "near/part.py": "from . import other\n",
        "near/other.py": "z = 1\n",
        "json.py": "not imported: the standard library's is\n",
        "unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    plugin = found(f"{tmp_path / 'mine.py'}:run")
    first = plugin.digest()
    for name in ("json.py", "unused.py"):
        (tmp_path / name).write_text("other = 2\n")
    (tmp_path / "mine.py").write_text('"""Doc."""\n' + files["mine.py"].replace("return 1", "return (1)  # one"))
    assert plugin.digest() == first
    for name in ("mine.py", "beside.py", "further.py", "near/__init__.py", "near/other.py"):
        (tmp_path / name).write_text(files[name] + "changed = 1\n")
        assert plugin.digest() != first, name
        (tmp_path / name).write_text(files[name])
        assert plugin.digest() == first
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    (copied / "mine.py").write_text("def run(): return 1\n")
    (tmp_path / "mine.py").write_text("def run(): return 1\n")
    assert found(f"{copied / 'mine.py'}:run").digest() == plugin.digest()


def test_a_digest_of_a_package_holds_its_own_modules_alone(tmp_path: Path) -> None:
    package = tmp_path / "digested"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("from digested.deep import x\nimport lonely\n")
    (package / "deep.py").write_text("x = 1\n")
    installed(tmp_path, "digested", "idw = digested.part:x", lonely="x = 1\n")
    first = found("idw").digest()
    (tmp_path / "lonely.py").write_text("x = 2\n")
    assert found("idw").digest() == first
    (package / "deep.py").write_text("x = 2\n")
    assert found("idw").digest() != first


def test_a_name_is_parted_from_what_follows() -> None:
    assert split_plugin("constant") == ("constant", "")
    assert split_plugin("C:/methods/mine.py:run:C:/w.safetensors") == ("C:/methods/mine.py:run", "C:/w.safetensors")
