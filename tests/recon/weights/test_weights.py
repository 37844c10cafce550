"""Weights files: what is written comes back, and what is not whole is refused in one sentence."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from stemscan.errors import InputNotFoundError, OutputExistsError, WeightsError
from stemscan.recon.paper.network import UNUSED_PARAMETERS, FSHNet
from stemscan.recon.paper.published_weights import import_published, load_fshnet, names
from stemscan.recon.weights.file import WeightsInfo, save_weights
from tests.recon.fshnet.fshnet_kit import seeded_network

INFO = WeightsInfo(frames=4, convention="published", origin="a test")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_weights(seeded_network(), path, INFO)
    return path


def published_tensors(network: FSHNet, prefix: str = "") -> dict[str, torch.Tensor]:
    """A network's tensors under the published names, with the tensors that are never used."""
    state = network.state_dict()
    tensors = {f"recon.{theirs}": state[ours].clone() for theirs, ours in names().items()}
    for name, shape in UNUSED_PARAMETERS.items():
        tensors[name if name.startswith("extract") else f"recon.{name}"] = torch.zeros(shape)
    return {prefix + name: tensor for name, tensor in tensors.items()}


def same(first: FSHNet, second: FSHNet) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_round_trip(weights: Path) -> None:
    network, info = load_fshnet(weights)
    assert info == INFO
    assert same(network, seeded_network())
    assert not network.training
    assert all(p.requires_grad for p in network.parameters())


def test_half_precision_halves_the_file(weights: Path, tmp_path: Path) -> None:
    save_weights(seeded_network(), tmp_path / "half.safetensors", INFO, half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * weights.stat().st_size
    rounded, whole = load_fshnet(tmp_path / "half.safetensors")[0], seeded_network()
    for name, tensor in rounded.state_dict().items():
        assert tensor.dtype == whole.state_dict()[name].dtype
        torch.testing.assert_close(tensor, whole.state_dict()[name], rtol=1e-3, atol=1e-6)


def test_same_weights_give_the_same_bytes(weights: Path, tmp_path: Path) -> None:
    save_weights(seeded_network(), tmp_path / "again.safetensors", INFO)
    assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()


def test_other_numbers_of_frames_and_conventions(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(seeded_network(7), path, WeightsInfo(frames=7, convention="paper"))
    network, info = load_fshnet(path)
    assert network.frames == info.frames == 7
    assert info.convention == "paper"


def test_nothing_is_overwritten_unasked(weights: Path) -> None:
    with pytest.raises(OutputExistsError):
        save_weights(seeded_network(), weights, INFO)
    save_weights(seeded_network(seed=2), weights, INFO, overwrite=True)
    assert same(load_fshnet(weights)[0], seeded_network(seed=2))


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("kind", ["safetensors", "pkl", "old pkl"])
def test_published_names_are_imported(tmp_path: Path, prefix: str, kind: str) -> None:
    source, target = tmp_path / "source", tmp_path / "weights.safetensors"
    tensors = published_tensors(seeded_network(), prefix)
    if kind == "safetensors":
        save_file(tensors, source)
    else:
        torch.save(tensors, source, _use_new_zipfile_serialization=kind == "pkl")
    info = import_published(source, target)
    assert info.convention == "published"
    assert len(info.source_sha256) == 64
    network, again = load_fshnet(target)
    assert again == info
    assert same(network, seeded_network())


def test_import_does_not_overwrite_and_reads_nothing_then(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "weights.safetensors"
    target.write_text("mine")
    with pytest.raises(OutputExistsError):
        import_published(source, target)
    save_file(published_tensors(seeded_network()), source)
    import_published(source, target, overwrite=True)
    assert same(load_fshnet(target)[0], seeded_network())
    with pytest.raises(InputNotFoundError, match="existing folder"):
        import_published(source, tmp_path / "missing" / "weights.safetensors")


def test_published_file_is_imported_without_losing_a_tensor(shared_dir: Path, tmp_path: Path) -> None:
    source = shared_dir / "reference" / "fshnet-published.safetensors"
    import_published(source, tmp_path / "weights.safetensors")
    held = sum(t.numel() for t in load_file(tmp_path / "weights.safetensors").values())
    unused = 649 + 2 * 197
    assert held == sum(t.numel() for t in load_file(source).values()) - unused


class Dangerous:
    """What a pickle may do when it is read carelessly."""

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return eval, ("1 / 0",)


def test_pickle_that_runs_code_is_refused_without_running_it(tmp_path: Path) -> None:
    source = tmp_path / "weights.pkl"
    source.write_bytes(pickle.dumps({"weight": Dangerous()}))
    with pytest.raises(WeightsError, match="tensors only"):
        import_published(source, tmp_path / "weights.safetensors")
    torch.save({"weight": Dangerous()}, source)
    with pytest.raises(WeightsError, match="tensors only"):
        import_published(source, tmp_path / "weights.safetensors")


def test_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "weights.pkl")
    with pytest.raises(WeightsError, match="expected named tensors"):
        import_published(tmp_path / "weights.pkl", tmp_path / "weights.safetensors")


def test_truncated_pickle_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "weights.pkl"
    torch.save(published_tensors(seeded_network()), source, _use_new_zipfile_serialization=False)
    source.write_bytes(source.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="tensors only"):
        import_published(source, tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("recon.bn_up_4.bias"), r"1 missing \(bn_up_4.bias\)"),
        (lambda t: t.update({"recon.extra": torch.zeros(2)}), r"1 unknown \(extra\)"),
        (lambda t: t.update({"recon.up_1": torch.zeros(3, 3)}), r"to_eighth.conv.weight of shape \(32, 64, 3, 3\)"),
        (lambda t: t["recon.up_1"].fill_(float("nan")), "NaN or infinity in decoder.to_eighth.conv.weight"),
    ],
)
def test_other_published_files_are_refused(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    tensors = published_tensors(seeded_network())
    change(tensors)
    save_file(tensors, tmp_path / "source")
    with pytest.raises(WeightsError, match=message):
        import_published(tmp_path / "source", tmp_path / "weights.safetensors")
    assert not (tmp_path / "weights.safetensors").exists()


def damaged(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], Any]) -> None:
    """Rewrite a weights file with other tensors or another description."""
    network, info = load_fshnet(path)
    description = {"format": "stemscan-weights", "format_version": "1", "architecture": "fshnet", **vars(info)}
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    change(tensors, description)
    save_file(tensors, path, {"stemscan": json.dumps(description)})


def infinite(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
    tensors["prior.0.conv.weight"][0, 0, 3, 3] = float("inf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, d: t.pop("fusion.1.conv.weight"), r"1 missing \(fusion.1.conv.weight\)"),
        (lambda t, d: t.update(more=torch.zeros(1)), r"1 unknown \(more\)"),
        (lambda t, d: t.update({"shuffle.1.conv.weight": torch.zeros(8, 4, 5, 5)}), r"\(8, 4, 7, 7\) .*\(8, 4, 5, 5\)"),
        (lambda t, d: t.update({"fusion.1.norm.bias": torch.zeros(1, dtype=torch.float64)}), "torch.float64"),
        (infinite, "NaN or infinity in prior.0.conv.weight"),
        (lambda t, d: d.update(architecture="othernet"), "got othernet in version 1"),
        (lambda t, d: d.update(format_version="2"), "got fshnet in version 2"),
        (
            lambda t, d: d.update(convention="unheard"),
            "published, paper, analysis, got 4 frames in 'unheard'",
        ),
        (lambda t, d: d.update(frames=0), "1 to 256 frames"),
        (lambda t, d: d.update(frames="many"), "no such description"),
        (lambda t, d: d.update(frames=float("inf")), "no such description"),
        (lambda t, d: d.update(frames=5), r"of shape \(8, 5, 3, 3\) .*, got \(8, 4, 3, 3\)"),
        (lambda t, d: d.pop("convention"), "no such description"),
    ],
)
def test_other_weights_are_refused(weights: Path, change: Callable[[Any, Any], Any], message: str) -> None:
    damaged(weights, change)
    with pytest.raises(WeightsError, match=message) as caught:
        load_fshnet(weights)
    assert "\n" not in str(caught.value)


def test_published_safetensors_must_be_imported_first(tmp_path: Path) -> None:
    save_file(published_tensors(seeded_network()), tmp_path / "theirs.safetensors")
    with pytest.raises(WeightsError, match="stemscan weights import theirs.safetensors -o fshnet.safetensors"):
        load_fshnet(tmp_path / "theirs.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_not_loaded(tmp_path: Path, zipped: bool) -> None:
    source = tmp_path / "theirs.pkl"
    torch.save(published_tensors(seeded_network()), source, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="is a pickle; convert it: stemscan weights import theirs.pkl"):
        load_fshnet(source)


@pytest.mark.parametrize("length", [0, 5, 1000, 100_000])
def test_truncated_files_are_refused(weights: Path, length: int) -> None:
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(WeightsError, match="expected a whole safetensors file"):
        load_fshnet(weights)


def test_missing_file_is_said(tmp_path: Path) -> None:
    for read in (load_fshnet, lambda path: import_published(path, tmp_path / "weights.safetensors")):
        with pytest.raises(InputNotFoundError, match=r"none\.safetensors"):
            read(tmp_path / "none.safetensors")


def test_a_description_that_goes_too_deep_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "deep", {"stemscan": "[" * 200_000})
    with pytest.raises(WeightsError, match="no such description"):
        load_fshnet(tmp_path / "deep")


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x80\x09", b"\x00" * 8])
def test_what_is_hardly_a_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tiny").write_bytes(content)
    for read in (load_fshnet, lambda path: import_published(path, tmp_path / "weights.safetensors")):
        with pytest.raises(WeightsError, match="expected a whole safetensors file"):
            read(tmp_path / "tiny")


def test_a_pickle_by_the_name_of_weights_is_not_converted_onto_itself(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(WeightsError, match=r"import w.safetensors -o w-converted.safetensors"):
        load_fshnet(tmp_path / "w.safetensors")


def test_a_device_is_no_file() -> None:
    with pytest.raises(WeightsError, match="a pipe, device or socket"):
        load_fshnet("/dev/null")
