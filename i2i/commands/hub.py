"""`i2i push FOLDER OWNER/NAME` and `i2i pull OWNER/NAME OUT`: exported models on the Hugging Face Hub."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from i2i import hub
from i2i.commands.arguments import Parser
from i2i.errors import InputError
from i2i.export.folder import check_target, new_folder
from i2i.model_folder import FILES, WEIGHTS, check_folder


def run(arguments: Sequence[str]) -> int:
    """Run one of the two."""
    return _push(arguments[1:]) if arguments[0] == "push" else _pull(arguments[1:])


def _push(arguments: Sequence[str]) -> int:
    parser = Parser(
        "i2i push",
        description="Upload an exported model as one commit. Needs pip install 'i2i[hub]' and hf auth login.",
    )
    parser.add_argument("folder", type=Path, help="what i2i export has written")
    parser.add_argument("repository", metavar="OWNER/NAME", help="made where there is none")
    parser.add_argument("--private", action="store_true", help="a repository that is made is private")
    parser.add_argument("--message", default="A model of i2i", help="of the commit")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        found = "a file" if options.folder.exists() else "no such folder"
        raise InputError(f"{options.folder}: {found}; what is pushed is a folder that i2i export has written")
    check_folder(options.folder)
    address = hub.upload(options.folder, options.repository, FILES, options.message, options.private)
    print(f"pushed {options.folder} to {address}")
    return 0


def _pull(arguments: Sequence[str]) -> int:
    parser = Parser("i2i pull", description="Download a model into a folder. Needs pip install 'i2i[hub]'.")
    parser.add_argument("repository", metavar="OWNER/NAME", help="or OWNER/NAME@REVISION: a branch, a tag, a commit")
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an exported model in that folder")
    options = parser.parse_args(arguments)
    check_target(options.out, options.overwrite)
    cached = hub.download(options.repository, FILES)
    with new_folder(options.out, options.overwrite) as folder:
        for file in FILES:
            if (cached / file).is_file():
                shutil.copyfile(cached / file, folder / file)
        config = check_folder(folder, options.repository)
    following = f"; next: i2i synthesize {options.out} LABELS PICTURES" if WEIGHTS in config["files"] else ""
    print(f"wrote {options.out}{following}")
    return 0
