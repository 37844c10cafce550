"""Work side by side: on as many threads as there may be, and what each may start of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from stemscan.recon import threads
from stemscan.recon.blend.method import blend
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.threads import in_stretches, limit_threads, side_by_side, workers


class Busy:
    """Counts how many compute at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0

    def work(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self._lock:
            self.now -= 1


def test_tasks_give_their_results_in_order_and_share_the_threads() -> None:
    def task(number: int) -> tuple[int, int, int]:
        return number, workers(), torch.get_num_threads()

    before = torch.get_num_threads()
    with limit_threads(4):
        assert side_by_side([partial(task, number) for number in range(2)]) == [(0, 2, 1), (1, 2, 1)]
        assert side_by_side([partial(task, number) for number in range(9)]) == [(n, 1, 1) for n in range(9)]
        assert torch.get_num_threads() == 4
    assert torch.get_num_threads() == before
    assert run_in_thread(torch.get_num_threads) == before


def run_in_thread(what: Callable[[], int]) -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(what()))
    thread.start()
    thread.join()
    return found[0]


def test_no_more_compute_at_a_time_where_tasks_run_others() -> None:
    busy = Busy()

    def task() -> None:
        busy.work()
        side_by_side([busy.work] * 3)
        busy.work()

    with limit_threads(2):
        side_by_side([task] * 3)
    assert busy.most == 2


def test_on_one_thread_and_where_asked_for_tasks_run_one_after_the_other() -> None:
    busy = Busy()
    with limit_threads(1):
        side_by_side([busy.work] * 3)
    with limit_threads(3):
        side_by_side([busy.work] * 3, together=False)
    assert busy.most == 1


def test_the_error_of_a_task_is_raised_and_ends_the_rest() -> None:
    begun: list[int] = []

    def fail() -> None:
        raise ValueError("no lattice")

    def task() -> None:
        time.sleep(0.05)
        begun.append(1)

    with limit_threads(2), pytest.raises(ValueError, match="no lattice"):
        side_by_side([fail, *[task] * 20])
    time.sleep(0.3)
    assert len(begun) < 5


def test_an_interruption_does_not_wait_for_tasks() -> None:
    go_on = threading.Event()

    def stop() -> None:
        raise KeyboardInterrupt

    with limit_threads(2), pytest.raises(KeyboardInterrupt):
        side_by_side([stop, partial(go_on.wait, 30)])
    go_on.set()


def test_one_computes_at_a_time_where_memory_is_short() -> None:
    busy = Busy()
    with limit_threads(3):
        assert side_by_side([busy.work] * 3, memory=1e18) == [None] * 3
    assert busy.most == 1


@pytest.mark.parametrize(("count", "parts"), [(0, 1), (9, 1), (10, 2), (1000, 3)])
def test_stretches_are_the_whole_range(count: int, parts: int) -> None:
    seen: list[tuple[int, int]] = []
    with limit_threads(3):
        in_stretches(lambda begin, end: seen.append((begin, end)), count, 5)
    assert len(seen) == parts
    assert [number for begin, end in sorted(seen) for number in range(begin, end)] == list(range(count))


def test_the_default_image_is_the_same_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    row, column = np.indices((96, 96))
    signal = 0.3 + 0.5 * (np.cos(2 * np.pi * row / 12) * np.cos(2 * np.pi * column / 12)) ** 8
    random = np.random.default_rng(0)
    visits = random.random((2, 96, 96)) < 0.3
    inputs = Inputs.from_arrays(random.poisson(20 * signal) * visits, visits.astype(int), 20.0)
    with limit_threads(1):
        alone = blend(inputs)
    assert alone.settings["columns"] > 0
    with limit_threads(3):
        together = blend(inputs)
        monkeypatch.setattr(threads, "_TOGETHER", 0)
        in_turn = reconstruct(inputs, "blend", threads=1)
    assert together.settings == alone.settings
    assert np.array_equal(together.image, alone.image)
    assert np.array_equal(in_turn.image, alone.image)
