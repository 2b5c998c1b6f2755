"""The one widget of the panes: a list of lines of which only those on the screen are made."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

from rich.ansi import SGR_STYLE_MAP
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from imagepeel.render.layout import Line, clipped

LineOf = Callable[[int, int], Line]
"""Makes the line with a number from 0 for so many columns; its texts are escaped."""


@lru_cache(maxsize=64)
def _style(codes: str) -> Style:
    """Return the style of a sequence of SGR numbers, as `render.layout` has them."""
    return Style.parse(" ".join(SGR_STYLE_MAP[int(code)] for code in codes.split(";") if code) or "none")


class Rows(ScrollView, can_focus=True):
    """Lines with a cursor; `chosen` where Enter is pressed on one.

    With `cursor` False they scroll instead: for what is read and not chosen from.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("home,g", "end(-1)", "first", show=False),
        Binding("end,G", "end(1)", "last", show=False),
        Binding("enter", "choose", "choose", show=False),
    ]

    at: reactive[int] = reactive(0)
    """The line under the cursor, from 0."""

    class Moved(Message):
        """The cursor stands on another line, or the lines are others."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> Rows:
            return self.rows

    class Chosen(Moved):
        """Enter or a click on the line under the cursor."""

    def __init__(self, *, id: str, cursor: bool = True) -> None:
        super().__init__(id=id)
        self.count = 0
        self.cursor = cursor
        self._make: LineOf = lambda at, width: []

    def fill(self, count: int, line: LineOf, at: int = 0) -> None:
        """Show so many lines, with the cursor on one of them."""
        self.count, self._make = count, line
        self.virtual_size = Size(self.scrollable_content_region.width, count)
        self.set_reactive(Rows.at, max(0, min(at, count - 1)))
        self.refresh()
        if self.cursor:
            self._show_cursor()
            self.post_message(self.Moved(self))
        else:
            self.scroll_to(0, 0, animate=False)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = y + self.scroll_offset.y
        if at >= self.count:
            return Strip.blank(width, self.rich_style)
        line = clipped(self._make(at, width), width)
        base = self.rich_style
        if self.cursor and at == self.at:
            # Reverse video is seen without colours, too; a pane that is not in use has its cursor underlined.
            base += Style(reverse=True) if self.has_focus else Style(underline=True)
            line = [(text, "") for text, _ in line] if self.has_focus else line
        strip = Strip([Segment(text, base + _style(style)) for text, style in line])
        return strip.adjust_cell_length(width, base)

    # ---- moving -------------------------------------------------------------------------------------------

    def watch_at(self) -> None:
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved(self))

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.at, 1, 1), animate=False, force=True, immediate=True)

    def action_move(self, by: int) -> None:
        if self.cursor:
            self.at = max(0, min(self.at + by, self.count - 1))
        else:
            self.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.scrollable_content_region.height - 1))

    def action_end(self, side: int) -> None:
        self.action_move(side * max(1, self.count))

    def action_choose(self) -> None:
        if self.cursor and self.count:
            self.post_message(self.Chosen(self))

    def on_click(self, event: events.Click) -> None:
        at = event.y + self.scroll_offset.y
        if self.cursor and at < self.count:
            self.at = at
            self.post_message(self.Chosen(self))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()
