"""Methods are declared once and found; those of other people run by name, file or function, and are named in errors."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan import recon
from stemscan.errors import InputNotFoundError, PluginError, ReconError, UsageError
from stemscan.recon.declared import declarations
from stemscan.recon.evaluation.contenders import parse_contender
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.listing import described, known_methods, markdown
from stemscan.recon.method import Method
from stemscan.recon.networks.registry import ARCHITECTURES, network_class
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.registry import DEFAULT_METHOD, built_in, method_of, ready_methods
from stemscan.recon.run import reconstruct
from tests.plugin_kit import ROOT, install
from tests.recon.sampling_kit import lattice, scan

INPUTS = scan(lattice((32, 40)))


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


# ---------------------------------------------------------------------- declared


def test_declarations_are_true_of_the_functions() -> None:
    for name, method in built_in().items():
        assert method.name == name
        assert method.description
        assert "\n" not in method.description
        assert method.needs_weights == method.takes("weights"), name
        assert method.uses_torch == method.takes("device"), name
        assert all(one.text for one in method.settings().values()), f"{name}: settings without text"
        assert all(one.hint is not Any for one in method.settings().values()), f"{name}: settings of no type"


def test_what_is_ready() -> None:
    assert next(iter(built_in())) == DEFAULT_METHOD
    missing = set(built_in()) - set(ready_methods())
    assert missing == {"csnet", "reconnet", "spectral-oracle"}
    assert set(ready_methods(["csnet"])) - set(ready_methods()) == {"csnet"}


def test_networks_belong_to_methods() -> None:
    assert {one.method for one in ARCHITECTURES.values()} == {n for n, m in built_in().items() if m.needs_weights}
    assert all(network_class(name) for name in ARCHITECTURES)


def test_the_documentation_has_the_table_of_methods() -> None:
    table = markdown(method for method in built_in().values() if not method.sees_truth)
    assert table in (ROOT / "docs" / "methods.md").read_text(), f"docs/methods.md: put in\n{table}"


def test_declarations_import_nothing_heavy() -> None:
    code = (
        "import sys; from stemscan.recon.registry import built_in; from stemscan.recon.networks.registry import build;"
        "built_in(); print({'torch', 'numba', 'numpy', 'scipy', 'pydantic', 'importlib.metadata'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


KRIGING = """
from stemscan.recon.method import Method

def kriging(inputs):
    return inputs.S * 0 + inputs.mean

METHODS = (Method("kriging", kriging, "a method in a room of one module", rank=-1),)
"""


def test_a_new_method_is_one_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kriging").mkdir()
    (tmp_path / "kriging" / "declaration.py").write_text(KRIGING)
    monkeypatch.setattr(recon, "__path__", [*recon.__path__, str(tmp_path)])
    built_in.cache_clear()
    declarations.cache_clear()
    try:
        assert reconstruct(INPUTS, "kriging").method == next(iter(ready_methods())) == "kriging"
        assert "kriging" in known_methods()
        with pytest.raises(UsageError, match="expected method to be one of kriging, blend, "):
            method_of("magic")
        assert parse_contender("kriging").method == "kriging"
    finally:
        built_in.cache_clear()
        declarations.cache_clear()


# ---------------------------------------------------------------------- of other people


def flat(inputs: Inputs, *, level: float = 0.5, words: str = "") -> Estimate:
    """One value everywhere.

    Parameters
    ----------
    inputs : Inputs
    level : float
        The value, on the
        absolute scale.
    """
    return Estimate(np.full(inputs.shape, level, np.float32), settings={"level": level})


MINE = """
import numpy as np

def flat(inputs, level: float = 0.5):
    '''One value everywhere.

    More of it.
    '''
    return np.full(inputs.shape, level)
"""


def test_a_function_an_object_and_a_partial() -> None:
    made = reconstruct(INPUTS, flat, level=0.25)
    assert (made.method, made.settings["level"], float(made.image.max())) == ("flat", 0.25, 0.25)
    assert len(made.settings["code_sha256"]) == 64
    assert float(reconstruct(INPUTS, functools.partial(flat, level=0.75)).image.max()) == 0.75

    class Levelled:
        def __call__(self, inputs: Inputs) -> Estimate:
            return flat(inputs, level=1.0)

    assert reconstruct(INPUTS, Levelled()).method == "Levelled"


class _Scaled:
    """A method whose instances have a state."""

    __slots__ = ("factor",)

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def __call__(self, inputs: Inputs) -> Any:
        return inputs.S * self.factor

    run = __call__


def _scaling(factor: float) -> Any:
    return lambda inputs: inputs.S * factor


def _scaled(factor: float, inputs: Inputs, *, offset: Any = 0.0) -> Any:
    return inputs.S * factor + offset


@pytest.mark.parametrize(
    "method",
    [
        lambda factor: functools.partial(_scaled, factor, offset=np.float32(0.5)),
        _Scaled,
        lambda factor: _Scaled(factor).run,
        lambda factor: functools.partial(_Scaled(factor).run),
        _scaling,
    ],
)
def test_what_is_bound_to_a_method_is_recorded(method: Any) -> None:
    noted = [reconstruct(INPUTS, method(factor)).settings for factor in (1.0, np.float64(2.0))]
    assert [one["bound"]["factor"] for one in noted] == [1.0, 2.0]
    assert type(noted[1]["bound"]["factor"]) is float
    if method is not _scaling:
        with pytest.raises(UsageError, match=r"alone to be bound to method .*, got factor of type ndarray; make"):
            reconstruct(INPUTS, method(INPUTS.S))


def test_a_file_and_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    made = reconstruct(INPUTS, f"{tmp_path / 'mine.py'}:flat", level=0.25)
    assert (made.method, made.settings["level"], made.image.dtype.name) == ("mine.py:flat", 0.25, "float32")
    install(tmp_path, "levels", "stemscan.methods", "level = levels:flat", levels=MINE)
    assert known_methods()["level"] == "plug-in of package levels 1.2 (levels:flat)"
    assert reconstruct(INPUTS, "level").method == "level"
    told = described(method_of("level"))
    assert (told["description"], told["settings"][0]["default"]) == ("One value everywhere", 0.5)


def test_a_declaration_says_more_than_a_function(tmp_path: Path) -> None:
    code = f"{MINE}\nfrom stemscan.recon.method import Method\nLEVEL = Method('x', flat, 'a level', memory=(1e12, 0))\n"
    (tmp_path / "mine.py").write_text(code)
    method = method_of(f"{tmp_path / 'mine.py'}:LEVEL")
    assert (method.name, method.description, method.memory) == ("mine.py:LEVEL", "a level", (1e12, 0))
    with pytest.raises(MemoryError, match="by mine.py:LEVEL, got"):
        reconstruct(INPUTS, method)


@pytest.mark.parametrize(
    ("returned", "std"),
    [
        (np.full((32, 40), 0.5), False),
        (np.full((32, 40), 1, np.int64), False),
        ((np.full((32, 40), 0.5), np.full((32, 40), 0.1)), True),
        ((np.full((32, 40), 0.5), None), False),
    ],
)
def test_an_image_alone_or_with_its_std(returned: Any, std: bool) -> None:
    made = reconstruct(INPUTS, lambda inputs, width=2: returned)
    assert (made.image.dtype.name, made.std is not None, made.settings["width"]) == ("float32", std, 2)


def _in_place(inputs: Inputs) -> Any:
    inputs.S[...] /= 2
    return inputs.S


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda inputs: None, ReconError, r"of method <lambda> an image, \(image, std\) or an Estimate, got NoneType"),
        (lambda inputs: [1, 2], ReconError, "or an Estimate, got list; return one"),
        (lambda inputs: (inputs.S, 3), ReconError, r"or an Estimate, got \(ndarray, int\)"),
        (lambda inputs: inputs.S[:4], ReconError, r"shape \(32, 40\), got float32 \(4, 40\); mend it"),
        (lambda inputs: inputs.S * np.nan, ReconError, "finite image"),
        (lambda inputs: inputs.S * 1j, ReconError, "of method <lambda> an image of real numbers, got complex64"),
        (lambda inputs: Estimate([1.0]), ReconError, "of method <lambda> the image as an array, got list"),  # type: ignore[arg-type]
        (lambda inputs: sys.exit("no"), ReconError, "got SystemExit: no, line [0-9]+ of .*test_registry.py; mend"),
        (
            lambda inputs: inputs.nothing,
            ReconError,
            "got AttributeError: .*nothing.*, line [0-9]+ of .*test_registry.py",
        ),
        (_in_place, ReconError, "got ValueError: .*read-only, line [0-9]+ of .*test_registry.py; mend it"),
        (lambda: None, UsageError, "expected method <lambda> to take inputs as its first parameter"),
        (lambda inputs, grid: None, UsageError, "settings of method <lambda> with names of their own, got 'grid'"),
        (lambda inputs, width: None, UsageError, "expected setting width of method <lambda>, got none; give a value"),
        (
            lambda inputs: Estimate(inputs.S, settings={"a": inputs.S}),
            ReconError,
            "plain numbers and words, got: Object",
        ),
        (3, UsageError, r"method to be a name, file\.py:function or a function, got int 3"),
        ("constant:x", UsageError, "expected method to be one of blend, .*, got 'constant:x'"),
        ("no.py:flat", InputNotFoundError, "expected the file of method no.py:flat, got none at"),
    ],
)
def test_what_is_wrong_names_the_plugin(function: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        reconstruct(INPUTS, function)
    assert "\n" not in str(caught.value)
    assert not INPUTS.S.flags.writeable


def test_settings_are_checked() -> None:
    for settings, words in (
        ({"level": "high"}, "setting level of method flat to be a valid number, got 'high'"),
        ({"levels": 3.0}, r"settings of method flat \(level, words\), got 'levels'"),
        ({"words": 3}, "setting words of method flat to be a valid string"),
    ):
        with pytest.raises(UsageError, match=words):
            reconstruct(INPUTS, flat, **settings)
    assert reconstruct(INPUTS, lambda inputs, **more: inputs.S, anything=3).settings["anything"] == 3
    noted = reconstruct(INPUTS, lambda inputs, level=0.0: inputs.S, level=np.float32(0.25)).settings["level"]
    assert (noted, type(noted)) == (0.25, float)
    assert reconstruct(INPUTS, flat, level=np.float32(0.25)).settings["level"] == 0.25
    texts = {one.name: one.text for one in Method("flat", flat, "").settings().values()}
    assert texts == {"level": "The value, on the absolute scale.", "words": ""}


def test_a_type_of_the_plugin_itself_is_not_checked(tmp_path: Path) -> None:
    code = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from no_such import Kind\n\n"
    (tmp_path / "mine.py").write_text(
        f"from __future__ import annotations\n{code}def f(inputs, kind: Kind): return inputs.S\n"
    )
    assert reconstruct(INPUTS, f"{tmp_path / 'mine.py'}:f", kind=3).settings["kind"] == 3


def test_a_plugin_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("\nimport not_there\n")
    with pytest.raises(PluginError, match=r"import method mine\.py:f from .*not_there', line 2 of"):
        reconstruct(INPUTS, f"{tmp_path / 'mine.py'}:f")


# ---------------------------------------------------------------------- sources


def test_sources(tmp_path: Path) -> None:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.session import simulate
    from stemscan.simulators.specimens.loading import load_specimen
    from stemscan.store.reader import Acquisition

    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [32, 32],
            "passes": 2,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10.0},
            "seed": 7,
        }
    )
    path = tmp_path / "a.zarr"
    simulate(plan, load_specimen("crystal:Si", plan.shape, fit="resample"), path)
    images = [reconstruct(source, "nearest").image for source in (path, str(path), Acquisition.open(path))]
    assert all(np.array_equal(image, images[0]) for image in images)
    with pytest.raises(UsageError, match=r"an acquisition, the path of its store, or Inputs, got ndarray; make Inputs"):
        reconstruct(images[0], "nearest")  # type: ignore[arg-type]
