"""Maps with a style code for each region."""

from __future__ import annotations

import torch

from i2i.label_regions import regions_of
from i2i.pixels import Pixels
from i2i.semantics import SemanticMap
from i2i.styled_map import StyledMap


def test_a_part_has_the_codes_of_its_pixels_and_no_others() -> None:
    torch.manual_seed(0)
    labels, ids = torch.randint(0, 5, (2, 6, 7)), torch.randint(0, 3, (2, 6, 7))
    semantics = SemanticMap.from_labels(labels, 5, ids)
    found = regions_of(semantics, "instance")
    styled = StyledMap(semantics, found.regions, found.label, torch.randn(found.regions.count, 4))
    crop = Pixels.cropped(torch.arange(2), torch.tensor([1, 1]), torch.tensor([2, 2]), (2, 3))
    part = styled.gathered(crop)
    assert part.size == (2, 3) and part.batch == 2 and part.device == labels.device
    for n in range(2):
        for y in range(2):
            for x in range(3):
                here, there = part.regions.index[n, y, x], found.regions.index[n, y + 1, x + 2]
                assert torch.equal(part.codes[here], styled.codes[there])
                assert part.labels[here] == part.semantics.labels[n, y, x] == labels[n, y + 1, x + 2]
    assert part.regions.count == len(part.codes) == len(part.regions.index.unique()) < found.regions.count
