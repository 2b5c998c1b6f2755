"""The application: four panes over one image, and what its keys do.

What takes long (reading layers, counting, predicting a start, comparing) runs in threads of its own, and each pane says
that it is coming.  A thread that is not wanted any more finds its number outdated and is not heard.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from imagepeel.browse import lines
from imagepeel.browse.looks import LOOKS, Look, Looks
from imagepeel.browse.out import PANES, Seen, command_for, write_file, write_path
from imagepeel.browse.rows import Rows
from imagepeel.browse.screens import Ask, Choose, Read
from imagepeel.browse.search import Found, Index, parse
from imagepeel.browse.tree import FileRow, FileTree
from imagepeel.errors import ImagepeelError, UsageError
from imagepeel.evidence import layer_label, raw, text
from imagepeel.layers.layer import Layer
from imagepeel.present.heading import brief_step
from imagepeel.render.escape import terminal
from imagepeel.render.layout import Line
from imagepeel.render.terminal import DIM, document_lines
from imagepeel.rootfs.engines.names import VIEWS, ViewName

if TYPE_CHECKING:
    from imagepeel.archive.records import ImageRecord
    from imagepeel.image import LayeredImage
    from imagepeel.process.spec.values import Prediction
    from imagepeel.verbs import Image


class Browser(App[None]):
    """One image, to walk in.

    Arguments: `archive` is the name that commands to copy get, `options` are those of this call that choose the image,
    and `ascii_only` says that the terminal has no other letters.  An image whose layers were not read is read in the
    background.  `failure` is the error that ended it, None without one.
    """

    TITLE = "imagepeel"
    CSS = """
    Screen { layout: vertical; }
    #panes { height: 1fr; }
    #left { width: 26%; min-width: 20; }
    #middle { width: 40%; border-left: solid $panel; }
    #right { width: 1fr; border-left: solid $panel; }
    #below { height: 8; }
    Rows { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    .title { height: 1; text-style: bold; background: $panel; }
    .box { width: 80%; height: auto; max-height: 80%; border: round $accent; background: $surface; padding: 0 1; }
    .box Rows { height: auto; max-height: 20; min-height: 3; }
    .tall { width: 94%; height: 90%; max-height: 90%; }
    .tall Rows { height: 1fr; max-height: 100%; }
    ModalScreen { align: center middle; }
    .alone .away { display: none; }
    #panes.alone > Vertical { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "end"),
        Binding("question_mark", "keys", "keys", key_display="?"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("colon", "jump", "go to", key_display=":", show=False),
        Binding("escape", "clear", "clear", show=False),
        Binding("s", "sort", "sort"),
        Binding("m", "changes", "changes"),
        Binding("right,l", "open", "open", show=False),
        Binding("left,h", "close", "close", show=False),
        Binding("asterisk", "open_all", "open all", show=False),
        Binding("1", "look(0)", "content", show=False),
        Binding("2", "look(1)", "bytes", show=False),
        Binding("3", "look(2)", "facts", show=False),
        Binding("4", "look(3)", "life", show=False),
        Binding("5,b", "look(4)", "blame", show=False),
        Binding("right_square_bracket", "turn(1)", "next look", show=False),
        Binding("left_square_bracket", "turn(-1)", "look before", show=False),
        Binding("z", "alone", "zoom", show=False),
        Binding("v", "view", "view", show=False),
        Binding("d", "compare", "diff"),
        Binding("c", "copy", "copy"),
        Binding("r", "receipt", "receipt"),
        Binding("x", "extract", "extract"),
        Binding("e", "save", "save", show=False),
    ]

    def __init__(
        self,
        image: Image,
        archive: str,
        *,
        view: ViewName = "runtime",
        options: tuple[str, ...] = (),
        ascii_only: bool = False,
    ) -> None:
        super().__init__()
        self.image = image
        self.archive = archive
        self.view_name: ViewName = view
        self.given = options
        self.failure: ImagepeelError | None = None
        self.walked: FileTree | None = None
        self.looks: Looks | None = None
        self.found: Found | None = None
        self.sought = ""
        self.index: Index | None = None
        self.prediction: Prediction | None = None
        self.current: Look = "content"
        self.signs = lines.ASCII if ascii_only else lines.Signs()
        self._turn = {"start": 0, "count": 0}
        self._sizes = [layer.blob_size or 0 for layer in image.layers]

    # ---- panes --------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Static(markup=False, classes="title", id="left-title")
                yield Rows(id="layers")
            with Vertical(id="middle"):
                yield Static(markup=False, classes="title", id="middle-title")
                yield Rows(id="files")
            with Vertical(id="right"):
                yield Static(markup=False, classes="title", id="right-title")
                yield Rows(id="look", cursor=False)
        with Vertical(id="below"):
            yield Static(markup=False, classes="title", id="below-title")
            yield Rows(id="start")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._say("left", terminal(self.image.name or os.path.basename(self.archive)))
        self._say("middle", "reading the layers ...")
        self._say("below", "what starts: after the layers are read")
        self._rows("layers").fill(len(self.image.layers) + 1, self._layer_line)
        self._rows("layers").focus()
        self.run_worker(self._scan, thread=True)

    @property
    def ended(self) -> bool:
        """Whether the panes are gone: a thread or a timer may come after that."""
        return not self.is_running or not self._screen_stack

    def _rows(self, name: str) -> Rows:
        return self.screen_stack[0].query_one(f"#{name}", Rows)

    def _say(self, pane: str, words: str) -> None:
        self.screen_stack[0].query_one(f"#{pane}-title", Static).update(words)

    def _scan(self) -> None:
        """Read the layers, in a thread."""
        total, done = sum(self._sizes), 0

        def progress(count: int) -> None:
            nonlocal done
            before, done = done, done + count
            if total and done * 20 // total != before * 20 // total:
                share = min(100, done * 100 // total)
                self.call_from_thread(self._say, "middle", f"reading the layers: {share} %")

        try:
            self.image.scan(progress=progress)
        except ImagepeelError as error:
            self.failure = error
            self.call_from_thread(self.exit)
            return
        self.call_from_thread(self._show)

    def _show(self) -> None:
        """Show the filesystem after the layer that is chosen, what a search finds in it, and what starts from it."""
        chosen = self._rows("layers").at
        layer = chosen - 1 if chosen else None
        try:
            rootfs = self.image.view(self.view_name)
            if layer is not None and not len(rootfs.uppers):
                rootfs = self.image.view_at(layer, self.view_name)
        except ImagepeelError as error:
            self.failure = error
            self.exit()
            return
        before = self.walked
        self.walked = FileTree(rootfs, layer)
        self.looks = Looks(self.image, rootfs)
        self.index = None
        if before is not None:
            self.walked.opened, self.walked.order = before.opened, before.order
            self.walked.changes_only = before.changes_only and self.walked.marked
            self.walked.reload()
        self._rows("layers").refresh()
        self._fill_files()
        if self.sought or self.walked.order == "size":
            self._count()
        self._predict(layer)

    # ---- layers -------------------------------------------------------------------------------------------

    def _layer_line(self, at: int, width: int) -> Line:
        return lines.layer_line(self.image.layers, at - 1, self.signs)

    # ---- files --------------------------------------------------------------------------------------------

    @property
    def files(self) -> list[FileRow]:
        """The rows of the middle pane."""
        if self.found is not None:
            return self.found.rows
        return self.walked.rows if self.walked is not None else []

    def _fill_files(self, at: int = 0) -> None:
        self._rows("files").fill(len(self.files), self._file_line, at)
        self._say("middle", self._files_title())
        if not self.files:
            self._fill_look()

    def _files_title(self) -> str:
        if self.walked is None:
            return "reading the layers ..."
        chosen = self._rows("layers").at
        layer = self.image.layers[chosen - 1] if chosen else None
        return lines.files_title(self.walked, layer, self.sought, self.found)

    def _file_line(self, at: int, width: int) -> Line:
        assert self.walked is not None
        return lines.file_line(self.files[at], self.walked, self.signs, width, found=self.found is not None)

    @property
    def row(self) -> FileRow | None:
        """The path under the cursor."""
        at = self._rows("files").at
        return self.files[at] if at < len(self.files) else None

    # ---- the look at a path -------------------------------------------------------------------------------

    def _fill_look(self) -> None:
        if self.ended:
            return
        pane, row = self._rows("look"), self.row
        names = "  ".join(f"[{look}]" if look == self.current else look for look in LOOKS)
        self._say("right", names)
        if row is None or self.looks is None:
            pane.fill(0, lambda at, width: [])
            return
        width = max(20, pane.scrollable_content_region.width)
        seen = self.looks.look(row, self.current, width)
        pane.fill(seen.lines, lambda at, _: seen.line(at))

    # ---- what starts --------------------------------------------------------------------------------------

    def _predict(self, layer: int | None) -> None:
        self._turn["start"] += 1
        turn = self._turn["start"]
        self._say("below", "what starts: ...")

        def run() -> None:
            from imagepeel.process.predict import predict  # start time

            image, found, why = self.image, None, ""
            try:
                if image.knowledge.artifact:
                    why = f"it is {image.knowledge.artifact} and starts nothing"
                elif layer is None or layer == len(image.layers) - 1:
                    found = image.process()
                else:
                    rootfs = image.view_at(layer, self.view_name)
                    found = predict(rootfs, image.config, architecture=image.architecture or None)
            except ImagepeelError as error:
                why = error.what
            self.call_from_thread(self._show_start, turn, found, why)

        self.run_worker(run, thread=True, group="start")

    def _show_start(self, turn: int, found: Prediction | None, why: str) -> None:
        if turn != self._turn["start"]:
            return
        self.prediction = found
        pane = self._rows("start")
        if found is None:
            self._say("below", f"what starts: {terminal(why)}")
            pane.fill(0, lambda at, width: [])
            return
        self._say("below", lines.start_title(found))
        pane.fill(len(found.steps), self._step_line)

    def _step_line(self, at: int, width: int) -> Line:
        assert self.prediction is not None
        return lines.step_line(self.prediction, at)

    # ---- messages -----------------------------------------------------------------------------------------

    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows.id == "layers" and self.walked is not None:
            self._show()
        elif event.rows.id == "files":
            # What nobody stops at is not looked at.
            self.set_timer(0.05, self._fill_look)

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        if event.rows.id == "files":
            self.action_open()
        elif event.rows.id == "start" and self.prediction is not None:
            step = self.prediction.steps[event.rows.at]
            if step.path:
                self._go(raw(step.path))

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill_look)

    # ---- actions ------------------------------------------------------------------------------------------

    def action_keys(self) -> None:
        self.push_screen(Read("keys", lines.keys()))

    def action_open(self) -> None:
        pane, tree = self._rows("files"), self.walked
        if tree is None or self.found is not None or self.row is None:
            return
        if tree.open(pane.at):
            self._fill_files(pane.at)

    def action_close(self) -> None:
        pane, tree = self._rows("files"), self.walked
        if tree is None or self.found is not None or self.row is None:
            return
        at = pane.at if tree.close(pane.at) else tree.parent(pane.at)
        self._fill_files(at)

    def action_open_all(self) -> None:
        pane, tree = self._rows("files"), self.walked
        if tree is not None and self.found is None and self.row is not None:
            tree.open_all(pane.at)
            self._fill_files(pane.at)

    def action_look(self, which: int) -> None:
        self.current = LOOKS[which]
        self._fill_look()

    def action_turn(self, by: int) -> None:
        self.action_look((LOOKS.index(self.current) + by) % len(LOOKS))

    def action_alone(self) -> None:
        focused = self.focused
        panes = self.query_one("#panes")
        alone = not panes.has_class("alone")
        for one in panes.children:
            one.set_class(alone and focused not in one.walk_children(Rows), "away")
        panes.set_class(alone and focused is not self._rows("start"), "alone")
        self.call_after_refresh(self._fill_look)

    def action_sort(self) -> None:
        if self.walked is None:
            return
        self.walked.order = "name" if self.walked.order == "size" else "size"
        self._again()
        if self.walked.order == "size":
            self._count()

    def action_changes(self) -> None:
        tree = self.walked
        if tree is None or not tree.marked:
            self.notify("choose a layer on the left first: only a layer changes something", markup=False)
            return
        tree.changes_only = not tree.changes_only
        self._again()

    def _again(self) -> None:
        """Make the rows anew, with the cursor on the path where it was."""
        assert self.walked is not None
        row = self.row
        self.walked.reload()
        at = self.walked.jump(row.path)[0] if row is not None else 0
        self._fill_files(at or 0)

    def action_search(self) -> None:
        def asked(words: str | None) -> None:
            if words is None:
                return
            self.sought, self.found = words.strip(), None
            try:
                parse(self.sought)
            except UsageError as error:
                self.sought = ""
                self.notify(terminal(f"{error.what}: {error.hint}"), severity="warning", markup=False)
            self._fill_files()
            if self.sought:
                self._count()
                self._rows("files").focus()

        self.push_screen(Ask("part of a name, *.conf, /etc/*, >1M, <4k", self.sought), asked)

    def action_clear(self) -> None:
        if self.sought:
            row = self.row
            self.sought, self.found = "", None
            self._fill_files()
            if row is not None:
                self._go(row.path)

    def _count(self) -> None:
        """Walk the tree in a thread for a search and for the sums of directories."""
        tree = self.walked
        assert tree is not None
        self._turn["count"] += 1
        turn, sought, index = self._turn["count"], self.sought, self.index or Index(tree.root)

        def run() -> None:
            found: Found | None = None
            try:
                if not index.whole and not index.build(lambda: turn != self._turn["count"]):
                    return
                found = index.search(parse(sought)) if sought else None
            except ImagepeelError as error:
                self.call_from_thread(self.notify, terminal(error.what), severity="warning", markup=False)
            self.call_from_thread(self._counted, turn, index, found)

        self.run_worker(run, thread=True, group="count")

    def _counted(self, turn: int, index: Index, found: Found | None) -> None:
        if turn != self._turn["count"] or self.walked is None:
            return
        self.index, self.walked.sizes = index, index.sums
        if self.sought and found is not None:
            self.found = found
            self._fill_files()
        elif self.sought:
            self.sought = ""
            self._fill_files()
        else:
            self._again()

    def action_jump(self) -> None:
        def asked(words: str | None) -> None:
            if words:
                self._go(raw(words))

        row = self.row
        self.push_screen(Ask("go to the path", _typed(text(row.path)) if row is not None else "/"), asked)

    def _go(self, path: bytes) -> None:
        """Put the cursor on a path; links on the way are followed where the path itself is not there."""
        tree = self.walked
        if tree is None:
            return
        self.sought, self.found = "", None
        at, whole = tree.jump(path)
        if not whole:
            found = tree.rootfs.resolve(path)
            if found.node is not None:
                at, whole = tree.jump(found.path)
        if not whole and tree.changes_only:
            tree.changes_only = False
            tree.reload()
            at, whole = tree.jump(path)
        self._fill_files(at or 0)
        self._rows("files").focus()
        if not whole:
            self.notify(terminal(f"{text(path)} is not here"), severity="warning", markup=False)

    def action_view(self) -> None:
        def asked(at: int | None) -> None:
            if at is not None:
                self.view_name = VIEWS[at]
                self._show()

        self.push_screen(Choose("the filesystem that is made by", VIEWS, VIEWS.index(self.view_name)), asked)

    def action_compare(self) -> None:
        layers = self.image.layers
        chosen = self._rows("layers").at
        here = chosen - 1 if chosen else len(layers) - 1
        targets: list[Layer | ImageRecord] = [layer for layer in layers if layer.index != here]
        targets += self.image.beside
        if not targets:
            self.notify("there is nothing to compare with: one layer, one image", markup=False)
            return

        def asked(at: int | None) -> None:
            if at is not None:
                self.notify("comparing ...", markup=False)
                self.run_worker(lambda: self._compare(here, targets[at]), thread=True, group="compare")

        names = [
            f"{one.label}  {brief_step(one.created_by)}" if isinstance(one, Layer) else f"image {one.numbered}"
            for one in targets
        ]
        self.push_screen(Choose(f"what differs between {layer_label(here)} and", names), asked)

    def _compare(self, here: int, target: Layer | ImageRecord) -> None:
        """Show what differs, in a thread: between this image after two layers, or between it and another image."""
        from imagepeel.present.diff import diff_document  # start time
        from imagepeel.results.diff import diff_result  # start time

        first: LayeredImage = self.image
        second = first
        ends: tuple[int, ...] = ()
        try:
            if isinstance(target, Layer):
                ends = tuple(sorted((here, target.index)))
                fronts = (first.view_at(ends[0], self.view_name), first.view_at(ends[1], self.view_name))
            else:
                second = self.image.sibling(target)
                fronts = (first.view(self.view_name), second.view(self.view_name))
            result = diff_result(first, second, *fronts, b"/", layers=ends, texts=False, strict=False, quick=True)
            told = list(document_lines(diff_document(result, every=False), width=max(40, self.size.width - 10)))
        except ImagepeelError as error:
            told = [[(terminal(error.what), "")]]
        self.call_from_thread(self.push_screen, Read("what differs", told))

    # ---- out of here --------------------------------------------------------------------------------------

    def command(self) -> str:
        """Return the imagepeel command that shows what the focused pane shows."""
        focused = self.focused.id if self.focused is not None else None
        pane = next((pane for pane in PANES if pane == focused), None)
        seen = Seen(pane, self.row, self.view_name, self._rows("layers").at, self.current, self.sought)
        return command_for(seen, self.archive, self.given)

    def action_copy(self) -> None:
        command = self.command()
        self.copy_to_clipboard(command)
        self.notify(terminal(command), title="copied", markup=False)

    def action_receipt(self) -> None:
        row = self.row
        receipts = self.looks.receipts(row) if row is not None and self.looks is not None else []
        if not receipts:
            self.notify("no tar member describes it", markup=False)
            return
        shown: list[Line] = [[(terminal(one.command), "35"), (f"   # {terminal(one.shows)}", DIM)] for one in receipts]
        self.push_screen(Read("receipts: c copies one", shown, [one.command for one in receipts]))

    def action_extract(self) -> None:
        row = self.row
        walked = self.walked
        if row is None or walked is None:
            return
        if row.node.kind not in ("file", "dir") or (row.mark == "D" and row.is_dir):
            self.notify("only files and directories that are there are written", severity="warning", markup=False)
            return
        shown = _typed(text(row.name)) or "extracted"

        def asked(place: str | None) -> None:
            if place:
                self._write(lambda: write_path(self.image, walked, row, place))

        self.push_screen(Ask(f"write {terminal(text(row.path))} to", shown), asked)

    def action_save(self) -> None:
        picture = self.export_screenshot(title="imagepeel")

        def asked(place: str | None) -> None:
            if place:
                self._write(lambda: write_file(place, [picture.encode()]))

        self.push_screen(Ask("save the screen as", "imagepeel.svg"), asked)

    def _write(self, work: Callable[[], str]) -> None:
        """Write something in a thread and say how it ended."""

        def run() -> None:
            try:
                done, level = work(), "information"
            except ImagepeelError as error:
                done, level = f"{error.what}; {error.hint}" if error.hint else error.what, "error"
            except OSError as error:
                done, level = f"it cannot be written: {error.strerror or error}", "error"
            self.call_from_thread(self.notify, terminal(done), severity=level, markup=False)

        self.run_worker(run, thread=True, group="write")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield what the palette of commands lists: everything that has a key."""
        for name, words, action in (
            ("Search", "names, patterns, sizes", self.action_search),
            ("Go to a path", "open what is above it", self.action_jump),
            ("Sort by size or name", "directories by what is below them", self.action_sort),
            ("Only changes", "what the chosen layer did", self.action_changes),
            ("View", "the filesystem of another engine", self.action_view),
            ("Compare", "with another layer or image", self.action_compare),
            ("Copy the command", "that shows the same", self.action_copy),
            ("Receipt", "shell commands without imagepeel", self.action_receipt),
            ("Extract", "this file or directory", self.action_extract),
            ("Save as SVG", "the screen as it is", self.action_save),
            ("One pane alone", "or all again", self.action_alone),
            ("Keys", "all of them", self.action_keys),
            ("End", "leave imagepeel", self.exit),
        ):
            yield SystemCommand(name, words, action)


def _typed(name: str) -> str:
    """Return a name that may stand in a line to type, "" for one that would act on a terminal or hide something."""
    return name if terminal(name) == name else ""
