"""Results on disk: whole lines count, whatever happened to others."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import OutputExistsError
from stemscan.recon.evaluation.campaign.results import Results
from stemscan.recon.evaluation.campaign.work import Made, Row
from stemscan.recon.evaluation.rows import Measured


def made(number: int, *keys: str, error: str = "") -> Made:
    """A result that can be told from others."""
    rows = {key: Row(Measured(psnr=float(number), ssim=math.nan, error=error), {"slope": math.inf}) for key in keys}
    return Made({"samples": number}, rows, 1.5, 0.5, 10 * number)


def test_what_was_put_is_there_again(tmp_path: Path) -> None:
    with Results(tmp_path / "r") as results:
        results.put("one", made(1, "a"), 1)
        results.put("two", made(2, "a", error="no"), 3)
        results.put("one", made(1, "b"), 2)
    with Results(tmp_path / "r") as results:
        assert list(results) == ["one", "two"]
        assert [sorted(results.done(one)) for one in ("one", "two", "three")] == [["a", "b"], [], []]
        found = results.of("one")
        assert found is not None
        assert repr(found) == repr((made(1, "a", "b"), 3))
        assert results.of("three") is None
        results.put("two", made(2, "a"), 1)
        assert results.done("two") == {"a"}


def test_a_failure_after_a_success_is_a_failure(tmp_path: Path) -> None:
    with Results(tmp_path / "r") as results:
        results.put("one", made(1, "a", "b"), 1)
        results.put("one", made(1, "a", error="gone"), 1)
        assert results.done("one") == {"b"}


@settings(max_examples=25)
@given(st.data())
def test_a_file_cut_or_damaged_anywhere_keeps_the_whole_lines(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "r")
        with Results(path) as results:
            for number in range(4):
                results.put(str(number), made(number, "a"), 1)
        raw = path.read_bytes()
        ends = [at + 1 for at, byte in enumerate(raw) if byte == 10]
        cut = data.draw(st.integers(0, len(raw)))
        path.write_bytes(raw[:cut] + data.draw(st.sampled_from([b"", b"\x00\xff", b"{}\n", b"[1]\n", b"null"])))
        whole = [str(number) for number, end in enumerate(ends) if end <= cut]
        with Results(path) as results:
            assert [one for one in results if one in whole] == whole
            assert all(one in whole for one in results) or cut in [end - 1 for end in ends]
            results.put("new", made(9, "a"), 1)
        with Results(path) as results:
            assert results.done("new") == {"a"}
            assert all(results.done(one) == {"a"} for one in whole)


def test_one_process_writes(tmp_path: Path) -> None:
    with Results(tmp_path / "r"), pytest.raises(OutputExistsError, match="another process writes"):
        Results(tmp_path / "r")
