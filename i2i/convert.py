"""Checkpoints of the original SPADE code: read into the networks of this package, and written as one model file."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from i2i.checkpoint import load_tensors, load_weights, save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed, NoResize, Resize, ResizeAndCrop, ScaleShortSideAndCrop, ScaleWidthAndCrop
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.norm import Norm
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics

Part = Literal["G", "D", "E"]
M = TypeVar("M", bound=nn.Module)

_UPSAMPLINGS = {"normal": 5, "more": 6, "most": 7}
_NORMS: dict[str, Norm] = {
    "batch": "batch",
    "syncbatch": "global_batch",
    "sync_batch": "global_batch",
    "instance": "instance",
    "none": "none",
    "": "none",
}


@dataclass
class Official:
    """What a folder of the original code holds. The networks are in evaluation mode.

    Attributes:
        generator: called as ``generator(semantics, z)``; without style it ignores z.
        discriminator: called as ``discriminator(semantics, photo)``; None if the folder has none.
        encoder: called as ``encoder(photo)``, gives mean and log variance; None if the model has none.
        semantics: called as ``semantics(labels, instances)``.
        encoding: how label files become labels.
        resize: how files come to the networks' size; None if the options do not tell.
    """

    generator: SPADEGenerator
    discriminator: MultiscalePatchGAN | None
    encoder: StyleEncoder | None
    semantics: LabelSemantics
    encoding: LabelEncoding
    resize: Resize | None


def load_official(folder: str | Path) -> Official:
    """Load ``latest_net_{G,D,E}.pth`` with ``options.json`` or the original's ``opt.txt``. Nothing is unpickled.

    Args:
        folder: the checkpoint folder of one run; D and E may be absent.

    Raises:
        InputError: a file is missing or damaged, an option is missing or not known, or the weights do not fit.
    """
    folder = Path(folder)
    options = _Options.read(folder)
    if options.get("netG", "spade") != "spade":
        raise InputError(f"{options.path}: netG is {options['netG']!r}; the generator that can be converted is 'spade'")
    tensors = {part: _tensors(folder / f"latest_net_{part}.pth", part) for part in ("G", "D", "E")}
    if tensors["G"] is None:
        raise InputError(f"{folder / 'latest_net_G.pth'}: no such file; the generator's weights are needed")
    classes = options["label_nc"] + bool(options.get("contain_dontcare_label", False))
    semantics = LabelSemantics(classes, edges=not options.get("no_instance", False))
    shared = _share_input_statistics(tensors["G"])
    generator = _filled(_generator(options, semantics.channels, shared), tensors["G"], folder, "G")
    discriminator = encoder = None
    if tensors["D"] is not None:
        discriminator = _filled(_discriminator(options, semantics.channels), tensors["D"], folder, "D")
    if tensors["E"] is not None and options.get("use_vae", False):
        encoder = _filled(_encoder(options), tensors["E"], folder, "E")
    return Official(generator, discriminator, encoder, semantics, _encoding(classes), _resize(options))


def convert(folder: str | Path, out: str | Path) -> None:
    """Write what :func:`load_official` reads as one model file, which needs no options any more.

    Args:
        folder: see :func:`load_official`.
        out: the file to write.

    Raises:
        InputError: as :func:`load_official`.
    """
    model = load_official(folder)
    save_model(
        out,
        generator=model.generator,
        semantics=model.semantics,
        encoder=model.encoder,
        discriminator=model.discriminator,
        encoding=model.encoding,
        resize=model.resize,
    )


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


def _generator(options: _Options, channels: int, shared_input_norm: bool) -> SPADEGenerator:
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
        norm=_NORMS[found[2]],
        kernel=cast(Literal[3, 5], int(found[3])),
        spectral=found[1] is not None,
        base_size=(round(width / options["aspect_ratio"]), width),
        shared_input_norm=shared_input_norm,
    )


def _discriminator(options: _Options, channels: int) -> MultiscalePatchGAN:
    spectral, norm = options.norm("norm_D")
    return MultiscalePatchGAN(
        channels,
        width=options["ndf"],
        layers=options["n_layers_D"],
        scales=options["num_D"],
        spectral=spectral,
        norm=norm,
    )


def _encoder(options: _Options) -> StyleEncoder:
    if options["crop_size"] < 256:
        raise InputError(f"{options.path}: crop_size is {options['crop_size']}; the style encoder needs 256 or more")
    spectral, norm = options.norm("norm_E")
    return StyleEncoder(options["z_dim"], width=options["ngf"], size=256, norm=norm, spectral=spectral)


def _encoding(classes: int) -> LabelEncoding:
    """The published data sets are known by their number of classes."""
    match classes:
        case 35:
            table = ClassTable.load("cityscapes")
            return LabelEncoding(table, unknown=[-1, 255], unknown_label=0, extra_channels=35 - len(table))
        case 151:
            return LabelEncoding(ClassTable.load("ade20k"))
        case 183:
            return LabelEncoding(ClassTable.load("coco_stuff"), unknown=[255])
    return LabelEncoding(ClassTable.numbered(classes))


def _resize(options: _Options) -> Resize | None:
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


def _tensors(path: Path, part: str) -> dict[str, Tensor] | None:
    if not path.is_file() and part != "G":
        return None
    tensors = load_tensors(path)
    # Early versions of the spectral norm also stored the weight that follows from the others.
    return {name: t for name, t in tensors.items() if f"{name}_orig" not in tensors}


def _share_input_statistics(tensors: Mapping[str, Tensor]) -> bool:
    """Whether both branches of every block have the same statistics of its input, and may share them."""
    shortcut = [name for name in tensors if ".norm_s.param_free_norm." in name]
    return all(torch.equal(tensors[name], tensors[name.replace(".norm_s.", ".norm_0.")]) for name in shortcut)


def _filled(network: M, tensors: Mapping[str, Tensor], folder: Path, part: Part) -> M:
    """The network with the original's weights, under the names that they have here."""
    renamed = {our_name(part, name): tensor for name, tensor in tensors.items()}
    if isinstance(network, SPADEGenerator) and network.shared_input_norm:
        renamed = {name: t for name, t in renamed.items() if ".normalise_s." not in name}
    load_weights(network, renamed, str(folder / f"latest_net_{part}.pth"))
    return network.eval()


class _Options(dict[str, Any]):
    """The options of a run; a missing one is named together with the file."""

    path: Path

    @classmethod
    def read(cls, folder: Path) -> _Options:
        """From options.json, or else from the text that the original writes beside its pickle."""
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        for name, parse in (("options.json", json.loads), ("opt.txt", _parse_text)):
            path = folder / name
            if path.is_file():
                try:
                    options = cls(parse(path.read_text()))
                except (OSError, ValueError, TypeError) as error:
                    raise InputError(f"{path}: cannot be read as options: {error}") from error
                options.path = path
                return options
        raise InputError(f"{folder}: neither options.json nor opt.txt is there; opt.pkl is never read")

    def __missing__(self, name: str) -> Any:
        raise InputError(f"{self.path}: the option {name} is missing")

    def one_of(self, name: str, allowed: Mapping[str, int]) -> int:
        """What a word stands for."""
        if self[name] not in allowed:
            raise InputError(f"{self.path}: {name} is {self[name]!r}; allowed are {', '.join(allowed)}")
        return allowed[self[name]]

    def norm(self, name: str) -> tuple[bool, Norm]:
        """A word like "spectralinstance": whether weights are spectrally normalised, and the features' norm."""
        word = str(self[name])
        rest = word.removeprefix("spectral")
        if rest not in _NORMS:
            raise InputError(f"{self.path}: {name} is {word!r}; expected such as 'spectralinstance'")
        return rest != word, _NORMS[rest]


def _parse_text(text: str) -> dict[str, Any]:
    """Lines of ``name: value  [default: …]`` between dashed lines."""
    options: dict[str, Any] = {}
    for line in text.splitlines():
        found = re.match(r"\s*(\w+): (.*?)\s*(\t\[default: .*\])?$", line)
        if found is None:
            continue
        try:
            options[found[1]] = ast.literal_eval(found[2])
        except (ValueError, SyntaxError):
            options[found[1]] = found[2]
    return options
