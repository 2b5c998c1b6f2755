"""Lines, their breaks and columns: rich, which lays the same out, is the judge where nothing has to be cut off."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from imagepeel.render.layout import GridColumn, Line, cells, in_columns, line_cells, wrapped, written

WORDS = st.lists(st.text(alphabet="ab-/.é漢", max_size=14), max_size=12).map(" ".join)


def console(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, color_system=None, markup=False, highlight=False, emoji=False)


def plain(line: Line) -> str:
    return written(line, colour=False)


@given(WORDS, st.integers(2, 40))
def test_lines_break_where_rich_breaks_them(words: str, width: int) -> None:
    wanted = [line.plain.rstrip() for line in Text(words).wrap(console(width), width, overflow="fold")]
    assert [plain(line) for line in wrapped([(words, "")], width)] == wanted


@given(WORDS, st.integers(2, 40), st.integers(0, 30))
def test_runs_keep_their_styles_and_no_line_is_too_long(words: str, width: int, at: int) -> None:
    lines = wrapped([(words[:at], "1"), (words[at:], "36")], width)
    assert all(line_cells(line) <= width for line in lines)
    kept = {style: "".join(text for line in lines for text, own in line if own == style) for style in ("1", "36")}
    assert kept["1"].replace(" ", "") == words[:at].replace(" ", "")
    assert kept["36"].replace(" ", "") == words[at:].replace(" ", "")


@given(
    st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(24, 90),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_columns_stand_where_rich_puts_them(rows: list[list[str]], width: int, right: tuple[bool, ...]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for at, title in enumerate(("one", "two words", "three")):
        table.add_column(title, justify="right" if right[at] else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    judge = console(width)
    judge.print(table)
    assert isinstance(judge.file, io.StringIO)
    wanted = [line.rstrip() for line in judge.file.getvalue().splitlines()]
    header: list[Line] = [[(title, "2")] for title in ("one", "two words", "three")]
    grid: list[list[Line]] = [[[(cell, "")] for cell in row] for row in rows]
    columns = [GridColumn(right=side) for side in right]
    assert [plain(line) for line in in_columns(columns, grid, width, header=header)] == wanted


def test_a_word_column_gives_way_before_one_that_is_kept() -> None:
    row: list[Line] = [[("docker@20.10", "")], [("some words that can wrap", "")]]
    lines = list(map(plain, in_columns([GridColumn(keep=True), GridColumn(least=6)], [row], 24)))
    assert lines == ["docker@20.10  some words", "              that can", "              wrap"]


def test_wide_and_joining_characters_are_counted_as_a_terminal_does() -> None:
    assert cells("ab") == 2
    assert cells("漢字") == 4
    assert cells("e\u0301") == 1


def test_colour_is_written_only_where_it_is_wanted() -> None:
    line: Line = [("a", "1;31"), ("b", ""), ("", "2")]
    assert written(line, colour=False) == "ab"
    assert written(line, colour=True) == "\x1b[1;31ma\x1b[0mb"
