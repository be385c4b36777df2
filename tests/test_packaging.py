"""What is shipped: the wheel, the README's examples, the scripts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import i2i
from i2i.classes import ClassTable
from i2i.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_wheel_holds_the_package_and_its_tables(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"i2i-{i2i.__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(p.relative_to(ROOT)) for p in (ROOT / "i2i").rglob("*.py")}
    tables = {str(p.relative_to(ROOT)) for p in (ROOT / "i2i/tables").glob("*.csv")}
    page = {str(p.relative_to(ROOT)) for p in (ROOT / "i2i/service/page").iterdir()}
    assert len(page) > 20
    assert ours | tables | page | {"i2i/py.typed", "i2i/report/style.css"} <= names
    assert not any(name.startswith(("tests", "configs", "scripts")) for name in names)


@pytest.mark.parametrize("code", blocks("python"))
def test_the_readmes_python_imports_what_is_there(code: str) -> None:
    tree = ast.parse(code)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    exec(compile(ast.Module(imports, []), "README.md", "exec"), {})


def test_the_readmes_commands_exist() -> None:
    shell = "\n".join(blocks("bash"))
    used = set(re.findall(r"(?:^|\s)i2i ([\w-]+)", shell))
    assert used and used <= set(COMMANDS)
    for script in set(re.findall(r"scripts/[\w.]+", README)):
        assert (ROOT / script).exists(), script
    for config in set(re.findall(r"configs/[\w./]+\.yaml", README)):
        assert (ROOT / config).exists(), config


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.sh")), ids=lambda p: p.name)
def test_the_scripts_are_valid_shell(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_the_program_says_its_commands_and_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in COMMANDS)
    assert main(["--version"]) == 0
    assert i2i.__version__ in capsys.readouterr().out
    assert main(["paint"]) == 2
    assert "unknown command 'paint'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "classes"), [("ade20k", 151), ("cityscapes", 34), ("coco_stuff", 182), ("camvid", 12)]
)
def test_the_tables_have_the_published_number_of_classes(name: str, classes: int) -> None:
    assert len(ClassTable.load(name)) == classes
