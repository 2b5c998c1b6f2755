"""browse as people use it: Textual's own pilot presses the keys, and what is on the screen is read."""

from __future__ import annotations

import asyncio
import io
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge

pytest.importorskip("textual", reason="needs the extra tui")

from textual.pilot import Pilot

from imagepeel.browse.app import Browser
from imagepeel.browse.rows import Rows

Make = Callable[..., Path]
Play = Callable[[Browser, Pilot[None]], Coroutine[Any, Any, None]]

CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def played(path: Path, play: Play, size: tuple[int, int] = (100, 30), **options: Any) -> None:
    """Open an image in the application, wait until all panes are full, and play."""

    async def run() -> None:
        with imagepeel.open(path) as archive:
            image = archive.image(options.pop("image", None))
            app = Browser(image, str(path), **options)
            async with app.run_test(size=size) as pilot:
                await settled(app, pilot)
                await play(app, pilot)

    asyncio.run(run())


async def settled(app: Browser, pilot: Pilot[None]) -> None:
    """Wait until no thread works for the panes any more and what it found is drawn."""
    for _ in range(200):
        await pilot.pause(0.06)
        if app.walked is not None and all(worker.is_finished for worker in app.workers):
            return
    raise AssertionError("the panes were not filled in 12 seconds")


async def press(app: Browser, pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(app, pilot)


async def typed(app: Browser, pilot: Pilot[None], words: str) -> None:
    """Type words into the line that is asked for, over what stands there, and end it with Enter."""
    field = app.screen.query_one("Input")
    field.value = words  # type: ignore[attr-defined]
    await press(app, pilot, "enter")


def screen(app: Browser) -> list[str]:
    """The text on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def pane(app: Browser, name: str) -> list[str]:
    """All lines of a pane, also those that it would have to be scrolled to."""
    rows = app.screen_stack[0].query_one(f"#{name}", Rows)
    return ["".join(text for text, _ in rows._make(at, 200)) for at in range(rows.count)]


def told(app: Browser) -> str:
    """What was said in a corner of the screen so far."""
    return "\n".join(notification.message for notification in app._notifications)


def title(app: Browser, name: str) -> str:
    return str(app.screen_stack[0].query_one(f"#{name}-title").render())


def test_the_four_panes(forge_archive: Make) -> None:
    """The layers, the tree, the file, and process 1 as runc shows it (../differential): /srv/shop/bin/serve."""

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        assert [line[:2] for line in pane(app, "layers")] == ["al", *(f"L{number}" for number in range(1, 9))]
        assert [line.split()[-2] for line in pane(app, "files")][-2:] == ["usr", "var"]
        assert title(app, "below").startswith("RUNS on docker@") and "/srv/shop/bin/serve --port 8080" in title(
            app, "below"
        )
        await press(app, pilot, "tab", *["down"] * 2, "enter", "down")
        assert "root:x:0:" in pane(app, "look")
        await press(app, pilot, "3")
        assert any("mode" in line and "0644" in line for line in pane(app, "look"))
        await press(app, pilot, "4")
        assert any("L2" in line and "changed" in line for line in pane(app, "look"))
        await press(app, pilot, "b")
        assert any(line.startswith("L2 ") and "shop:x:999" in line for line in pane(app, "look"))
        await press(app, pilot, "2")
        assert any("65 74 63 2f" in line or "65 74 63  " in line for line in pane(app, "look")), "etc/ in hex"

    played(forge_archive("shop"), play)


def test_moving_over_the_layers_peels(forge_archive: Make) -> None:
    """The shop's L5 deletes /srv/shop/.env; before L8 brings the entrypoint, nothing starts."""

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, *["down"] * 5)
        assert "after L5" in title(app, "middle")
        assert title(app, "below").startswith("FAILS") and "entrypoint.sh" in title(app, "below")
        await press(app, pilot, "m")
        await press(app, pilot, "tab", "asterisk")
        deleted = [line for line in pane(app, "files") if line.startswith("D")]
        assert [line.split()[-2] for line in deleted] == [".env"]
        await press(app, pilot, "end")
        assert any("L4" in line for line in [title(app, "middle"), *pane(app, "files")])
        assert "SHOP_DB_PASSWORD" in "".join(pane(app, "look"))

    played(forge_archive("shop"), play)


def test_each_step_of_the_start_leads_to_its_file(forge_archive: Make) -> None:
    async def play(app: Browser, pilot: Pilot[None]) -> None:
        steps = pane(app, "start")
        at = next(i for i, line in enumerate(steps) if "/srv/shop/bin/serve is a program" in line)
        await press(app, pilot, "shift+tab", *["down"] * at, "enter")
        assert app.row is not None and app.row.path == b"/srv/shop/bin/serve"
        assert any("7f 45 4c 46" in line for line in pane(app, "look"))

    played(forge_archive("shop"), play)


def test_searching_going_and_sorting(forge_archive: Make) -> None:
    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash")
        await typed(app, pilot, "*.sh")
        assert "found" in title(app, "middle")
        assert [line.split()[-2] for line in pane(app, "files")][-1] == "entrypoint.sh"
        await press(app, pilot, "end", "escape")
        assert app.row is not None and app.row.path == b"/usr/local/bin/entrypoint.sh"
        await press(app, pilot, "colon")
        await typed(app, pilot, "/etc/passwd")
        assert app.row.path == b"/etc/passwd"
        await press(app, pilot, "s")
        sizes = [row for row in app.files if not row.depth]
        assert "by size" in title(app, "middle")
        assert app.walked is not None
        counts = [app.walked.size(row) or 0 for row in sizes]
        assert counts == sorted(counts, reverse=True) and counts[0] > 100_000
        await press(app, pilot, "colon")
        await typed(app, pilot, "/no/such")
        assert "is not here" in told(app)
        await press(app, pilot, "slash")
        await typed(app, pilot, ">nonsense")
        assert "no size" in told(app)

    played(forge_archive("shop"), play)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((), "layers"),
        (("down", "down"), "tree --layer 2"),
        (("tab", "down", "down"), "tree /etc"),
        (("tab", "home"), "cat /README"),
        (("tab", "home", "tab", "4"), "trace /README"),
        (("tab", "home", "tab", "b"), "blame /README"),
        (("tab", "home", "tab", "2"), "anatomy L1:/README"),
        (("shift+tab",), "process"),
    ],
)
def test_the_command_to_copy_runs_and_shows_the_same(keys: tuple[str, ...], words: str, forge_archive: Make) -> None:
    path = forge_archive("shop")

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, *keys)
        name, *rest = words.split()
        assert shlex.split(app.command()) == ["imagepeel", name, str(path), *rest]
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(app.command())], capture_output=True, text=True, check=True
        )
        assert done.stdout
        if name == "cat":
            assert done.stdout.replace("\n", "") == "".join(pane(app, "look"))
        await press(app, pilot, "c")
        assert app.clipboard == app.command()

    played(path, play)


def test_receipts_show_the_file_without_imagepeel(forge_archive: Make) -> None:
    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, "tab", "home", "r", "down", "c")
        done = subprocess.run(["bash", "-c", app.clipboard], capture_output=True, text=True, check=True)
        assert done.stdout.replace("\n", "") == "".join(pane(app, "look"))

    played(forge_archive("shop"), play)


def test_extracting_files_deleted_ones_and_directories(forge_archive: Make, tmp_path: Path) -> None:
    path = forge_archive("shop")

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, "tab", "home", "x")
        await typed(app, pilot, str(tmp_path / "README"))
        await press(app, pilot, "down", "down", "x")
        await typed(app, pilot, str(tmp_path / "etc"))
        await press(app, pilot, "x")
        await typed(app, pilot, str(tmp_path / "README"))
        assert "is no directory" in told(app)
        await press(app, pilot, "shift+tab", *["down"] * 5, "tab", "colon")
        await typed(app, pilot, "/srv/shop/.env")
        await press(app, pilot, "x")
        await typed(app, pilot, str(tmp_path / "env"))

    played(path, play)
    cat = [sys.executable, "-m", "imagepeel", "cat", path]
    for place, words in (
        ("README", ["/README"]),
        ("etc/passwd", ["/etc/passwd"]),
        ("env", ["/srv/shop/.env", "--layer", "4"]),
    ):
        assert (tmp_path / place).read_bytes() == subprocess.run([*cat, *words], capture_output=True, check=True).stdout
    assert sorted(one.name for one in tmp_path.iterdir()) == ["README", "env", "etc"]


def test_comparing_two_layers(forge_archive: Make) -> None:
    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, *["down"] * 5, "d", *["down"] * 3, "enter")
        assert any("/srv/shop/.env" in line for line in screen(app))
        await press(app, pilot, "escape")
        assert len(app.screen_stack) == 1

    played(forge_archive("shop"), play)


def test_the_screen_is_saved_as_a_picture(forge_archive: Make, tmp_path: Path) -> None:
    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, "e")
        await typed(app, pilot, str(tmp_path / "screen.svg"))

    played(forge_archive("shop"), play)
    picture = (tmp_path / "screen.svg").read_text()
    assert picture.startswith("<svg") and "shop:1.4" in picture


def test_the_filesystem_of_another_engine(forge_archive: Make) -> None:
    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, "down", "v", "down", "down", "enter")
        assert title(app, "middle").startswith("sequential: after L1")
        assert "keeps no layers apart" in title(app, "middle")
        await press(app, pilot, "m")
        assert "choose a layer" in told(app)

    played(forge_archive("shop"), play)


def test_hostile_names_are_inert(forge_archive: Make) -> None:
    evil = "a\x1b[2J\x07\x9b31m\u202eb[bold]x[/bold]"
    spec = forge.image(
        forge.layer(
            forge.file(evil, "\x1b]0;owned\x07 text \u202e \x9b"), forge.directory("d"), forge.symlink("d/l", evil),
            forge.file("long/" + "n" * 250, "x" * 5_000), created_by=f"RUN {evil}",
        ),
        names="evil:1", cmd=[f"/{evil}"], env=[f"A={evil}"], user=evil, labels={evil: evil},
    )  # fmt: skip

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        seen: list[str] = []
        keys = "tab home;1;2;3;4;c;r;escape;colon;escape;x;escape;down enter asterisk;shift+tab shift+tab;question_mark"
        for some in keys.split(";"):
            await press(app, pilot, *some.split())
            seen += screen(app)
        for name in ("layers", "files", "look", "start"):
            seen += pane(app, name)
        assert not [line for line in seen if CONTROLS.search(line)]
        assert any("[bold]x[/bold]" in line for line in seen), "square brackets are letters of a name"

    played(forge_archive(spec, name="evil.tar"), play)


def test_a_damaged_layer_shows_what_is_there(forge_archive: Make) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("first", "second"):
            entry = tarfile.TarInfo(name)
            entry.size = 3_000
            tar.addfile(entry, io.BytesIO(b"x" * 3_000))
    cut = stream.getvalue()[:5_000]
    spec = forge.image(forge.layer(forge.file("below", "")), forge.layer(tar=cut), names="cut:1")

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        assert [line.endswith("damaged") for line in pane(app, "layers")] == [False, False, True]
        assert [line.split()[2] for line in pane(app, "files")][:2] == ["below", "first"]
        assert "incomplete" in title(app, "middle")

    played(forge_archive(spec, name="cut-layer.tar"), play)


def test_an_artifact_starts_nothing(shared_root: Path) -> None:
    path = shared_root / "cases/real-images/artifact.tar"
    if not path.exists():
        pytest.skip("needs ../shared/cases/real-images")

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        assert "starts nothing" in title(app, "below")

    played(path, play, image="#1")


def test_keys_alone_and_small_and_without_colours(forge_archive: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        lines = screen(app)
        assert len(lines) == 24 and all(len(line) == 80 for line in lines)
        assert "+ bin" in "\n".join(lines) and "▸" not in "\n".join(lines)
        await press(app, pilot, "tab", "z")
        assert not any(line.startswith("L1") for line in screen(app)), "the pane of the layers is away"
        await press(app, pilot, "z")
        assert any(line.startswith("L1") for line in screen(app))
        await press(app, pilot, "question_mark")
        assert any("open everything below" in line for line in screen(app))

    played(forge_archive("shop"), play, (80, 24), ascii_only=True)


def test_every_key_of_the_help_does_something() -> None:
    from imagepeel.browse.lines import keys

    told = {key for line in keys() if line for key in re.split(r"[\s,;]+", line[0][0])}
    bound = {
        (binding.key_display or one).replace("question_mark", "?")
        for binding in Browser.BINDINGS
        for one in binding.key.split(",")
    }  # type: ignore[union-attr]
    names = {"asterisk": "*", "right_square_bracket": "]", "left_square_bracket": "[", "escape": "Escape"}
    missing = {names.get(one, one) for one in bound} - told - {"?", "Escape"}
    assert not missing
