"""Models on the Hugging Face Hub. Needs the extra ``hub``; nothing else of i2i ever opens a connection for weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from i2i.errors import InputError

_REPOSITORY = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?", re.ASCII)
_FILES = (".ckpt", ".pth", ".pt", ".pt2", ".onnx", ".safetensors", ".json")


def is_repository(name: str) -> bool:
    """Whether this could be the name of a repository: ``owner/name`` or ``owner/name@revision``, not of a file."""
    return _REPOSITORY.fullmatch(name) is not None and not name.endswith(_FILES)


def download(repository: str, files: Sequence[str]) -> Path:
    """Those of some files that a repository has, in the Hub's cache; what is there already is not loaded again.

    Args:
        repository: ``owner/name``, or ``owner/name@revision`` for a branch, a tag or a commit.
        files: their names.

    Returns:
        The folder.

    Raises:
        InputError: the package is not installed, there is no such repository, or it cannot be reached.
    """
    name, revision = _parsed(repository)
    library = _library(f"{repository}: no such file or folder; to read it from the Hugging Face Hub")
    try:
        return Path(library.snapshot_download(name, revision=revision, allow_patterns=list(files)))
    except (OSError, ValueError, library.errors.HTTPError) as error:
        raise InputError(_reason(library, repository, error)) from error


def upload(folder: str | Path, repository: str, files: Sequence[str], message: str, private: bool = False) -> str:
    """One commit that makes the files of a repository those of a folder; the repository is made where there is none.

    Args:
        folder: of the files.
        repository: ``owner/name``.
        files: the names that the commit is about; others of the repository stay.
        message: of the commit.
        private: whether a repository that is made is not to be seen by others.

    Returns:
        The address of the repository.

    Raises:
        InputError: the package is not installed, the account may not write there, or the Hub cannot be reached.
    """
    name, revision = _parsed(repository)
    if revision is not None:
        raise InputError(f"{repository}: a model is pushed to a repository, owner/name, without a revision")
    library = _library("to push to the Hugging Face Hub")
    try:
        hub = library.HfApi()
        address = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=name,
            folder_path=str(folder),
            allow_patterns=[file for file in files if (Path(folder) / file).is_file()],
            delete_patterns=list(files),  # of those that are there and not in the folder
            commit_message=message,
        )
    except (OSError, ValueError, library.errors.HTTPError) as error:
        raise InputError(_reason(library, repository, error)) from error
    return str(address)


def _parsed(repository: str) -> tuple[str, str | None]:
    found = _REPOSITORY.fullmatch(repository)
    if found is None:
        raise InputError(f"{repository!r} is no repository of the Hugging Face Hub; its name is owner/name")
    return found[1], found[2]


def _library(purpose: str) -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise InputError(f"{purpose} install huggingface_hub: pip install 'i2i[hub]'") from error
    return huggingface_hub


def _status(error: BaseException | None) -> int | None:
    """The answer that an error comes from: that of a missing file in the cache, too."""
    while error is not None:
        status: int | None = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            return status
        error = error.__cause__
    return None


def _reason(library: ModuleType, repository: str, error: Exception) -> str:
    """What the user has to mend, in a line."""
    errors = library.errors
    status = _status(error)
    if isinstance(error, errors.GatedRepoError):
        return f"{repository}: ask for access on its page of the Hugging Face Hub, and log in with hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError) or status == 401:
        none = "no such repository on the Hugging Face Hub (nor a file or folder here)"
        return f"{repository}: {none}; for a private one, log in with hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository}: the repository has no such revision"
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 403:
        return f"{repository}: the Hugging Face Hub does not let this account do that; log in with hf auth login"
    if isinstance(error, errors.HFValidationError):
        return f"{repository}: no name of a repository of the Hugging Face Hub"
    if status is None:
        return f"{repository}: not in the Hub's cache, and the Hugging Face Hub cannot be reached"
    return f"{repository}: the Hugging Face Hub answers {status}"
