"""Memory that is kept on the CPU: whom it serves, how much of it, and that it gives it back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from i2i.benchmark.memory import peak_bytes
from i2i.nn import compiled, memory
from i2i.nn.compiled import plain_operations
from i2i.nn.memory import kept_memory, release_memory, trim_memory

CPU = torch.device("cpu")
STATM = Path("/proc/self/statm")
MANY = 3_000_000  # values: a block of 12 MB

pytestmark = pytest.mark.skipif(not compiled.available(), reason="no compiler")


@pytest.fixture(autouse=True)
def _given_back() -> Iterator[None]:
    release_memory()
    yield
    release_memory()


def kept() -> int:
    return int(torch.ops.i2i.kept_memory())


def test_a_block_is_used_again() -> None:
    with kept_memory(CPU):
        first = torch.empty(MANY)
        place, size = first.data_ptr(), first.nbytes
        del first
        assert kept() == size
        again = torch.full((MANY,), 3.0)
        assert again.data_ptr() == place and kept() == 0
        little_less = torch.empty(int(MANY * 0.9))
        assert little_less.data_ptr() != place
    assert torch.equal(again, torch.full((MANY,), 3.0))


def test_a_block_serves_what_is_a_little_smaller_and_not_what_is_half() -> None:
    with kept_memory(CPU):
        place = torch.empty(MANY).data_ptr()
        assert torch.empty(MANY // 2).data_ptr() != place
        assert torch.empty(int(MANY * 0.85)).data_ptr() == place


def test_outside_on_other_threads_and_in_small_nothing_is_kept() -> None:
    def work() -> None:
        del_me = torch.empty(MANY)
        del del_me

    work()
    with kept_memory(CPU):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        torch.empty(1000)
        with plain_operations(), kept_memory(CPU):
            pass
    with plain_operations(), kept_memory(CPU):
        work()
    assert kept() == 0


def test_what_outlives_it_comes_back_whenever_it_is_freed() -> None:
    with kept_memory(CPU):
        with kept_memory(CPU):
            tensor = torch.zeros(MANY)
        inner = torch.zeros(MANY)  # still kept: the outer one goes on
        del inner
        before = kept()
    moved: list[Tensor] = [tensor]
    size = tensor.nbytes
    del tensor
    thread = threading.Thread(target=moved.clear)
    thread.start()
    thread.join()
    assert before == size and kept() == 2 * size
    release_memory()
    assert kept() == 0


def test_no_more_is_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_limit", lambda: 20_000_000)
    with kept_memory(CPU):
        blocks = [torch.empty(MANY) for _ in range(3)]
        blocks.clear()
        assert 0 < kept() <= 20_000_000


def test_an_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError), kept_memory(CPU):
        _ = 1 / 0
    torch.empty(MANY)
    assert kept() == 0


def test_the_profiler_sees_it() -> None:
    def work() -> None:
        with kept_memory(CPU):
            a = torch.empty(MANY)
            b = torch.empty(MANY)
            del a, b

    for _ in range(2):
        assert peak_bytes(work, CPU) == 2 * 4 * MANY


def test_a_forked_process_can_use_it() -> None:
    with kept_memory(CPU):
        tensor = torch.ones(MANY)
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)  # as in a loader's worker; the parent's threads are not there any more
            found = float((tensor + 1).sum())
            del tensor
            os._exit(0 if found == 2 * MANY else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert float(tensor.sum()) == MANY


@pytest.mark.skipif(not STATM.exists(), reason="no /proc")
def test_gaps_between_blocks_are_given_back() -> None:
    def resident() -> int:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    blocks = [torch.ones(25_000) for _ in range(2000)]  # 100 kB each, which the C library serves from its heap
    pins = blocks[::10]
    full = resident()
    blocks.clear()
    trim_memory()
    assert full - resident() > 100_000 * 1500
    assert all(float(pin.sum()) == 25_000 for pin in pins)
