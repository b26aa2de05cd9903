"""The page, written: ``index.html``, ``report.md``, and each plot as SVG and PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.report.blocks import Picture
from bench.report.content import FOLDER, TITLE, content
from bench.report.gather import gathered
from bench.report.markup import html, markdown


def write_report(places: Sequence[Path], out: Path) -> Path:
    """Read the results in ``places`` and write their report below ``out``; its ``index.html``.

    Raises NoResult if there is nothing to report on, OSError.
    """
    blocks = list(content(gathered(places)))
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    for block in blocks:
        if isinstance(block, Picture):
            (out / f"{block.path}.svg").write_bytes(block.plot.svg)
            (out / f"{block.path}.png").write_bytes(block.plot.png)
    (out / "report.md").write_text(markdown(blocks), encoding="utf-8")
    page = out / "index.html"
    page.write_text(html(TITLE, blocks), encoding="utf-8")
    return page
