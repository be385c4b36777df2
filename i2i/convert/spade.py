"""Checkpoints of the original SPADE code (Park et al. 2019)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

import torch
from torch import Tensor

from i2i.convert.official import Official, Part, Weights, known_encoding
from i2i.convert.options import NORMS, Options
from i2i.data.transforms import Fixed, NoResize, Resize, ResizeAndCrop, ScaleShortSideAndCrop, ScaleWidthAndCrop
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics

_UPSAMPLINGS = {"normal": 5, "more": 6, "most": 7}


def load_spade(options: Options, weights: Weights) -> Official:
    """The networks of a run whose generator is ``spade``; raises :class:`InputError` where something does not fit."""
    classes = options["label_nc"] + bool(options.get("contain_dontcare_label", False))
    semantics = LabelSemantics(classes, edges=not options.get("no_instance", False))
    discriminator = encoder = None
    shared = _share_input_statistics(weights["G"])
    renamed = _renamed("G", weights)
    if shared:
        renamed = {name: t for name, t in renamed.items() if ".normalise_s." not in name}
    generator = weights.fill(_generator(options, semantics.channels, shared), "G", renamed)
    if "D" in weights:
        discriminator = weights.fill(_discriminator(options, semantics.channels), "D", _renamed("D", weights))
    if "E" in weights and options.get("use_vae", False):
        encoder = weights.fill(_encoder(options), "E", _renamed("E", weights))
    return Official(generator, discriminator, encoder, semantics, known_encoding(classes), _resize(options))


def our_name(part: Part, name: str) -> str:
    """The name that a parameter or buffer of the original ("G", "D" or "E") has in this package."""
    match part:
        case "G":
            name = re.sub(r"^fc\.", "first.", name)
            name = re.sub(r"^conv_img\.", "last.", name)
            name = re.sub(r"^head_0\.", "blocks.0.", name)
            name = re.sub(r"^G_middle_(\d)\.", lambda m: f"blocks.{int(m[1]) + 1}.", name)
            name = re.sub(r"^up_(\d)\.", lambda m: f"blocks.{int(m[1]) + 3}.", name)
            name = re.sub(r"\.norm_([01s])\.param_free_norm\.", r".normalise_\1.", name)
            name = re.sub(r"\.norm_([01s])\.mlp_shared\.0\.", r".modulate_\1.shared.", name)
            name = re.sub(r"\.norm_([01s])\.mlp_(gamma|beta)\.", r".modulate_\1.\2.", name)
        case "D":  # a normalised layer is one level deeper: (convolution, norm), activation
            name = re.sub(r"^discriminator_(\d+)\.model(\d+)\.(?:0\.(?=[01]\.))?", r"scales.\1.layers.\2.", name)
        case "E":
            name = re.sub(r"^layer(\d)\.(?!\d)", r"layer\1.0.", name)
            name = re.sub(r"^layer(\d)\.", lambda m: f"layers.{int(m[1]) - 1}.", name)
            name = re.sub(r"^fc_mu\.", "mean.", name)
            name = re.sub(r"^fc_var\.", "logvar.", name)
    name = re.sub(r"\.weight_orig$", ".parametrizations.weight.original", name)
    return re.sub(r"\.weight_([uv])$", r".parametrizations.weight.0.\1", name)


def _generator(options: Options, channels: int, shared_input_norm: bool) -> SPADEGenerator:
    upsamplings = options.one_of("num_upsampling_layers", _UPSAMPLINGS)
    found = re.fullmatch(r"(spectral)?spade(syncbatch|batch|instance)([35])x\3", str(options["norm_G"]))
    if found is None:
        raise InputError(f"{options.path}: norm_G is {options['norm_G']!r}; expected such as 'spectralspadebatch3x3'")
    width = options["crop_size"] >> upsamplings
    return SPADEGenerator(
        channels,
        style_dim=options["z_dim"] if options.get("use_vae", False) else None,
        width=options["ngf"],
        upsamplings=cast(Literal[5, 6, 7], upsamplings),
        norm=NORMS[found[2]],
        kernel=cast(Literal[3, 5], int(found[3])),
        spectral=found[1] is not None,
        base_size=(round(width / options["aspect_ratio"]), width),
        shared_input_norm=shared_input_norm,
    )


def _discriminator(options: Options, channels: int) -> MultiscalePatchGAN:
    spectral, norm = options.norm("norm_D")
    return MultiscalePatchGAN(
        channels,
        width=options["ndf"],
        layers=options["n_layers_D"],
        scales=options["num_D"],
        spectral=spectral,
        norm=norm,
    )


def _encoder(options: Options) -> StyleEncoder:
    if options["crop_size"] < 256:
        raise InputError(f"{options.path}: crop_size is {options['crop_size']}; the style encoder needs 256 or more")
    spectral, norm = options.norm("norm_E")
    return StyleEncoder(options["z_dim"], width=options["ngf"], size=256, norm=norm, spectral=spectral)


def _resize(options: Options) -> Resize | None:
    """How the original prepares an image when it tests, where the options tell."""
    mode = options.get("preprocess_mode", None)
    if mode is None:
        return None
    size = (round(options["crop_size"] / options["aspect_ratio"]), options["crop_size"])
    enlarge = max(1.0, options.get("load_size", size[1]) / size[1])
    match mode:
        case "resize_and_crop":
            return ResizeAndCrop(size, enlarge)
        case "scale_width" | "scale_width_and_crop":
            return ScaleWidthAndCrop(size, enlarge)
        case "scale_shortside" | "scale_shortside_and_crop":
            return ScaleShortSideAndCrop(size, enlarge)
        case "fixed":
            return Fixed(size)
        case "none" | "crop":
            return NoResize(1 << options.one_of("num_upsampling_layers", _UPSAMPLINGS))
    raise InputError(f"{options.path}: preprocess_mode is {mode!r}, which the original does not have")


def _share_input_statistics(tensors: Mapping[str, Tensor]) -> bool:
    """Whether both branches of every block have the same statistics of its input, and may share them."""
    shortcut = [name for name in tensors if ".norm_s.param_free_norm." in name]
    return all(torch.equal(tensors[name], tensors[name.replace(".norm_s.", ".norm_0.")]) for name in shortcut)


def _renamed(part: Part, weights: Weights) -> dict[str, Tensor]:
    return {our_name(part, name): tensor for name, tensor in weights[part].items()}
