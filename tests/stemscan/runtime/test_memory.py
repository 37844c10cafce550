"""Memory is asked for before it is taken: of the machine, of control groups of both versions, of the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stemscan.errors import StemscanError, TooLittleMemoryError
from stemscan.runtime import memory
from stemscan.runtime.memory import Room, require_memory, room

GB = 10**9
MEMINFO = "MemTotal:  16000000 kB\nMemFree:  1 kB\nMemAvailable:  8000000 kB\nSwapFree:  1000000 kB\nHuge:\n"


def system(folder: Path, files: dict[str, str]) -> Path:
    """A root with the files of a system."""
    for name, text in {"proc/meminfo": MEMINFO, "proc/self/status": "VmSize: 10 kB\nVmData: 5 kB\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_machine(tmp_path: Path) -> None:
    assert room(system(tmp_path, {})) == Room(9_216_000_000, "of the whole machine")


def test_nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room(tmp_path) is None
    monkeypatch.setattr(memory, "room", lambda: None)
    require_memory(1e18, "for anything")


@pytest.mark.parametrize("group", ["/a/b", "/", "/not/there"])
def test_control_groups_of_version_2(tmp_path: Path, group: str) -> None:
    files = {"proc/self/cgroup": f"0::{group}\n", "sys/fs/cgroup/memory.max": "max\n"}
    files |= {f"sys/fs/cgroup/a/{name}": text for name, text in limits(4 * GB, 3 * GB, GB // 2).items()}
    files |= {"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5\n"}
    found = room(system(tmp_path, files))
    if group == "/a/b":
        assert found == Room(3 * GB // 2, "limit of 4 GB of the control group")
    else:
        assert found == room(system(tmp_path / "bare", {}))


def limits(limit: int, used: int, returnable: int) -> dict[str, str]:
    """Files of a group of version 2."""
    return {
        "memory.max": f"{limit}\n",
        "memory.current": f"{used}\n",
        "memory.stat": f"anon 7\ninactive_file {returnable}\n",
    }


def test_the_swap_of_a_group_counts(tmp_path: Path) -> None:
    files = {f"sys/fs/cgroup/{name}": text for name, text in limits(GB, GB, 0).items()}
    files |= {"sys/fs/cgroup/memory.swap.max": f"{2 * GB}\n", "sys/fs/cgroup/memory.swap.current": f"{GB}\n"}
    assert room(system(tmp_path, {"proc/self/cgroup": "0::/\n", **files})) == Room(
        GB, "limit of 1 GB of the control group"
    )


@pytest.mark.parametrize("group", ["/docker/77", "/"])
def test_control_groups_of_version_1(tmp_path: Path, group: str) -> None:
    """In a container the process is told its group's name outside of it, and finds its files at the mount."""
    files = {
        "proc/self/cgroup": f"9:cpu,cpuacct:/x\n4:memory:{group}\n0::/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GB}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{2 * GB + 5}\n",
        "sys/fs/cgroup/memory/memory.stat": f"inactive_file 3\ntotal_inactive_file {GB}\n",
    }
    assert room(system(tmp_path, files)) == Room(GB - 5, "limit of 2 GB of the control group")


def test_no_limit_of_version_1(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
    }
    assert room(system(tmp_path, files)) == Room(9_216_000_000, "of the whole machine")


@pytest.mark.parametrize("text", ["", "nonsense\n", "4:memory\n", "\0"])
def test_files_that_say_something_else_are_passed_over(tmp_path: Path, text: str) -> None:
    assert room(system(tmp_path, {"proc/self/cgroup": text})) == Room(9_216_000_000, "of the whole machine")


def test_the_limit_of_the_process() -> None:
    program = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, 3 * 10**9)); "
    program += "from stemscan.runtime.memory import room; found = room(); print(found.free < 3 * 10**9, found.limit)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True limit of 3 GB of the process, ulimit\n"


def test_a_refusal_says_what_is_needed_and_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "room", lambda: Room(4 * GB, "limit of 5 GB of the control group"))
    require_memory(3.9 * GB, "to draw")
    text = r"expected 4\.1 GB of free memory to draw, got 4 GB \(limit of 5 GB of the control group\); take less"
    with pytest.raises(TooLittleMemoryError, match=text) as caught:
        require_memory(4.1 * GB, "to draw", "take less")
    assert isinstance(caught.value, StemscanError | MemoryError)
    assert caught.value.exit_code == 1


def test_a_small_need_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "room", lambda: Room(0, "of the whole machine"))
    require_memory(10**7, "to draw")
