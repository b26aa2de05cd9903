"""Blocks as one HTML page that needs nothing beside it, and as Markdown.

Names in a document may hold anything: every text is escaped here, and nowhere else. Plots stand in
the page as images, in which no script runs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from html import escape

from bench.report.blocks import Block, Code, Grid, Heading, Listing, Picture, Words
from bench.report.words import LINE, plain

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 74rem;
  margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin-bottom: .3rem; }
h2 { font-size: 1.25rem; margin-top: 2.6rem; border-bottom: 1px solid #ddd; padding-bottom: .3rem; }
h3 { font-size: 1rem; margin-top: 1.6rem; }
figure { margin: 1.2rem 0 2rem; }
figure img { width: 100%; max-width: 54rem; height: auto; display: block; }
figcaption { color: #555; font-size: .9rem; margin-top: .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; margin: .6rem 0; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #e4e4e4; text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: top; white-space: nowrap; }
th { border-bottom: 1px solid #888; text-align: right; }
th:first-child, td:first-child, .wordy th, .wordy td { text-align: left; }
.wordy th, .wordy td { white-space: normal; overflow-wrap: anywhere; }
tr.doubted td { color: #6b6b6b; background:
  repeating-linear-gradient(135deg, #f4f4f4 0 6px, #fbfbfb 6px 12px); }
pre { background: #f6f6f4; padding: .7rem 1rem; overflow-x: auto; font-size: .85rem; }
a { color: #0072B2; }
"""


def html(title: str, blocks: Iterable[Block]) -> str:
    """The whole page; it loads nothing from anywhere."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{_escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def markdown(blocks: Iterable[Block]) -> str:
    """The same for a repository; its pictures are the files beside it."""
    return "\n".join(_markdown(block) for block in blocks)


def _html(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_escaped(block.text)}</h{block.level}>"
        case Words():
            return f"<p>{_escaped(block.text)}</p>"
        case Listing():
            return "<ul>" + "".join(f"<li>{_escaped(i)}</li>" for i in block.items) + "</ul>"
        case Code():
            return f"<pre>{_escaped(block.text)}</pre>"
        case Grid():
            return _html_table(block)
        case Picture():
            return _html_picture(block)


def _html_table(grid: Grid) -> str:
    head = "".join(f"<th>{_escaped(cell)}</th>" for cell in grid.head)
    rows = []
    for at, row in enumerate(grid.rows):
        mark = ' class="doubted"' if at in grid.doubted else ""
        rows.append(f"<tr{mark}>" + "".join(f"<td>{_escaped(c)}</td>" for c in row) + "</tr>")
    kind = ' class="wordy"' if grid.wordy else ""
    return (
        f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _html_picture(picture: Picture) -> str:
    plot = picture.plot
    data = base64.b64encode(plot.svg).decode("ascii")
    links = " · ".join(f'<a href="{picture.path}.{f}">{f.upper()}</a>' for f in ("svg", "png"))
    return (
        f'<figure><img alt="{_escaped(plot.title)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{_escaped(plot.caption)} {links}</figcaption></figure>"
    )


def _markdown(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_marked(block.text)}\n"
        case Words():
            return f"{_marked(block.text)}\n"
        case Listing():
            return "".join(f"- {_marked(item)}\n" for item in block.items)
        case Code():
            return "".join(f"    {plain(line, LINE)}\n" for line in block.text.splitlines())
        case Grid():
            head, *rows = [[_marked(cell) for cell in row] for row in (block.head, *block.rows)]
            line = ["---"] + ["---" if block.wordy else "---:"] * (len(head) - 1)
            return "".join(f"| {' | '.join(row)} |\n" for row in (head, line, *rows))
        case Picture():
            said = f"\n{_marked(block.plot.caption)}\n" if block.plot.caption else ""
            return f"![{_marked(block.plot.title)}]({block.path}.svg)\n{said}"


def _escaped(text: str) -> str:
    """Lines are kept: what is typed may have several."""
    return escape("\n".join(plain(line, LINE) for line in text.splitlines()))


def _marked(text: str) -> str:
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", escape(plain(text, LINE), quote=False))
