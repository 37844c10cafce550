"""Paths that are URLs, and what else is tried with them."""

from __future__ import annotations

import os
import pickle
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.arguments import file_path
from stemscan.errors import UsageError
from stemscan.objects.path import ObjectPath, as_path, is_url

pytest.importorskip("obstore", reason="stemscan[cloud] is not installed")


@pytest.mark.parametrize("given", ["s3://bucket/a/acq.zarr", Path("s3://bucket/a/acq.zarr"), "s3://bucket/a/acq.zarr/"])
def test_a_url_is_a_path_in_any_form(given: str | Path) -> None:
    path = file_path(given, "a store")
    assert isinstance(path, ObjectPath)
    assert str(path) == "s3://bucket/a/acq.zarr"
    assert (path.key, path.suffix, path.parent.key) == ("a/acq.zarr", ".zarr", "a")
    assert str(path.with_name(".x")) == "s3://bucket/a/.x"
    assert type(path / "c")(path / "c") == path / "c"
    assert pickle.loads(pickle.dumps(path)) == path
    assert len({path, as_path(str(path)), path / "c"}) == 2


@pytest.mark.parametrize("name", ["acq.zarr", "./s3/bucket", "C:/data/acq.zarr", "/s3:/acq.zarr", "with: colon"])
def test_other_names_are_paths_of_the_system(name: str) -> None:
    assert not is_url(name)
    assert as_path(name) == Path(name)


@pytest.mark.parametrize("text", ["http://host/acq.zarr", "s3://", "s3://bucket//acq.zarr", "gs://bucket/../acq.zarr"])
def test_other_urls_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a (path, or a )?URL"):
        as_path(text)


def save(path: Path) -> Any:
    return np.save(path, np.zeros(3))


@pytest.mark.parametrize("use", [open, os.stat, os.listdir, save, Path.touch, Path.rmdir, Path.read_text])
def test_what_needs_a_file_is_refused(use: Any) -> None:
    """A URL is never mistaken for a path of the system."""
    with pytest.raises(UsageError, match=r"expected a path of this machine, got 's3://bucket/acq.zarr'.*copy it"):
        use(as_path("s3://bucket/acq.zarr"))


def test_what_stands_below_is_listed() -> None:
    folder = as_path(f"memory://{uuid.uuid4().hex}/scans")
    assert isinstance(folder, ObjectPath)
    assert not folder.exists()
    for name in ("a/zarr.json", "a/c/0", "b"):
        folder.bucket.put((folder / name).key, name.encode(), None)
    assert sorted(one.name for one in folder.iterdir()) == ["a", "b"]
    assert (folder / "a").is_dir()
    assert not (folder / "a").is_file()
    assert (folder / "b").is_file()
    assert not (folder / "b").is_dir()
    assert (folder / "a/c/0").open("rb").read() == b"a/c/0"
    with pytest.raises(FileNotFoundError, match="no such object"):
        (folder / "c").read_bytes()
