"""One writer at a time below a URL, where no lock ends with its process."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from stemscan.errors import StoreError
from stemscan.objects import lease
from stemscan.objects.lease import Lease, lease_of
from stemscan.objects.path import ObjectPath, as_path
from stemscan.objects.problems import ObjectStoreError, OvertakenError

pytest.importorskip("obstore", reason="stemscan[cloud] is not installed")

RENEWED_S = 0.05


@pytest.fixture
def folder() -> ObjectPath:
    path = as_path(f"memory://{uuid.uuid4().hex}/acq.zarr")
    assert isinstance(path, ObjectPath)
    return path


def left_behind(folder: ObjectPath, **changes: object) -> None:
    """The lease of a writer of another machine that was killed."""
    body = {"writer": "other", "renewed_s": RENEWED_S, "machine": "elsewhere", "pid": 1, "started": "1"}
    folder.bucket.put((folder / "lock").key, json.dumps(body | changes).encode(), None)


def stop(held: Lease) -> None:
    """Let a writer be as one whose process does not run for a while."""
    held._over.set()
    held._renewer.join()
    del lease._held[held._folder]


def renew(held: Lease) -> None:
    """Show that a stopped writer is alive."""
    held._bucket.put(held._key, uuid.uuid4().bytes, held._bucket.version(held._key))


def test_the_second_is_refused_while_the_first_is_at_work(folder: ObjectPath) -> None:
    first = Lease(folder, "lock")
    assert Lease.is_held(folder / "lock")
    with pytest.raises(StoreError, match="expected to be the only writer of 'memory://.*wait for it or stop it"):
        Lease(folder, "lock")
    first.release()
    assert not Lease.is_held(folder / "lock")
    Lease(folder, "lock").release()
    first.release()


def test_a_lease_that_is_not_renewed_is_taken_after_a_while(folder: ObjectPath) -> None:
    left_behind(folder)
    began = time.monotonic()
    held = Lease(folder, "lock", RENEWED_S)
    assert time.monotonic() - began >= 3 * RENEWED_S
    held.release()


def test_a_lease_that_is_renewed_is_not_taken(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose holder is of another machine, of which nothing but that is known."""
    monkeypatch.setattr(lease, "_machine", lambda: "elsewhere")
    stop(first := Lease(folder, "lock", RENEWED_S))
    monkeypatch.setattr(lease, "_machine", lambda: "here")
    monkeypatch.setattr("stemscan.objects.lease.time.sleep", lambda _: renew(first))
    with pytest.raises(StoreError, match="at work already"):
        Lease(folder, "lock", RENEWED_S)


def test_a_dead_holder_of_this_machine_is_not_waited_for(folder: ObjectPath) -> None:
    if lease._machine() is None:
        pytest.skip("the system does not tell which processes are alive")
    left_behind(folder, machine=lease._machine(), pid=1, started="never", renewed_s=1000)
    Lease(folder, "lock").release()


def test_who_was_stopped_does_no_harm(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of two writers puts an object second is refused, and none is lost unnoticed."""
    first = Lease(folder, "lock", RENEWED_S)
    first.put(folder / "record", b"of the first")
    stop(first)
    monkeypatch.setattr(lease, "_machine", lambda: "elsewhere")
    second = Lease(folder, "lock", RENEWED_S)
    second.put(folder / "record", b"of the second")
    for name in ("record", "lock"):
        with pytest.raises(OvertakenError, match="only writer"):
            first.put(folder / name, b"of the first")
    first.put(folder / "new", b"of the first")
    with pytest.raises(OvertakenError):
        second.put(folder / "new", b"of the second")
    assert (folder / "record").read_bytes() == b"of the second"
    second.release()


def test_who_lost_its_lease_is_told(folder: ObjectPath) -> None:
    held = Lease(folder, "lock", RENEWED_S)
    bucket, key = folder.bucket, (folder / "lock").key
    while True:  # between two renewals
        try:
            bucket.put(key, b"taken", bucket.version(key))
            break
        except OvertakenError:
            continue
    held._renewer.join(10)
    with pytest.raises(OvertakenError, match="stop one of the two, and resume"):
        held.put(folder / "record", b"late")
    held.release()
    assert bucket.get(key) == b"taken"


def test_nothing_is_put_without_a_lease(folder: ObjectPath) -> None:
    with pytest.raises(ObjectStoreError, match="please report this"):
        lease_of(folder / "record")
