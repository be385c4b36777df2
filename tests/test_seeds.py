"""What is a seed, and that everything that draws latents takes it or says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.foundations.condition import ClassSemantics
from i2i.foundations.connected import ConnectedGenerator
from i2i.foundations.latents import SampleLatents
from i2i.foundations.sampler import Sampler
from i2i.latent_space import is_photo, latent_at, name_of
from i2i.seeds import seed_number


@given(st.integers(0, 2**64 - 1))
def test_every_seed_is_one_that_torch_takes(seed: int) -> None:
    drawn = [torch.randn(2, generator=torch.Generator().manual_seed(s)) for s in (seed, seed_number(np.uint64(seed)))]
    assert torch.equal(*drawn)


@pytest.mark.parametrize("wrong", [-1, 2**64, 10**23, 1.0, np.float32(2), "3", None, np.array([1, 2])])
def test_what_is_no_seed_is_named(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"the seed is .*; allowed are whole numbers from 0 to 18446744073709551615"):
        seed_number(wrong)


@pytest.mark.parametrize("draw", ["latents", "sample", "latent_at"])
def test_latents_are_drawn_by_seeds_alone(draw: str) -> None:
    sampler = Sampler(ConnectedGenerator([2], style_dim=3), ClassSemantics())

    def drawn(seed: Any) -> torch.Tensor:
        if draw == "latent_at":
            return latent_at(SampleLatents(sampler), seed)
        return sampler.latents(1, seed) if draw == "latents" else sampler.sample(1, seed)

    assert torch.equal(drawn(5), drawn(np.int64(5))) and torch.isfinite(drawn(2**64 - 1)).all()
    for seed in (2**70, -1):
        with pytest.raises(InputError, match=f"the seed is {seed}"):
            drawn(seed)


def test_a_seed_of_numpy_is_a_place_like_another() -> None:
    assert not is_photo(np.int32(4)) and name_of(np.int32(4)) == "seed 4"
