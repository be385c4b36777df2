"""The order of samples: seeded, complete, shared out between processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from i2i.data.sampler import EpochSampler
from i2i.errors import InputError


@given(st.integers(0, 60), st.integers(1, 8), st.booleans(), st.integers(0, 9))
def test_processes_share_an_epoch_without_repeats(length: int, world: int, shuffle: bool, epoch: int) -> None:
    keys, shares = [], []
    for rank in range(world):
        sampler = EpochSampler(length, 3, shuffle, rank, world)
        sampler.set_epoch(epoch)
        share = list(sampler)
        assert len(share) == len(sampler)
        shares.append(len(share))
        keys += share
    indices = [index for _, index in keys]
    assert {e for e, _ in keys} <= {epoch} and len(set(indices)) == len(indices)
    if shuffle:
        assert set(shares) == {length // world}
    else:
        assert sorted(indices) == list(range(length))


@given(st.integers(0, 20), st.integers(1, 8))
def test_where_no_process_may_be_idle_only_those_that_would_be_repeat_a_sample(length: int, world: int) -> None:
    for rank in range(world):
        plain = [index for _, index in EpochSampler(length, 0, False, rank, world)]
        sampler = EpochSampler(length, 0, False, rank, world, never_empty=True)
        share = [index for _, index in sampler]
        assert len(share) == len(sampler)
        assert share == plain if plain or not length else len(share) == 1 and 0 <= share[0] < length


def test_epochs_and_seeds_give_other_orders_and_the_same_ones_again() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochSampler(50, seed)
        sampler.set_epoch(epoch)
        return [index for _, index in sampler]

    assert order(0, 1) == order(0, 1)
    assert sorted(order(0, 1)) == list(range(50))
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_every_sample_has_its_turn_under_many_processes() -> None:
    seen: set[int] = set()
    for epoch in range(12):
        for rank in range(4):
            sampler = EpochSampler(11, 0, True, rank, 4)
            sampler.set_epoch(epoch)
            seen |= {index for _, index in sampler}
    assert seen == set(range(11))


def test_an_interrupted_epoch_goes_on_where_it_stopped() -> None:
    whole = EpochSampler(20, 5)
    whole.set_epoch(4)
    resumed = EpochSampler(20, 5)
    resumed.start_at(4, 13)
    resumed.set_epoch(4)
    assert list(resumed) == list(whole)[13:]
    resumed.set_epoch(5)
    assert len(list(resumed)) == 20


def test_a_rank_outside_the_world() -> None:
    with pytest.raises(InputError, match="rank is 2 of 2"):
        EpochSampler(5, rank=2, world=2)
