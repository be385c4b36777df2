"""The shape of the package: imports only go down, files stay short, inference stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "i2i").rglob("*.py"))

# Module prefix -> floor; the longest prefix counts.
FLOORS = {
    "i2i": 0,
    "i2i.errors": 0,
    "i2i.numbers": 0,
    "i2i.device": 0,
    "i2i.condition": 0,
    "i2i.patterns": 0,
    "i2i.draws": 0,
    "i2i.pattern_plan": 0,
    "i2i.pixels": 0,
    "i2i.changing_patterns": 0,
    "i2i.region": 0,
    "i2i.recipe": 0,
    "i2i.semantics": 0,
    "i2i.label_regions": 0,
    "i2i.styled_map": 0,
    "i2i.image_map": 0,
    "i2i.noise": 0,
    "i2i.classes": 0,
    "i2i.checkpoint": 0,
    "i2i.pictures": 0,
    "i2i.whole_folder": 0,
    "i2i.sheet": 0,
    "i2i.hub": 0,
    "i2i.model_folder": 0,
    "i2i.nn": 1,
    "i2i.data": 1,
    "i2i.losses": 2,
    "i2i.families": 2,
    "i2i.metrics": 2,
    "i2i.history": 2,
    "i2i.clusters": 2,
    "i2i.photos": 2,
    "i2i.instance_features": 2,
    "i2i.latents": 2,
    "i2i.latent_space": 2,
    "i2i.latent_strips": 2,
    "i2i.kept_maps": 2,
    "i2i.foundations": 3,
    "i2i.foundations.condition": 1,
    "i2i.foundations.latent": 1,
    "i2i.foundations.connected": 1,
    "i2i.foundations.convolutional": 1,
    "i2i.foundations.progressive": 1,
    "i2i.foundations.sources": 1,
    "i2i.foundations.images": 1,
    "i2i.foundations.data": 1,
    "i2i.foundations.preview": 4,
    "i2i.continuation": 3,
    "i2i.warm_start": 3,
    "i2i.two_player": 3,
    "i2i.separate_ddp": 3,
    "i2i.adversarial_module": 3,
    "i2i.translator": 3,
    "i2i.styles": 3,
    "i2i.drawing": 3,
    "i2i.reader": 3,
    "i2i.region_styles": 3,
    "i2i.judge": 3,
    "i2i.synthesizer": 3,
    "i2i.canvas": 3,
    "i2i.map_latents": 3,
    "i2i.evaluation": 3,
    "i2i.callbacks": 4,
    "i2i.convert": 4,
    "i2i.report": 4,
    "i2i.service": 4,
    "i2i.benchmark": 4,
    "i2i.footprint": 4,
    "i2i.export": 4,
    "i2i.tour": 5,
    "i2i.commands": 5,
    "i2i.cli": 5,
    "i2i.__main__": 5,
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int:
    candidates = [prefix for prefix in FLOORS if module == prefix or module.startswith(f"{prefix}.")]
    best = max(candidates, key=len)
    assert best != "i2i" or module == "i2i", f"{module} stands on no floor: give it one in FLOORS"
    return FLOORS[best]


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            # `from i2i.data import files` imports a module, `from i2i.recipe import build` a name
            found |= {
                f"{node.module}.{a.name}" if is_module(f"{node.module}.{a.name}") else node.module for a in node.names
            }
    return {name for name in found if name.split(".")[0] == "i2i"}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_only_go_down(path: Path) -> None:
    own = floor_of(module_of(path))
    upward = {name for name in imports_of(path) if floor_of(name) > own}
    assert not upward


def test_networks_and_data_do_not_know_each_other() -> None:
    for path in FILES:
        module, imports = module_of(path), imports_of(path)
        if module.startswith("i2i.nn"):
            assert not any(name.startswith("i2i.data") for name in imports), module
        if module.startswith("i2i.data"):
            assert not any(name.startswith("i2i.nn") for name in imports), module


def test_training_and_inference_do_not_know_each_other() -> None:
    assert "i2i.synthesizer" not in imports_of(ROOT / "i2i/translator.py")
    assert "i2i.translator" not in imports_of(ROOT / "i2i/synthesizer.py")


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_inference_loads_neither_the_trainer_nor_the_configuration_library() -> None:
    program = (
        "import sys, i2i.synthesizer; loaded = {m.split('.')[0] for m in sys.modules}; "
        "print(sorted({'pytorch_lightning', 'lightning', 'jsonargparse', 'albumentations'} & loaded))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_top_level_holds_nothing_unexpected() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        return  # not a checkout, as in an unpacked source archive
    folders = {"i2i", "configs", "datasets", "tests", "scripts", ".ci"}
    files = {"pyproject.toml", "README.md", "LICENSE", ".gitignore"}
    assert {line.split("/")[0] for line in listed.stdout.splitlines()} <= folders | files
