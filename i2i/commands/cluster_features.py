"""`i2i cluster-features MODEL OUT -c CONFIG`: what instances look like, so that looks can be drawn without a photo."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from i2i.checkpoint import restore, write_atomically
from i2i.classes import LabelEncoding
from i2i.clusters import find_clusters
from i2i.commands.arguments import Parser
from i2i.commands.data import read_data
from i2i.data.check import label_names
from i2i.data.datamodule import DataModule
from i2i.device import choose_device
from i2i.errors import InputError
from i2i.model_folder import load_model
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.semantics import LabelSemantics


def run(arguments: Sequence[str]) -> int:
    """Encode the training set, cluster, and write the model with its clusters."""
    options, overrides = _parser().parse_known_args(arguments[1:])
    if options.clusters < 1:
        raise InputError(f"--clusters is {options.clusters}; it is a number of clusters a class, at least 1")
    if not 0 <= options.smallest < 1:
        raise InputError(
            f"--smallest is {options.smallest}; it is a share of the picture, from 0 up to, but without, 1"
        )
    if options.out.exists() and options.model.exists() and options.out.samefile(options.model):
        raise InputError(f"{options.out} is the model itself; name another file to write")
    contents = load_model(options.model)
    encoder, semantics = restore(contents, "encoder"), restore(contents, "semantics")
    if not isinstance(encoder, InstanceEncoder):
        raise InputError(f"{options.model}: this model has no instance features, so there is nothing to cluster")
    data = read_data(options.config, overrides)
    _check(options.model, semantics, data)
    features, classes = _encode(encoder.eval().to(choose_device(options.device)), semantics, data, options.smallest)
    clustering = partial(track, description="Clustering the classes")
    found = find_clusters(features, classes, options.clusters, options.seed, clustering)
    encoder.set_clusters(*(torch.from_numpy(part) for part in (found.centres, found.classes, found.counts)))
    clustered = {f"encoder.{name}": t.cpu() for name, t in encoder.state_dict().items() if name.startswith("cluster_")}
    model = {"i2i": contents["i2i"], "state_dict": {**contents["state_dict"], **clustered}}
    write_atomically(options.out, lambda file: torch.save(model, file))
    assert data.encoding is not None, "label maps have an encoding"
    print(_summary(np.unique(classes), len(classes), len(found.counts), data.encoding))
    print(f"wrote {options.out}; next: i2i synthesize {options.out} LABELS OUT")
    return 0


def _check(model: Path, semantics: LabelSemantics, data: DataModule) -> None:
    own, found = semantics, data.semantics
    if not isinstance(found, LabelSemantics):
        raise InputError(f"{model}: trained on label maps, the data set of the configuration has images")
    if (own.num_classes, own.edges) != (found.num_classes, found.edges):
        word = {True: "with", False: "without"}
        raise InputError(
            f"{model}: trained on {own.num_classes} classes {word[own.edges]} instances, the data set of the "
            f"configuration has {found.num_classes} {word[found.edges]}"
        )


@torch.inference_mode()
def _encode(
    encoder: InstanceEncoder, semantics: LabelSemantics, data: DataModule, smallest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Features and classes of all instances of the training set."""
    device = encoder.last.weight.device
    features, classes = [], []
    for batch in track(data.in_order("train"), description="Encoding the training set"):
        if "photo" not in batch:
            raise InputError(f"{batch['name'][0]}: no photo; the features of instances are taken from photos")
        condition = semantics.read(batch).to(device)
        index, values = encoder.encode(batch["photo"].to(device), condition)
        height, width = condition.size
        large = index.pixels >= smallest * height * width
        features.append(values[large].float().cpu().numpy())
        classes.append(index.classes(condition.labels, condition.num_classes)[large].cpu().numpy())
    if not sum(map(len, classes)):
        raise InputError(f"no instance covers {smallest} of a picture; a smaller --smallest is needed")
    return np.concatenate(features), np.concatenate(classes)


def _summary(seen: np.ndarray, instances: int, clusters: int, encoding: LabelEncoding) -> str:
    names = label_names(encoding)
    absent = [name for label, name in enumerate(names) if label not in seen]
    line = f"{instances} instances of {len(seen)} classes in {clusters} clusters"
    if absent:
        few = ", ".join(absent[:8]) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
        line += f"; never seen, so they get the mean of all: {few}"
    return line


def _parser() -> Parser:
    parser = Parser(
        "i2i cluster-features",
        description="Clusters of what the instances of each class look like, for models with instance features.",
    )
    parser.add_argument("model", type=Path, help="a checkpoint of a training run, or a model")
    parser.add_argument("out", type=Path, help="the model file to write")
    parser.add_argument("-c", "--config", action="append", required=True, help="the configuration of the training")
    parser.add_argument("--clusters", type=int, default=10, help="of a class, at most (default 10)")
    parser.add_argument(
        "--smallest",
        type=float,
        default=0.0,
        help="share of the picture that an instance must cover to count (default 0: all count)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the k-means (default 0)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto (default)")
    return parser
