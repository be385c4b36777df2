"""Checkpoints of the original pix2pixHD code (Wang et al. 2018)."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor

from i2i.convert.official import Official, Part, Weights, known_encoding
from i2i.convert.options import Options
from i2i.data.transforms import NoResize, Resize, ResizeAndCrop, ScaleWidth
from i2i.errors import InputError
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.norm import Norm
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.semantics import LabelSemantics

Rename = Callable[[str], str]

_NORMS: dict[str, Norm] = {"instance": "instance", "batch": "batch"}


def load_pix2pixhd(options: Options, weights: Weights) -> Official:
    """The networks of a run whose generator is ``global`` or ``local``; :class:`InputError` where something is amiss.

    Clusters of instance features are not taken along (the original keeps them in a pickle): find them anew with
    ``i2i cluster-features``.
    """
    if not options["label_nc"]:
        raise InputError(f"{options.path}: label_nc is 0, so its labels are colour images; label maps are needed here")
    if options.get("label_feat", False):
        raise InputError(f"{options.path}: label_feat is not supported; features are those of instances here")
    semantics = LabelSemantics(options["label_nc"], edges=not options.get("no_instance", False))
    norm = options.one_of("norm", _NORMS)
    features = options["feat_num"] if options.get("instance_feat", False) else 0
    network, rename = _generator(options, semantics.channels, features, norm)
    generator = weights.fill(network, "G", _renamed("G", weights, rename, norm))
    discriminator = encoder = None
    if "D" in weights:
        judge, rename = _discriminator(options, semantics.channels, norm)
        discriminator = weights.fill(judge, "D", _renamed("D", weights, rename, norm))
    if "E" in weights and features:
        reader, rename = _encoder(weights, features, norm)
        clusters = {name: tensor for name, tensor in reader.named_buffers() if name.startswith("cluster_")}
        encoder = weights.fill(reader, "E", clusters | _renamed("E", weights, rename, norm))
    encoding = known_encoding(semantics.num_classes)
    return Official(generator, discriminator, encoder, semantics, encoding, _resize(options, generator.multiple))


def _generator(
    options: Options, channels: int, features: int, norm: Norm
) -> tuple[GlobalGenerator | LocalEnhancer, Rename]:
    width, downsamplings, blocks = (options[name] for name in ("ngf", "n_downsample_global", "n_blocks_global"))
    if options["netG"] == "global":
        network = GlobalGenerator(channels, features, width, downsamplings, blocks, norm)
        return network, lambda name: _trunk_name(name, "trunk.", downsamplings, blocks)
    levels, level_blocks = options["n_local_enhancers"], options["n_blocks_local"]

    def rename(name: str) -> str:
        found = re.match(r"model(\d+)_([12])\.(.*)", name)
        if found is None:
            return _trunk_name(name, "coarse.", downsamplings, blocks)
        return _enhancer_name(f"enhancers.{int(found[1]) - 1}.", found[2] == "1", found[3], level_blocks)

    return LocalEnhancer(channels, features, width, levels, level_blocks, downsamplings, blocks, norm), rename


def _discriminator(options: Options, channels: int, norm: Norm) -> tuple[MultiscalePatchGAN, Rename]:
    layers, scales = options["n_layers_D"] + 1, options["num_D"]

    def rename(name: str) -> str:
        """The original counts scales from the smallest photo, and a plain run numbers the layers' parts through."""
        found = re.match(r"scale(\d+)_layer(\d+)\.(\d+)\.(.*)", name)
        if found is not None:
            return f"scales.{scales - 1 - int(found[1])}.layers.{found[2]}.{found[3]}.{found[4]}"
        found = re.match(r"layer(\d+)\.(\d+)\.(.*)", name)
        if found is None:
            return name
        layer, part = divmod(int(found[2]) + 1, 3) if int(found[2]) else (0, 0)
        return f"scales.{scales - 1 - int(found[1])}.layers.{layer}.{part}.{found[3]}"

    width = options["ndf"]
    return MultiscalePatchGAN(channels, width, layers, scales, False, norm, normed_bias=True), rename


def _encoder(weights: Weights, features: int, norm: Norm) -> tuple[InstanceEncoder, Rename]:
    """Its width and depth are no option of every run, so they are read from its weights."""
    tensors = weights["E"]
    if "model.1.weight" not in tensors:
        raise InputError(f"{weights.folder / 'latest_net_E.pth'}: missing model.1.weight; no encoder of pix2pixHD")
    convolutions = sum(tensor.dim() == 4 for tensor in tensors.values())
    downsamplings = max(1, (convolutions - 2) // 2)
    network = InstanceEncoder(features, tensors["model.1.weight"].shape[0], downsamplings, norm)
    return network, lambda name: _trunk_name(name, "trunk.", downsamplings, 0)


def _renamed(part: Part, weights: Weights, rename: Rename, norm: Norm) -> dict[str, Tensor]:
    found = {rename(name): tensor for name, tensor in weights[part].items()}
    if norm == "instance":  # early PyTorch kept statistics of instance norms, which nothing ever read
        found = {n: t for n, t in found.items() if not re.search(r"running_(mean|var)$|num_batches_tracked$", n)}
    return found


def _trunk_name(name: str, prefix: str, downsamplings: int, blocks: int) -> str:
    """``model.7.weight`` of a global generator or encoder, whose layers are numbered through, paddings included."""
    found = re.match(r"model\.(\d+)\.(.*)", name)
    if found is None:
        return name
    number, rest = int(found[1]), found[2]
    first_block = 4 + 3 * downsamplings
    first_up = first_block + blocks
    if number < first_block:
        return f"{prefix}down.{(number - 1) // 3}.{(number - 1) % 3}.{rest}"
    if number < first_up:
        return f"{prefix}blocks.{number - first_block}.{_block_name(rest)}"
    layer, part = divmod(number - first_up, 3)
    return f"{prefix}up.{layer}.{part}.{rest}" if layer < downsamplings else f"last.{rest}"


def _enhancer_name(prefix: str, down: bool, rest: str, blocks: int) -> str:
    """``4.weight`` of ``model1_1``, an enhancer's way down, or of ``model1_2``: its blocks, way up and last layer."""
    number, _, rest = rest.partition(".")
    index = int(number)
    if down:
        return f"{prefix}down.{(index - 1) // 3}.{(index - 1) % 3}.{rest}"
    if index < blocks:
        return f"{prefix}blocks.{index}.{_block_name(rest)}"
    return f"{prefix}up.{index - blocks}.{rest}" if index - blocks < 3 else f"last.{rest}"


def _block_name(rest: str) -> str:
    """``conv_block.5.weight``: padding, convolution, norm, ReLU, padding, convolution, norm."""
    found = re.match(r"conv_block\.(\d+)\.(.*)", rest)
    if found is None:
        return rest
    half, part = divmod(int(found[1]) - 1, 4)
    return f"{('first', 'second')[half]}.{part}.{found[2]}"


def _resize(options: Options, multiple: int) -> Resize | None:
    """How the original prepares an image when it tests, where the options tell; crops are for training."""
    mode = options.get("resize_or_crop", None)
    match mode:
        case None:
            return None
        case "scale_width" | "scale_width_and_crop":
            return ScaleWidth(options["loadSize"], multiple)
        case "resize_and_crop":
            return ResizeAndCrop((options["loadSize"], options["loadSize"]), 1.0)
        case "none" | "crop":
            return NoResize(multiple)
    raise InputError(f"{options.path}: resize_or_crop is {mode!r}, which the original does not have")
