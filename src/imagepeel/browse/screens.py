"""What lies over the panes for a moment: the keys, a line to type, a list to choose from, a text to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from imagepeel.browse.rows import Rows
from imagepeel.render.escape import terminal
from imagepeel.render.layout import Line


class Ask(ModalScreen[str | None]):
    """One line to type; None where somebody leaves it with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self.question = question
        self.value = value

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self.question, markup=False)
            yield Input(self.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Choose(ModalScreen[int | None]):
    """One of several lines; None where somebody leaves it with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "leave")]

    def __init__(self, question: str, lines: Sequence[str], at: int = 0) -> None:
        super().__init__()
        self.question = question
        self.lines: list[Line] = [[(terminal(line), "")] for line in lines]
        self.start = at

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self.question, markup=False)
            yield Rows(id="choices")

    def on_mount(self) -> None:
        rows = self.query_one(Rows)
        rows.fill(len(self.lines), lambda at, width: self.lines[at], self.start)
        rows.focus()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        self.dismiss(event.rows.at)

    def action_leave(self) -> None:
        self.dismiss(None)


class Read(ModalScreen[None]):
    """A text; `c` copies the line under the cursor where `copies` has one for it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "leave", "leave"),
        Binding("c", "copy", "copy"),
    ]

    def __init__(self, title: str, lines: Sequence[Line], copies: Sequence[str] = ()) -> None:
        super().__init__()
        self.heading = title
        self.lines = lines
        self.copies = copies

    def compose(self) -> ComposeResult:
        with Vertical(classes="box tall"):
            yield Static(self.heading, markup=False)
            yield Rows(id="read", cursor=bool(self.copies))

    def on_mount(self) -> None:
        rows = self.query_one(Rows)
        rows.fill(len(self.lines), lambda at, width: self.lines[at])
        rows.focus()

    def action_copy(self) -> None:
        at = self.query_one(Rows).at
        if at < len(self.copies) and self.copies[at]:
            self.app.copy_to_clipboard(self.copies[at])
            self.notify("copied", markup=False)

    def action_leave(self) -> None:
        self.dismiss(None)
