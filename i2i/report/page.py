"""The shell of a page, and the small pieces that pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import i2i
from i2i.checkpoint import write_atomically


def write_page(path: Path, title: str, lead: str, sections: Sequence[tuple[str, str, str]]) -> None:
    """Write a page that needs nothing but itself and the pictures beside it.

    Args:
        path: the file.
        title: of the page, plain text.
        lead: HTML below it.
        sections: (name of the anchor, heading, HTML) each; those without HTML are left out.
    """
    style = resources.files("i2i.report").joinpath("style.css").read_text(encoding="utf-8")
    there = [section for section in sections if section[2]]
    links = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in there)
    body = "\n".join(f'<section id="{a}"><h2>{escape(heading)}</h2>\n{html}</section>' for a, heading, html in there)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        f"<header><div><h1>{escape(title)}</h1>{lead}</div></header>\n<nav><div>{links}</div></nav>\n"
        f"<main>\n{body}\n<footer>Written by i2i {i2i.__version__}.</footer></main>\n</body></html>\n"
    )
    # Names of files may be no text in any encoding.
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_kind(kind)}>{escape(text)}</p>"


def definitions(pairs: Mapping[str, Any]) -> str:
    """Names and what they stand for, as plain text."""
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(plain(value))}</dd>" for name, value in pairs.items())
    return f"<dl>{rows}</dl>"


def table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[tuple[str, str]]]) -> str:
    """A table of cells (HTML, kind); the kinds of the head are those of its columns' heads."""
    heads = "".join(f"<th{_kind(kind)}>{html}</th>" for html, kind in head)
    body = "".join("<tr>" + "".join(f"<td{_kind(kind)}>{html}</td>" for html, kind in row) + "</tr>\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table></div>'


def tiles(pairs: Iterable[tuple[str, str]]) -> str:
    """The figures that are looked for first: (name, value), as plain text."""
    inner = "".join(f'<div class="tile"><b>{escape(v)}</b><span>{escape(name)}</span></div>' for name, v in pairs)
    return f'<div class="tiles">{inner}</div>'


def row_of(cells: Sequence[str], kind: str = "row") -> str:
    """Cells of HTML of equal width beside one another."""
    return f'<div class="{kind}" style="grid-template-columns:repeat({len(cells)},1fr)">{"".join(cells)}</div>'


def figure(file: str, text: str) -> str:
    """A picture, which opens at a click. Exact ones (PNG) are label maps, whose pixels stay sharp.

    Args:
        file: relative to the page.
        text: what it shows, plain.
    """
    kind = ' class="map"' if file.endswith(".png") else ""
    return (
        f'<figure><a href="{escape(file)}"><img{kind} src="{escape(file)}" alt="{escape(text)}" title="{escape(text)}" '
        'loading="lazy"></a></figure>'
    )


def plain(value: Any) -> str:
    """A value of a protocol, for people."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {plain(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
