"""Files of torch's that expand, claim or do more than tensors; honest ones give what torch reads."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from stemscan.recon.weights.pickled_tensors import PickledFileError, read_pickled_tensors

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]


def honest() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    whole = torch.rand((4, 6), generator=generator)
    tensors = OrderedDict((str(kind), (torch.rand(3, 5, generator=generator) * 9).to(kind)) for kind in TYPES)
    tensors |= {"whole": whole, "part": whole[1:3, ::2], "turned": whole.T, "scalar": torch.tensor(3.5)}
    tensors |= {"empty": torch.empty(0), "parameter": torch.nn.Parameter(torch.ones(2))}
    return tensors


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_honest_files_are_read_as_torch_reads_them(tmp_path: Path, zipped: bool, protocol: int) -> None:
    path = tmp_path / "w.pth"
    torch.save(honest(), path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    expected, found = torch.load(path, weights_only=False), read_pickled_tensors(path)
    assert found is not None
    assert list(found) == list(expected)
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_a_network_with_its_versions_is_read(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(network.state_dict(), tmp_path / "w.pth")
    found = read_pickled_tensors(tmp_path / "w.pth")
    assert found is not None
    assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())


def refused(path: Path, words: str) -> None:
    """Refused, with next to no memory."""
    tracemalloc.start()
    try:
        with pytest.raises(PickledFileError, match=words):
            read_pickled_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_that_expands_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(8 << 20)}, tmp_path / "w.pth")
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as honest_file,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in honest_file.namelist():
            bomb.writestr(name, honest_file.read(name))
    assert (tmp_path / "bomb.pth").stat().st_size < 1 << 20
    refused(tmp_path / "bomb.pth", "larger inside than the file")


class Call:
    """A call in a pickle."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("call", [Call(bytearray, 1 << 33), Call(torch.zeros, 1 << 31), Call(eval, "1 / 0")])
@pytest.mark.parametrize("zipped", [True, False])
def test_calls_are_refused_and_not_made(tmp_path: Path, call: Call, zipped: bool) -> None:
    torch.save({"a": call}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "w.pth", "more than tensors")


def test_a_tensor_of_more_numbers_than_its_storage_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(1 << 15, 1 << 16)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "a tensor of 2,147,483,648 numbers in a storage of 1")


def of_pickle(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", data)
        archive.writestr("w/data/0", b"\0" * 8)
    return path


def test_instructions_that_take_memory_are_refused(tmp_path: Path) -> None:
    far = b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b"."
    refused(of_pickle(tmp_path / "memo.pth", far), "LONG_BINPUT")
    refused(
        of_pickle(tmp_path / "bytes.pth", b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"."), "damaged|BYTEARRAY8"
    )
    refused(of_pickle(tmp_path / "long.pth", b"\x80\x02" + b"N0" * (3 << 20) + b"N."), "more than 4 MiB")


@pytest.mark.parametrize("zipped", [True, False])
def test_damage_is_one_kind_of_error(tmp_path: Path, zipped: bool) -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.ones(20), "b": torch.ones(3)}, buffer, _use_new_zipfile_serialization=zipped)
    data = buffer.getvalue()
    path = tmp_path / "w.pth"
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            read_pickled_tensors(path)
        except PickledFileError as problem:
            assert str(problem)
        path.write_bytes(data[:place])
        with pytest.raises(PickledFileError):
            read_pickled_tensors(path)


def test_other_content_is_none(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    assert read_pickled_tensors(tmp_path / "w.pth") is None
    (tmp_path / "w.pth").write_bytes(pickle.dumps([1, 2]))
    assert read_pickled_tensors(tmp_path / "w.pth") is None
