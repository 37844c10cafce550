"""Progress: the time that is left, lines where no terminal is, silence where it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from stemscan.cli.common import Talk
from stemscan.cli.progress import Meter
from stemscan.runtime.work import doing, in_part, part, stepped, told_of_work


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_follows_from_what_is_done() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.report(0.0)
    assert meter.left() is None
    for clock.now, share in ((10.0, 0.1), (20.0, 0.2)):
        meter.report(share)
    assert meter.left() == pytest.approx(80)
    clock.now = 25.0
    assert meter.left() == pytest.approx(75)
    clock.now = 90.0  # the next report is late: it waits
    assert meter.left() == pytest.approx(70)


def test_work_that_was_done_before_does_not_tell_how_fast_it_is() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.report(0.5)
    clock.now = 10.0
    meter.report(0.6)
    assert meter.left() == pytest.approx(40)


def test_a_share_that_falls_tells_of_more_to_do() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.report(0.0)
    clock.now = 10.0
    meter.report(0.5)
    assert meter.left() == pytest.approx(10)
    meter.report(0.25)
    assert meter.left() == pytest.approx(30)


def test_time_of_compilation_is_left_aside() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.report(0.0)
    clock.now = 100.0
    meter.begin_anew()
    meter.report(0.1)
    clock.now = 110.0
    meter.report(0.2)
    assert meter.left() == pytest.approx(80)


def test_parts_add_up_to_the_whole() -> None:
    shares: list[float] = []
    with told_of_work(shares.append):
        with part(0.5):
            for _ in stepped(range(4), 4):
                pass
        with part(0.25), part(0.5):
            pass
        assert in_part(0.25, lambda: "done")() == "done"
    assert shares == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0])


def test_work_that_nobody_asked_about_is_done_alike() -> None:
    with part(0.5), doing("something"):
        assert list(stepped(range(3), 3)) == [0, 1, 2]


def test_what_is_done_meanwhile_is_told() -> None:
    texts: list[str] = []
    with told_of_work(lambda share: None, texts.append), doing("weighing another pass"):
        pass
    assert texts == ["weighing another pass", ""]


def _worked(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of two minutes, where no terminal is."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    meter: Any = lambda: Meter(clock)  # noqa: E731
    monkeypatch.setattr("stemscan.cli.progress.Meter", meter)
    with talk.progress("evaluating") as report:
        for second in range(121):
            clock.now = second
            report(second, 120)


def test_lines_now_and_then_where_no_terminal_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _worked(Talk(), monkeypatch)
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.splitlines() == ["evaluating: 25%, 1 min 30 s left", "evaluating: 75%, 30 s left"]


@pytest.mark.parametrize("talk", [Talk(quiet=True), Talk(as_json=True)])
def test_silence(talk: Talk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _worked(talk, monkeypatch)
    assert capsys.readouterr().err == ""
