from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassJaccardIndex

from i2i.errors import InputError
from i2i.metrics.segmentation import Segmentation, confusion_matrix, indices_of, scores

NAMES = ["sky", "road", "tree", "void"]


def naive(labels: torch.Tensor, read: torch.Tensor, classes: int, ignored: set[int]) -> tuple[float, float, float]:
    """Mean IoU and both accuracies, pixel by pixel."""
    both = [(int(a), int(b)) for a, b in zip(labels.flatten(), read.flatten(), strict=True)]
    counted = [(a, b) for a, b in both if a not in ignored and a < classes]
    ious = []
    for c in set(range(classes)) - ignored:
        union = sum(a == c or b == c for a, b in counted)
        if union:
            ious.append(sum(a == b == c for a, b in counted) / union)
    accuracy = sum(a == b for a, b in counted) / len(counted)
    return sum(ious) / len(ious), accuracy, sum(a == b and a < classes for a, b in both) / len(both)


@settings(max_examples=40)
@given(st.data())
def test_it_is_the_loop_over_pixels(data: st.DataObject) -> None:
    classes = data.draw(st.integers(2, 6))
    ignored = data.draw(st.sets(st.integers(1, classes - 1), max_size=classes - 1))
    label = st.lists(st.integers(0, classes), min_size=12, max_size=12)
    labels, read = (torch.tensor(data.draw(label)).reshape(1, 3, 4) for _ in range(2))
    labels[0, 0, 0] = 0  # something that counts
    found = scores(confusion_matrix(labels, read, classes), sorted(ignored))
    expected = naive(labels, read, classes, ignored)
    assert (found.mean_iou, found.accuracy, found.accuracy_all) == pytest.approx(expected)


def test_it_is_the_jaccard_index_of_torchmetrics() -> None:
    labels, read = torch.randint(0, 5, (4, 8, 8)), torch.randint(0, 5, (4, 8, 8))
    labels[labels == 4] = 3  # class 4 is read, but is nowhere in the maps
    theirs = MulticlassJaccardIndex(5, average="none", ignore_index=3)(read, labels)
    found = scores(confusion_matrix(labels, read, 5), [3]).iou
    assert math.isnan(float(found[3]))
    torch.testing.assert_close(found[[0, 1, 2, 4]].float(), theirs[[0, 1, 2, 4]])


def test_it_is_of_the_data_set_and_not_a_mean_over_photos() -> None:
    metric = Segmentation(NAMES, ["void"], {})
    labels = torch.tensor([[[0, 0], [0, 0]], [[0, 0], [0, 1]]])
    read = torch.tensor([[[0, 0], [0, 0]], [[1, 1], [1, 1]]])
    for i in range(2):
        metric.update(labels[i : i + 1], read[i : i + 1])
    miou = metric.results()[0]
    assert miou.parts["sky"] == pytest.approx(100 * 4 / 7)
    assert miou.parts["road"] == pytest.approx(100 * 1 / 4)
    assert miou.value == pytest.approx((100 * 4 / 7 + 25) / 2)
    assert math.isnan(miou.parts["tree"]) and "void" not in miou.parts
    assert miou.protocol["classes averaged"] == 2
    assert miou.protocol["ignored classes"] == ["void"]


def test_the_protocol_says_of_how_many_photos() -> None:
    metric = Segmentation(NAMES, ["void"], {})
    labels = torch.zeros(3, 2, 2, dtype=torch.long)
    for part in (labels[:2], labels[2:]):
        metric.update(part, part)
    assert [result.protocol["photos"] for result in metric.results()] == [3, 3, 3]
    metric.reset()
    metric.update(labels, labels)
    assert metric.results()[0].protocol["photos"] == 3


def test_the_two_accuracies_differ_by_what_is_ignored() -> None:
    labels = torch.tensor([[[0, 0, 3, 3]]])
    read = torch.tensor([[[0, 1, 0, 1]]])
    metric = Segmentation(NAMES, ["void"], {})
    metric.update(labels, read)
    _, accuracy, counted = metric.results()
    assert (accuracy.value, counted.value) == (50, 25)


def test_readings_of_no_class_are_wrong_and_labels_of_no_class_do_not_count() -> None:
    metric = Segmentation(NAMES, [], {}, labels=6)
    metric.update(torch.tensor([[[0, 0, 4, 5]]]), torch.tensor([[[0, 4, 0, 4]]]))
    miou, accuracy, counted = metric.results()
    assert (miou.value, accuracy.value, counted.value) == (50, 50, 25)


def test_what_does_not_fit_is_refused() -> None:
    metric = Segmentation(NAMES, [], {})
    with pytest.raises(InputError, match="label 7 in the map does not fit the class table of 4 classes"):
        metric.update(torch.tensor([[[7]]]), torch.tensor([[[0]]]))
    with pytest.raises(InputError, match="label 9 in the reading"):
        metric.update(torch.tensor([[[0]]]), torch.tensor([[[9]]]))
    with pytest.raises(InputError, match="do not fit"):
        metric.update(torch.zeros(1, 2, 2, dtype=torch.long), torch.zeros(1, 2, 3, dtype=torch.long))
    with pytest.raises(InputError, match="no pixel of a class that counts"):
        metric.compute()
    with pytest.raises(InputError, match="ignored classes: no class is called 'lake'; the classes are sky"):
        Segmentation(NAMES, ["lake"], {})
    with pytest.raises(InputError, match="all classes are ignored"):
        Segmentation(NAMES, NAMES, {})
    with pytest.raises(InputError, match="more than one class is called 'screen'"):
        indices_of(["screen", "screen"], ["screen"], "outputs")
