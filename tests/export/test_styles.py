"""The styles that a folder brings along: those that the synthesizer draws, for programs that know nothing of i2i."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from i2i.checkpoint import save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.cli import main
from i2i.condition import Semantics
from i2i.data.transforms import Fixed
from i2i.export.card import Figures, model_card
from i2i.export.graph import Graph, signature
from i2i.export.model import Model
from i2i.export.styles import drawn_styles
from i2i.export.verify import trials
from i2i.model_folder import ONNX, PROGRAM, WEIGHTS, load_folder, read_config
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer
from tests.export import families

LIGHTS = torch.tensor([[6.0, 0, 0, 0], [0, -6, 0, 0]])
"""The styles of the only two photos of a training: far from where standard normal vectors lie."""


def parts(remembered: int, encoder: bool = True) -> dict[str, Any]:
    torch.manual_seed(1)
    generator = SPADEGenerator(5, style_dim=4, width=1, hidden=4, base_size=(2, 2), gain=1.0).eval()
    made = StyleEncoder(style_dim=4, width=2, size=16, gain=1.0, remembered=remembered).eval()
    if made.seen is not None:
        made.seen.keep(mean=LIGHTS, logvar=torch.full((2, 4), -4.0))
    semantics, encoding = LabelSemantics(4, edges=True), LabelEncoding(ClassTable.numbered(4))
    of_encoder = {"encoder": made} if encoder else {}
    return {
        "generator": generator,
        "semantics": semantics,
        **of_encoder,
        "encoding": encoding,
        "resize": Fixed((40, 56)),
    }


def loaded(folder: Path, remembered: int, encoder: bool = True) -> Model:
    save_model(folder / "model.ckpt", **parts(remembered, encoder))
    return Model.load(folder / "model.ckpt")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model whose encoder remembers two lights."""
    path = tmp_path_factory.mktemp("model") / "model.ckpt"
    save_model(path, **parts(8))
    return path


@pytest.fixture(scope="module")
def folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an ONNX file alone: no encoder is in it."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path_factory.mktemp("exported") / "lights"
    assert main(["export", str(checkpoint), str(out), "--format", "onnx"]) == 0
    return out


def of_seeds(model: Path | Model, maps: Tensor) -> list[Tensor]:
    """The style of the picture that the synthesizer makes by each seed."""
    if isinstance(model, Model):
        given = {name: getattr(model, name) for name in ("generator", "semantics", "encoder", "encoding", "resize")}
        synthesizer = Synthesizer(**given)
    else:
        synthesizer = Synthesizer.load(model)
    size = (maps.shape[-2], maps.shape[-1])
    styles = [synthesizer.style(synthesizer.condition(maps), size, seed=seed) for seed in range(16)]
    return [style[0] for style in styles if style is not None]


MAPS = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (1, 40, 56)))


@pytest.mark.parametrize(("remembered", "encoder"), [(8, True), (0, True), (0, False)])
def test_the_styles_are_those_of_the_seeds(remembered: int, encoder: bool, tmp_path: Path) -> None:
    model = loaded(tmp_path, remembered, encoder)
    found = drawn_styles(model)
    assert found is not None and torch.equal(torch.tensor(found), torch.stack(of_seeds(model, MAPS)))
    distances = torch.cdist(torch.tensor(found), LIGHTS).amin(1)
    assert (distances < 1.5).all() if remembered else (distances > 1.5).all()


def test_models_without_a_style_vector_have_none() -> None:
    def styles(name: str) -> list[list[float]] | None:
        generator, semantics = families.model(name)
        return drawn_styles(Model(generator, semantics, None, None, None, None, "trained", None))

    assert styles("spade") is styles("pix2pix") is styles("pix2pixhd-features") is styles("oasis-class") is None
    assert np.shape(styles("oasis")) == (16, 4)  # the noise of a whole picture is such a vector


def test_a_folder_of_a_graph_holds_them(folder: Path, checkpoint: Path) -> None:
    """As numbers that are read as they were written; whoever looks into the file sees a style a line."""
    config = read_config(folder)
    assert torch.equal(torch.tensor(config["styles"]), torch.stack(of_seeds(checkpoint, MAPS)))
    text = (folder / "config.json").read_text()
    assert sum(len(re.findall(r"\d\.\d", line)) == 4 for line in text.splitlines()) == 16


def test_the_program_on_the_card_paints_the_first_light(
    folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands there, in the folder; and with each of the styles the runtime paints what the synthesizer does."""
    (program,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert "i2i" not in program
    names: dict[str, Any] = {}
    monkeypatch.chdir(folder)
    exec(program, names)
    synthesizer = Synthesizer.load(checkpoint)

    def expected(labels: Tensor, seed: int) -> Tensor:
        condition, (height, width) = synthesizer.condition(labels), labels.shape[-2:]
        with torch.inference_mode():
            style = synthesizer.style(condition, (height, width), seed=seed)
            photo: Tensor = synthesizer.generator(condition, style)
        return photo[:, :, :height, :width]

    assert names["photo"].shape == (1, 3, 40, 56)
    np.testing.assert_allclose(names["photo"], expected(torch.from_numpy(names["labels"]), 0), rtol=0, atol=1e-4)
    for seed in (0, 3, 15):
        style = names["styles"][seed : seed + 1]
        feed = {"labels": MAPS.numpy(), "instances": MAPS.numpy(), "style": style}
        (photo,) = names["session"].run(["photo"], feed)
        np.testing.assert_allclose(photo, expected(MAPS, seed), rtol=0, atol=1e-4)
        shown = synthesizer(MAPS, seed=seed).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(photo, shown / 127.5 - 1, rtol=0, atol=0.5 / 127.5 + 1e-4)


def test_the_program_of_torch_on_the_card(folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given what was traced, so that nothing has to be traced here."""
    model = Model.load(checkpoint)
    graph = Graph(model.generator, model.semantics, model.encoder)
    text = model_card("lights", model, [PROGRAM], graph.signature, Figures(), None)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(torch.export, "load", {"model.pt2": SimpleNamespace(module=lambda: graph)}.__getitem__)
    names: dict[str, Any] = {}
    exec(program, names)
    labels, style = torch.from_numpy(names["labels"]), of_seeds(model, MAPS)[0]
    assert names["photo"].shape == (1, 3, 40, 56)
    assert torch.equal(names["photo"], graph(labels, labels, style[None]))


def test_the_words_say_where_styles_come_from(folder: Path, tmp_path: Path) -> None:
    session = pytest.importorskip("onnxruntime").InferenceSession(str(folder / "model.onnx"))
    meaning = read_config(folder)["graph"]["inputs"][-1]["meaning"]
    assert meaning in session.get_modelmeta().custom_metadata_map["i2i"]
    card = (folder / "README.md").read_text()
    for text in (meaning, card):
        assert "`styles` in config.json" in text and "of a photo" in text
    assert "a standard normal vector is mostly none of them" in meaning
    assert "encoder says of it, which is not in this folder" in card

    for encoder in (True, False):
        model = loaded(tmp_path, 0, encoder)
        of_graph = signature(model.generator, model.semantics, model.encoder)
        assert "or standard normal" in of_graph.inputs[-1].meaning
        assert ("of a photo" in of_graph.inputs[-1].meaning) == encoder
        text = model_card("lights", model, [WEIGHTS, ONNX], of_graph, Figures(), None)
        assert "mostly none" not in text and "not in this folder" not in text
        assert ('synthesizer.latent("photo.jpg")' in text) == encoder


def test_the_graph_is_compared_on_styles_of_the_model(tmp_path: Path) -> None:
    made = trials(loaded(tmp_path, 8))
    assert all((torch.cdist(trial.inputs[-1], LIGHTS).amin(1) < 1.5).all() for trial in made)


def test_weights_alone_need_no_styles(checkpoint: Path, tmp_path: Path) -> None:
    """The encoder is among them and draws as many as are wanted."""
    assert main(["export", str(checkpoint), str(tmp_path / "out")]) == 0
    assert "styles" not in read_config(tmp_path / "out")
    assert "encoder.seen.mean" in load_folder(tmp_path / "out")["state_dict"]


def kept_features(generator: Generator, semantics: Semantics) -> int:
    """How many features dropout may drop of a padded map of 70 x 101; 0 without dropout."""
    if not isinstance(generator, UNetGenerator):
        return 0
    maps = torch.zeros(1, 96, 128)
    drawn = generator.draw(semantics.read({"labels": maps.long(), "condition": maps[:, None].expand(-1, 4, -1, -1)}))
    return 0 if drawn is None else drawn.shape[1]


@pytest.mark.parametrize("name", families.NAMES)
def test_every_input_is_made_on_the_card(name: str) -> None:
    """The lines before the session make tensors of the shapes and types of the graph."""
    generator, semantics = families.model(name)
    model = Model(generator, semantics, None, None, None, Fixed((70, 101)), "trained", None)
    told = signature(generator, semantics)
    text = model_card("model", model, ["config.json", ONNX], told, Figures(), None)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    lines = [line for line in program.splitlines() if "onnxruntime" not in line and "session" not in line]
    names: dict[str, Any] = {"styles": np.zeros((16, generator.style_dim or 0), np.float32)}
    exec("\n".join(line for line in lines if "file" not in line), names)
    sizes = {"batch": 1, "height": 70, "width": 101, "kept": kept_features(generator, semantics)}
    for each in told.inputs:
        made = names[each.name]
        assert made.dtype == each.dtype
        assert made.shape == tuple(sizes[side] if isinstance(side, str) else side for side in each.shape)
