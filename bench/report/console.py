"""Blocks on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.report.blocks import Block, Grid, Heading, Listing, Words
from bench.report.words import LINE, plain


def show(blocks: Iterable[Block], console: Console) -> None:
    """Pictures are not for a terminal and are left out. No text is read as markup."""
    for block in blocks:
        match block:
            case Heading():
                console.print(Text(f"\n{plain(block.text, LINE)}", style="bold"))
            case Words():
                console.print(Text(plain(block.text, LINE)))
            case Listing():
                for item in block.items:
                    console.print(Padding(Text(f"- {plain(item, LINE)}"), (0, 0, 0, 1)))
            case Grid():
                console.print(_table(block))
            case _:
                pass


def _table(grid: Grid) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(grid.head):
        left = at == 0 or grid.wordy
        table.add_column(Text(name), justify="left" if left else "right", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(plain(cell, LINE)) for cell in row))
    return table
