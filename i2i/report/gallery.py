"""Pictures on a page: map, synthesised, real and the judge's reading side by side; the best and the worst; samples."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from i2i.checkpoint import write_atomically
from i2i.classes import ClassTable
from i2i.data.loading import collate
from i2i.evaluation.evaluation import Evaluation
from i2i.evaluation.measures import SegmentationMeasure
from i2i.pictures import Pixels, to_pixels, visible
from i2i.report.figures import swatch
from i2i.report.page import figure, row_of

_EXTREME = 20
_RANKED = {"LPIPS": False, "SSIM": True}  # whether the largest is the best


class Gallery:
    """Makes pictures again (they depend on their name and the seed alone) and writes those that a page shows.

    The pictures of an earlier report in the same folder are removed.

    Args:
        folder: of the page; pictures lie in ``pictures`` there.
        evaluation: that was run.
        each: the figures of each picture, by name.
        count: maps in the gallery.
        samples: pictures a map where several are shown.
    """

    def __init__(
        self,
        folder: Path,
        evaluation: Evaluation,
        each: Mapping[str, Mapping[str, float]],
        count: int = 12,
        samples: int = 5,
    ) -> None:
        self.folder = folder
        self.evaluation = evaluation
        self.each = each
        self.count = count
        self.samples = samples
        encoding = evaluation.data.encoding
        self.classes: ClassTable | None = None if encoding is None else encoding.classes
        judged = evaluation.measures.get("miou")
        self.judge = judged.judge if isinstance(judged, SegmentationMeasure) else None
        self.names = evaluation.names
        for stale in (folder / "pictures").glob("[0-9]*_*.*"):  # of another model, perhaps
            stale.unlink()
        self._kept: dict[int, dict[str, str]] = {}
        self._seen: set[int] = set()

    def rows(self) -> str:
        """Maps spread evenly over the split, a row each, under a legend of the classes that occur in them."""
        rows: list[str] = []
        for index in self.spread(self.count):
            shown = self.pictures(index)
            heads = {"map": "label map" if self.classes else "condition", "photo": "synthesised", "real": "real"}
            heads["judge"] = "the judge reads"
            columns = [name for name in ("map", "photo", "real", "judge") if name in shown]
            if not rows:
                rows.append(row_of([f"<div>{heads[name]}</div>" for name in columns], "row heads"))
            rows.append(row_of([figure(shown[name], f"{heads[name]}, {self.names[index]}") for name in columns]))
            rows.append(self._caption(index))
        return self._legend() + "".join(rows)

    def extremes(self) -> str:
        """The worst and the best pictures, by LPIPS or else by SSIM; nothing where neither was measured."""
        by = next((column for column in _RANKED if all(column in row for row in self.each.values())), None)
        if by is None or len(self.names) < 4:
            return ""
        order = sorted(range(len(self.names)), key=lambda index: self.each[self.names[index]][by], reverse=_RANKED[by])
        count = min(_EXTREME, len(order) // 2)
        text = f"By {by} to the real photo; synthesised on the left, real on the right."
        html = f'<p class="soft">{text}</p>'
        for title, chosen in ((f"The worst {count}", order[::-1][:count]), (f"The best {count}", order[:count])):
            html += f'<h3>{title}</h3><div class="cards">{"".join(self._card(index, by) for index in chosen)}</div>'
        return html

    def several(self) -> str:
        """Several pictures of the same maps; nothing where they would be the same."""
        first = collate([self.evaluation.dataset[0]])
        painter = self.evaluation.painter
        if painter.style != "drawn" or not painter.varies(first):
            return ""
        rows = []
        for index in self.spread(6):
            shown = self.pictures(index)
            pictures = painter.paint(collate([self.evaluation.dataset[index]]), self.samples)
            files = [self.write(index, f"sample{n}", one) for n, one in enumerate(to_pixels(pictures.samples[0]))]
            cells = [figure(shown["map"], "label map"), *(figure(file, "synthesised") for file in files)]
            rows.append(row_of(cells) + f'<p class="caption">{escape(self.names[index])}</p>')
        return '<p class="soft">One map, several drawn styles.</p>' + "".join(rows)

    def spread(self, count: int) -> list[int]:
        """So many maps, spread evenly over the split."""
        last = len(self.names) - 1
        return sorted({int(i) for i in np.linspace(0, last, min(count, last + 1)).round()})

    def pictures(self, index: int) -> dict[str, str]:
        """The files of map, picture, photo and reading, relative to the page."""
        if index in self._kept:
            return self._kept[index]
        batch = collate([self.evaluation.dataset[index]])
        pictures = self.evaluation.painter.paint(batch)
        shown: dict[str, Pixels] = {"photo": to_pixels(pictures.photo)[0]}
        if "labels" in batch and self.classes is not None:
            labels = batch["labels"][0].numpy()
            self._seen |= {int(value) for value in np.unique(labels) if value < len(self.classes)}
            shown["map"] = self.classes.colourise(labels)
        elif "condition" in batch:
            shown["map"] = to_pixels(visible(batch["condition"]))[0]
        if pictures.real is not None:
            shown["real"] = to_pixels(pictures.real)[0]
        if self.judge is not None and self.classes is not None:
            shown["judge"] = self.classes.colourise(
                self.judge.read(pictures.photo, self.classes.names)[0].cpu().numpy()
            )
        self._kept[index] = {name: self.write(index, name, picture) for name, picture in shown.items()}
        return self._kept[index]

    def write(self, index: int, name: str, picture: Pixels) -> str:
        """Write one more picture of a map; its file, relative to the page."""
        # Maps have few colours and sharp borders; in photos JPEG of this quality hides nothing that a generator does.
        exact = name in ("map", "judge")
        file = f"pictures/{index:05d}_{name}.{'png' if exact else 'jpg'}"
        options = {"format": "PNG"} if exact else {"format": "JPEG", "quality": 95, "subsampling": 0}
        write_atomically(self.folder / file, lambda out: Image.fromarray(picture).save(out, **options))  # type: ignore[arg-type]
        return file

    def _card(self, index: int, by: str) -> str:
        shown, name = self.pictures(index), self.names[index]
        pair = figure(shown["photo"], f"synthesised, {name}") + figure(shown["real"], f"real, {name}")
        caption = f'<p class="caption">{by} {self.each[name][by]:.3f} · {escape(name)}</p>'
        return f'<div class="card"><div class="pair">{pair}</div>{caption}</div>'

    def _caption(self, index: int) -> str:
        name = self.names[index]
        figures = "".join(f" · {column} {value:.3g}" for column, value in self.each.get(name, {}).items())
        return f'<p class="caption">{escape(name)}{figures}</p>'

    def _legend(self) -> str:
        if self.classes is None:
            return ""
        colours = self.classes.colours.tolist()
        shown = [(self.classes.names[label], colours[label]) for label in sorted(self._seen)]
        return '<div class="legend">' + "".join(f"<span>{swatch(c)}{escape(n)}</span>" for n, c in shown) + "</div>"
