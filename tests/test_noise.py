"""Noisy maps as conditions: what convolutions take of them, and which pixels share a vector."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from i2i.errors import InputError
from i2i.label_regions import Regions, class_regions, image_regions, instance_regions
from i2i.noise import PixelNoiseMap, RegionNoiseMap
from i2i.pixels import Pixels
from i2i.semantics import SemanticMap

CLASSES = 3


def maps(edges: bool = False) -> SemanticMap:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (2, 6, 8), generator=random)
    instances = torch.randint(-1, 2, labels.shape, generator=random)
    return SemanticMap.from_labels(labels, CLASSES, instances if edges else None)


@pytest.mark.parametrize("edges", [False, True])
def test_dense_is_labels_then_noise_and_resizes_as_a_picture(edges: bool) -> None:
    semantics = maps(edges)
    found = class_regions(semantics)
    vectors = torch.randn(found.regions.count, 5)
    noisy = RegionNoiseMap(semantics, found.regions, vectors)
    dense = noisy.dense()
    assert noisy.channels == dense.shape[1] == CLASSES + edges + 5
    assert torch.equal(dense[:, :-5], semantics.dense())
    for n in range(2):
        for y in range(6):
            for x in range(8):
                (place,) = ((found.image == n) & (found.label == semantics.labels[n, y, x])).nonzero()
                assert torch.equal(dense[n, -5:, y, x], vectors[place[0]])
    smaller = noisy.resized(4, 3)
    assert (smaller.size, smaller.batch) == ((4, 3), 2)
    assert torch.equal(smaller.dense(), F.interpolate(dense, size=(4, 3), mode="nearest"))
    assert torch.equal(noisy.repeated(2).dense(), dense.repeat(2, 1, 1, 1))
    assert torch.equal(noisy.to("cpu").dense(torch.float64), dense.double())
    pixels = Pixels.cropped(torch.tensor([1, 0, 1]), torch.tensor([0, 2, 1]), torch.tensor([3, 0, 1]), (3, 4))
    assert torch.equal(noisy.gathered(pixels).dense(), pixels.of_photos(dense))


def test_noise_of_each_pixel() -> None:
    semantics, noise = maps(), torch.randn(2, 5, 6, 8)
    noisy = PixelNoiseMap(semantics, noise)
    assert torch.equal(noisy.dense(), torch.cat([semantics.dense(), noise], 1))
    assert torch.equal(noisy.resized(3, 4).dense(), F.interpolate(noisy.dense(), size=(3, 4), mode="nearest"))
    assert torch.equal(noisy.repeated(2).dense(), noisy.dense().repeat(2, 1, 1, 1))
    pixels = Pixels.shifted((6, 8), torch.tensor([2, -1]), torch.tensor([0, 3]))
    assert torch.equal(noisy.gathered(pixels).dense(), pixels.of_photos(noisy.dense()))
    assert noisy.to("cpu").size == (6, 8)


def test_regions_of_images_classes_and_instances() -> None:
    semantics = maps(edges=True)
    assert semantics.instances is not None
    images = image_regions(semantics)
    assert torch.equal(images.index, torch.tensor([0, 1])[:, None, None].expand(2, 6, 8)) and images.count == 2
    keys = {
        "class": (class_regions(semantics), lambda n, y, x: (n, int(semantics.labels[n, y, x]))),
        "instance": (
            instance_regions(semantics),
            lambda n, y, x: (n, int(semantics.labels[n, y, x]), int(semantics.instances[n, y, x])),  # type: ignore
        ),
    }
    for found, key in keys.values():
        of_key = {}
        for n in range(2):
            for y in range(6):
                for x in range(8):
                    region = int(found.regions.index[n, y, x])
                    assert of_key.setdefault(key(n, y, x), region) == region
                    assert (int(found.image[region]), int(found.label[region])) == key(n, y, x)[:2]
        assert len(set(of_key.values())) == len(of_key) == found.regions.count
    classes, instances = keys["class"][0], keys["instance"][0]
    assert torch.equal(classes.place, classes.label) and classes.places == CLASSES
    for n in range(2):
        own = instances.place[instances.image == n]
        assert torch.equal(own, torch.arange(len(own)))
    assert instances.places == max(int((instances.image == n).sum()) for n in range(2))


def test_codes_tell_regions_apart_and_one_region_shares_the_maps_patterns() -> None:
    semantics = SemanticMap.from_labels(torch.zeros(2, 5, 5, dtype=torch.long), CLASSES)
    apart = RegionNoiseMap(semantics, image_regions(semantics), torch.zeros(2, 1)).patterns(5, 5)
    assert len(apart.inner) == 2 * len(semantics.patterns(5, 5).inner)
    together = Regions(torch.zeros(2, 5, 5, dtype=torch.long), 1)
    assert RegionNoiseMap(semantics, together, torch.zeros(1, 1)).patterns(5, 5) is semantics.patterns(5, 5)


def test_regions_found_in_inference_serve_training() -> None:
    with torch.inference_mode():
        semantics = maps()
        regions = class_regions(semantics).regions.resized(3, 4)
    noise = torch.randn(regions.count, 2, requires_grad=True)
    F.embedding(regions.index, noise).sum().backward()
    assert noise.grad is not None


def test_instances_are_asked_for() -> None:
    with pytest.raises(InputError, match="no instance maps"):
        instance_regions(maps())
