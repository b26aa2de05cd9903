"""How the plots look: colours that the colour-blind tell apart, direct labels, a light ground.

The colours are those of Okabe and Ito. Grey with hatching is for what is not valid.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

BLUE, ORANGE, GREEN, PINK, SKY, RED = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
)
GREY, INK, FAINT, PALE = "#9A9A9A", "#222222", "#6B6B6B", "#D9DDE1"
FLOOR = "#A9B4BE"
SERIES = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
"""In this order; whoever has more lines draws several plots."""
BY_DEPTH = ("#9CC9E8", "#4F9FD2", "#0072B2", "#003A5C")
"""For what has an order: the higher, the darker."""
HATCH = "////"

WIDTH = 8.0
DOTS = 120
TITLE_LINE = 90
"""Characters of a title in one line."""
LABEL_GAP = 0.052
"""Between two direct labels, as a part of the height of the plot."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "hatch.color": "#FFFFFF",
    "hatch.linewidth": 1.2,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "remint",  # the same results give the same file
    "svg.fonttype": "path",  # and look the same wherever they are read
    "text.parse_math": False,  # a name may hold a dollar sign
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture, in both forms, and the words beside it."""

    name: str
    """Of its files, without an ending."""
    title: str
    caption: str
    svg: bytes
    png: bytes


@contextmanager
def canvas(height: float = 4.2, columns: int = 1) -> Iterator[tuple[Figure, Any]]:
    """A figure with one axes, or with a row of them as an array; drawn and saved within."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure, figure.subplots(ncols=columns)


def saved(figure: Figure, name: str, title: str, caption: str) -> Plot:
    """The figure as SVG and PNG, without the date, so that it depends on the results alone."""
    svg, png = io.BytesIO(), io.BytesIO()
    lines = textwrap.fill(title, TITLE_LINE)
    figure.suptitle(lines, x=0.012, ha="left", fontsize=11, fontweight="bold")
    with warnings.catch_warnings():
        # A name in signs that the font lacks shows boxes, and stands in the tables as it is.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.savefig(png, format="png", dpi=DOTS, metadata={"Software": None})
    return Plot(name, title, caption, svg.getvalue(), png.getvalue())


def end_labels(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Names at the right ends of lines, moved apart where they would cover each other.

    ``labels``: the height in the axes' own units, the words, the colour.
    """
    to_part = axes.transData + axes.transAxes.inverted()
    left = axes.get_xlim()[0] or 1.0
    wanted = sorted((float(to_part.transform((left, y))[1]), words, c) for y, words, c in labels)
    heights: list[float] = []
    for height, _, _ in wanted:
        heights.append(max(height, heights[-1] + LABEL_GAP) if heights else height)
    # Pushed over the top, the whole stack comes down as far as it must.
    for at in range(len(heights) - 1, -1, -1):
        ceiling = heights[at + 1] - LABEL_GAP if at + 1 < len(heights) else 1.0
        heights[at] = min(heights[at], ceiling)
    for height, (_, words, colour) in zip(heights, wanted, strict=True):
        axes.text(
            *(1.01, height, words),
            transform=axes.transAxes,
            color=colour,
            va="center",
            fontsize=9,
            fontweight="bold",
        )


def bar_style(valid: bool, colour: str) -> dict[str, Any]:
    """Of a bar: grey and hatched if it does not count."""
    return {"color": colour} if valid else {"color": PALE, "hatch": HATCH, "edgecolor": GREY}


def key(figure: Figure, entries: Sequence[tuple[str, str]], *, target: bool = False) -> None:
    """What the colours of stacked bars mean, in one line below them."""
    handles: list[Patch | Line2D] = [Patch(color=colour, label=name) for name, colour in entries]
    if target:
        handles.append(Line2D([], [], color=INK, linewidth=2.2, label="target"))
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=9)


def shade(part: float) -> str:
    """From light blue (0) to dark (1)."""
    light, dark = (0x8F, 0xC4, 0xE8), (0x00, 0x2F, 0x4F)
    mixed = (round(a + (b - a) * part) for a, b in zip(light, dark, strict=True))
    return "#" + "".join(f"{value:02X}" for value in mixed)
