"""Clusters of instance features, class by class (Wang et al. 2018, section 3.4)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clusters:
    """The centres of all clusters of all classes.

    Attributes:
        centres: (M, features).
        classes: (M,), the class of each cluster, ascending.
        counts: (M,), how many instances each stands for.
    """

    centres: NDArray[np.float32]
    classes: NDArray[np.int64]
    counts: NDArray[np.int64]


def find_clusters(
    features: NDArray[np.float32],
    classes: NDArray[np.int64],
    most: int = 10,
    seed: int = 0,
    track: Callable[[list[int]], Iterable[int]] = iter,
) -> Clusters:
    """k-means of the instances of each class.

    Args:
        features: (I, features), of each instance.
        classes: (I,), the class of each.
        most: number of clusters of a class; a class with fewer different instances has as many clusters as these.
        seed: of the k-means' starts.
        track: wraps the list of classes while they are walked, to show progress.
    """
    from sklearn.cluster import KMeans  # takes a second to import, and only this needs it

    centres, labels, counts = [], [], []
    for label in track(np.unique(classes).tolist()):
        own = features[classes == label].astype(np.float64)
        count = min(most, len(np.unique(own, axis=0)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fewer clusters than asked for, where instances nearly coincide
            means = KMeans(count, n_init=10, random_state=seed).fit(own)
        sizes = np.bincount(means.labels_, minlength=count)
        order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
        centres.append(means.cluster_centers_[order])
        labels += [label] * len(order)
        counts.append(sizes[order])
    return Clusters(np.concatenate(centres).astype(np.float32), np.array(labels), np.concatenate(counts))
