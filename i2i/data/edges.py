"""An edges→photo set made from photos: `i2i data edges`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from i2i.checkpoint import write_atomically
from i2i.data.derive import CannyEdges
from i2i.data.files import read_photo
from i2i.data.paired import SPLITS, find_images
from i2i.errors import InputError
from i2i.pictures import write_png

SETTINGS = "edges.json"
"""The file that says with which settings a set was made."""


def write_edges(photos: str | Path, out: str | Path, edges: CannyEdges, workers: int = 4) -> int:
    """Write the edges of photos and the photos themselves, in the layout of :class:`i2i.data.images.PairedImages`.

    ``out/A`` gets the edges as 8-bit PNGs, ``out/B`` the photos as they are; sub-folders ``train``, ``val`` and
    ``test`` of ``photos`` are kept. Each file appears whole or not at all. Run again, it goes on where it was left,
    but never mixes the edges of two settings.

    Args:
        photos: a folder of photos, or one with sub-folders for the splits.
        out: the folder to write to.
        edges: the detector.
        workers: threads.

    Returns:
        The number of pairs in ``out``.

    Raises:
        InputError: there are no photos, one cannot be read, or ``out`` holds something else.
    """
    photos, out = Path(photos).expanduser(), Path(out).expanduser()
    found = _photos(photos)
    _claim(out, edges)
    columns = (TextColumn("finding edges"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        with Progress(*columns) as progress:
            write = partial(_write_pair, out, edges)
            for _ in progress.track(pool.map(write, found), total=len(found)):
                pass
    except OSError as error:
        raise InputError(f"cannot write edges to {out}: {error}") from error
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C the rest is left for another run
    return len(found)


def _photos(folder: Path) -> list[tuple[str, Path]]:
    """(sub-folder of the split or "", photo) of all photos."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of photos")
    splits = [split for split in SPLITS if (folder / split).is_dir()] or [""]
    found = [(split, path) for split in splits for path in find_images(folder / split).values()]
    if not found:
        raise InputError(f"no photos in {folder}; expected image files there, or in its folders train, val and test")
    return found


def _claim(out: Path, edges: CannyEdges) -> None:
    """Make sure that the folder is new, or was begun with the same settings."""
    ours = {"low": edges.low, "high": edges.high, "blur": edges.blur}
    if (out / SETTINGS).exists():
        try:
            theirs = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{out / SETTINGS} cannot be read: {error}; name another folder") from error
        if theirs != ours:
            raise InputError(f"{out} was made with {theirs}, not with {ours}; name another folder, or give the same")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is no set that this command began; name another folder")
    try:
        write_atomically(out / SETTINGS, lambda file: file.write(json.dumps(ours).encode()))
    except OSError as error:
        raise InputError(f"cannot write edges to {out}: {error}") from error


def _write_pair(out: Path, edges: CannyEdges, given: tuple[str, Path]) -> None:
    split, photo = given
    drawn = out / "A" / split / f"{photo.stem}.png"
    if drawn.exists():  # it is written last, so the pair is there
        return
    pixels = read_photo(photo)
    content = photo.read_bytes()
    write_atomically(out / "B" / split / photo.name, lambda file: file.write(content))
    write_png(drawn, edges(pixels)[:, :, 0])
