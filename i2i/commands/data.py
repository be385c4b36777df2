"""`i2i data check|cache|edges|write-scenes`: look at a data set before training, make it quick to load, or make one."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from jsonargparse import ArgumentParser

from i2i.commands.arguments import Parser, split_flags
from i2i.commands.configuration import read_configuration, refuse_samples
from i2i.data.caching import write_cache
from i2i.data.check import check_all
from i2i.data.datamodule import DataModule
from i2i.data.derive import CannyEdges
from i2i.data.edges import write_edges
from i2i.data.paired import SPLITS
from i2i.data.scenes import write_scenes
from i2i.errors import InputError
from i2i.nn.generator import Generator


def run(arguments: Sequence[str]) -> int:
    """Run one of the sub-commands; `check` ends with status 1 if training would fail."""
    parser = Parser("i2i data", description="Data sets: check one, make it quick to load, or make one.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="walk the set of a configuration and report what is wrong with it")
    check.add_argument("-c", "--config", action="append", required=True, help="a configuration of i2i fit")
    cache = commands.add_parser("cache", help="stretch all samples once and keep them, so that training loads quickly")
    cache.add_argument("-c", "--config", action="append", required=True, help="a configuration of i2i fit")
    cache.add_argument("out", type=Path, nargs="+", help="folders to write to, on as many disks as it takes")
    cache.add_argument("--splits", nargs="+", choices=SPLITS, help="by default all that the set has")
    cache.add_argument("--shard", type=int, default=256, help="samples in a file (default 256)")
    cache.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    write = commands.add_parser("write-scenes", help="write the procedural landscapes as photos, labels, instances")
    write.add_argument("out", type=Path, help="folder to write to")
    write.add_argument("--train", type=int, default=2000, help="training scenes (default 2000)")
    write.add_argument("--val", type=int, default=100, help="validation scenes (default 100)")
    write.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    write.add_argument("--seed", type=int, default=0)
    edges = commands.add_parser("edges", help="from photos to a set for edges -> photo: the folders A and B")
    edges.add_argument("photos", type=Path, help="folder of photos, or of train, val and test with photos")
    edges.add_argument("out", type=Path, help="folder to write to; run again, it goes on where it was left")
    edges.add_argument("--low", type=float, default=5.0, help="gradient, 0 to 255, where edges end (default 5)")
    edges.add_argument("--high", type=float, default=15.0, help="gradient where edges begin (default 15)")
    edges.add_argument("--blur", type=float, default=1.0, help="pixels by which photos are smoothed (default 1)")
    edges.add_argument("--workers", type=int, default=4, help="threads (default 4)")
    overrides, own = split_flags(arguments[1:], ["--data", "--model"])
    options, others = parser.parse_known_args(own)
    if options.command == "check":
        return _check(options.config, [*overrides, *others])
    if options.command == "cache":
        return _cache(options, [*overrides, *others])
    if overrides or others:
        parser.error(f"unrecognized arguments: {' '.join([*overrides, *others])}")
    if options.command == "edges":
        detector = CannyEdges(options.low, options.high, options.blur)
        count = write_edges(options.photos, options.out, detector, options.workers)
        print(f"{count} pairs in {options.out}; next: i2i fit -c configs/images/edges.yaml")
    else:
        write_scenes(options.out, train=options.train, val=options.val, size=tuple(options.size), seed=options.seed)
        print(f"wrote {options.train + options.val} scenes to {options.out}")
    return 0


def _check(configs: Sequence[str], overrides: Sequence[str]) -> int:
    data, multiple = _read(configs, overrides)
    report = check_all(data, multiple=multiple)
    print(report)
    return 0 if report.ok else 1


def _cache(options: argparse.Namespace, overrides: Sequence[str]) -> int:
    data = read_data(options.config, [*overrides, "--data.cache", "null"])
    splits = options.splits or ["train", "val"]
    if options.splits is None:
        try:
            data.original.split("test")
            splits.append("test")
        except InputError:
            print("no test split is there; train and val are cached")
    done = write_cache(data, options.out, splits, options.shard, options.workers)
    for line in done.damaged:
        print(f"written anew: {line}")
    folders = [str(folder) for folder in options.out]
    roots = shlex.quote(folders[0] if len(folders) == 1 else f"[{', '.join(folders)}]")
    kept = f", {done.kept} of them there already and whole" if done.kept else ""
    configs = shlex.join([*(part for config in options.config for part in ("-c", str(config))), *overrides])
    print(
        f"{done.samples} samples in {done.shards} shards{kept}: {done.size / 1e6:.0f} MB in "
        f"{', '.join(map(str, options.out))}\nNext: i2i fit {configs} --data.cache {roots}"
    )
    return 0


def read_data(configs: Sequence[str], overrides: Sequence[str]) -> DataModule:
    """The data set of configurations of `i2i fit`; later ones and ``--data.…`` flags override."""
    return _read(configs, overrides)[0]


def _read(configs: Sequence[str], overrides: Sequence[str]) -> tuple[DataModule, int]:
    """The data set, and what height and width must be multiples of for the generator of the configurations."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(DataModule, "data", sub_configs=True)
    parser.add_subclass_arguments(Generator, "model.generator", required=False)
    # Only the sizes that the generator takes are asked for; its channels and classes are the data set's, which is not
    # read yet, so that 1 stands for them.
    for name in ("label_channels", "num_classes"):
        parser.link_arguments("data.batch_size", f"model.generator.init_args.{name}", compute_fn=lambda _: 1)
    sections, has_generator = [], False
    for config in configs:
        content = read_configuration(config)
        refuse_samples(content, config)
        section = {"data": content.get("data", {})}
        model = content.get("model")
        if isinstance(model, dict) and "generator" in model:
            section["model"] = {"generator": model["generator"]}
            has_generator = True
        sections += ["--config", json.dumps(section)]
    with torch.device("meta"):
        built = parser.instantiate(parser.parse_args([*sections, *overrides]))
    return cast(DataModule, built.data), built.model.generator.multiple if has_generator else 1
