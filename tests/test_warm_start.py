"""Weights of another model: where they go, what stays new, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from i2i.checkpoint import save_model
from i2i.errors import InputError
from i2i.nn.average import averaged_copy
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics, SemanticMap
from i2i.warm_start import warm_start

CLASSES = 3


def coarse(**change: Any) -> GlobalGenerator:
    return GlobalGenerator(**{"label_channels": CLASSES, "width": 4, "downsamplings": 1, "blocks": 1} | change)


def fine(levels: int = 1, **change: Any) -> LocalEnhancer:
    given = {"label_channels": CLASSES, "width": 4 >> levels, "levels": levels, "blocks": 1}
    return LocalEnhancer(**given | {"coarse_downsamplings": 1, "coarse_blocks": 1} | change)


def judge(scales: int = 2, **change: Any) -> MultiscalePatchGAN:
    return MultiscalePatchGAN(CLASSES, **{"width": 2, "layers": 2, "scales": scales, "spectral": False} | change)


def saved(path: Path, generator: Generator, **parts: nn.Module) -> Path:
    save_model(path, generator, LabelSemantics(CLASSES), **parts)  # type: ignore[arg-type]
    return path


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@torch.no_grad()
def test_the_global_network_becomes_the_coarse_one(tmp_path: Path) -> None:
    """Its features, before its last layer, are those that the enhancer adds, on the map at half the size."""
    before, after, discriminator = coarse(), fine(), judge()
    average, new = averaged_copy(after), judge()
    fresh = {name: t.clone() for name, t in after.state_dict().items()}
    report = warm_start(saved(tmp_path / "m.ckpt", before, discriminator=discriminator), after, new, None, average)
    assert same(after.coarse, before.trunk) and same(average, after) and same(new, discriminator)
    kept = {name for name, t in after.state_dict().items() if torch.equal(t, fresh[name]) and t.any()}
    assert {name.split(".")[0] for name in kept} == {"enhancers", "last"}
    x = torch.rand(1, CLASSES, 8, 8)
    torch.testing.assert_close(torch.tanh(before.last(after.coarse(x))), torch.tanh(before.last(before.trunk(x))))
    assert report.splitlines()[1:] == [
        "  generator: coarse taken; its last layer not; new: enhancers.0, last",
        "  discriminator: taken as a whole",
    ]


def test_an_enhancer_becomes_the_coarser_levels_of_the_next(tmp_path: Path) -> None:
    before, after = fine(1), fine(2)
    report = warm_start(saved(tmp_path / "m.ckpt", before), after, judge())
    assert same(after.coarse, before.coarse) and same(after.enhancers[0], before.enhancers[0])
    assert "coarse, enhancers.0 taken" in report and "new: enhancers.1, last" in report
    assert "discriminator: new, there is none in the file" in report


def test_the_same_generator_is_taken_as_a_whole(tmp_path: Path) -> None:
    for before, after in ((coarse(), coarse()), (fine(), fine())):
        path = saved(tmp_path / "m.ckpt", before)
        assert "generator: taken as a whole" in warm_start(path, after, judge())
        assert same(after, before)


def test_the_average_is_preferred(tmp_path: Path) -> None:
    before, after = coarse(), fine()
    path = saved(tmp_path / "m.ckpt", before)
    content = torch.load(path, weights_only=True)
    halves = {name.replace("generator.", "average."): t / 2 for name, t in content["state_dict"].items()}
    torch.save(content | {"state_dict": content["state_dict"] | halves}, path)
    assert "averaged weights" in warm_start(path, after, judge())
    torch.testing.assert_close(after.coarse.down[0][0].weight, before.trunk.down[0][0].weight / 2)  # type: ignore


@pytest.mark.parametrize(
    ("old", "new", "pairs", "words"),
    [
        (2, 3, [(0, 1), (1, 2)], "its 2 scales taken for the coarsest; new: the 1 finest"),
        (3, 2, [(1, 0), (2, 1)], "its 2 coarsest scales taken, of 3"),
        (1, 1, [(0, 0)], "taken as a whole"),
    ],
)
def test_scales_keep_the_size_of_photo_that_they_saw(
    old: int, new: int, pairs: list[tuple[int, int]], words: str, tmp_path: Path
) -> None:
    """At twice the photo, the scale that is added is the finest: the others see what they have seen before."""
    before, after = judge(old), judge(new)
    fresh = [scale.state_dict()["layers.0.0.weight"].clone() for scale in after.scales]
    report = warm_start(saved(tmp_path / "m.ckpt", coarse(), discriminator=before), fine(), after)
    assert words in report
    for theirs, ours in pairs:
        assert same(after.scales[ours], before.scales[theirs])
    for i in {*range(new)} - {ours for _, ours in pairs}:
        assert torch.equal(after.scales[i].state_dict()["layers.0.0.weight"], fresh[i])
    if new > old:
        condition, photo = SemanticMap(torch.randint(CLASSES, (1, 16, 16)), CLASSES), torch.rand(1, 3, 16, 16)
        half = torch.nn.functional.avg_pool2d(torch.cat([condition.dense(), photo], 1), 3, 2, 1, False, False)
        torch.testing.assert_close(after(condition, photo)[1][-1], before.scales[0](half)[-1])


def test_a_discriminator_or_encoder_that_does_not_fit_stays_new(tmp_path: Path) -> None:
    parts: dict[str, nn.Module] = {"discriminator": judge(width=3), "encoder": StyleEncoder(4, width=2, size=16)}
    discriminator, encoder = judge(), InstanceEncoder(2, width=2, downsamplings=1)
    before = [{n: t.clone() for n, t in part.state_dict().items()} for part in (discriminator, encoder)]
    report = warm_start(saved(tmp_path / "m.ckpt", coarse(), **parts), fine(), discriminator, encoder)
    assert "scales.0.layers.0.0.weight is (3, 6, 4, 4) in the file and (2, 6, 4, 4) here" in report
    assert "encoder: new: the file's does not fit InstanceEncoder" in report
    for part, state in zip((discriminator, encoder), before, strict=True):
        assert all(torch.equal(t, state[n]) for n, t in part.state_dict().items())


def test_the_encoder_comes_without_its_clusters(tmp_path: Path) -> None:
    before, after = (InstanceEncoder(2, width=2, downsamplings=1) for _ in range(2))
    before.set_clusters(torch.zeros(4, 2), torch.zeros(4), torch.ones(4))
    report = warm_start(saved(tmp_path / "m.ckpt", coarse(), encoder=before), fine(), judge(), after)
    assert "encoder: taken as a whole" in report
    assert same(after.trunk, before.trunk) and len(after.cluster_counts) == 0


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (coarse(width=8), fine(), r"coarse.down.0.0.weight is \(8, 3, 7, 7\) in the file and \(4, 3, 7, 7\) here"),
        (coarse(feature_channels=2), fine(), r"\(4, 5, 7, 7\) in the file and \(4, 3, 7, 7\) here"),
        (coarse(blocks=2), fine(), "coarse.blocks.1.*of the file has no place here"),
        (coarse(downsamplings=2), fine(), "does not fit the earlier stage"),
        (coarse(), fine(2), "enhancers.0.* is not in the file"),
        (fine(), coarse(), "does not fit this one"),
        (SPADEGenerator(CLASSES, width=1, hidden=2), fine(), "is not in the file"),
    ],
)
def test_a_generator_that_does_not_fit_is_refused(
    before: Generator, after: Generator, message: str, tmp_path: Path
) -> None:
    state = {name: t.clone() for name, t in after.state_dict().items()}
    with pytest.raises(InputError, match=message) as caught:
        warm_start(saved(tmp_path / "m.ckpt", before), after, judge())
    assert "m.ckpt: its generator" in str(caught.value) and "\n" not in str(caught.value)
    assert all(torch.equal(t, state[name]) for name, t in after.state_dict().items())


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"nowhere.ckpt: no such file"):
        warm_start("nowhere.ckpt", fine(), judge())
