"""The examples run."""

from __future__ import annotations

import hashlib
import inspect
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_audit_folder_says_one_line_an_image(tmp_path: Path) -> None:
    for name in ("hello", "no-loader"):
        forge.write(forge.build(name), tmp_path / f"{name}.tar")
    (tmp_path / "notes.txt").write_text("not an image\n")
    command = [sys.executable, str(EXAMPLES / "audit_folder.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("hello.tar:") and "RUNS" in lines[0]
    assert lines[1].startswith("no-loader.tar:") and "FAILS" in lines[1]
    assert lines[2].startswith("notes.txt: not-an-image")


@pytest.mark.parametrize("notebook", sorted((EXAMPLES / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_execute_and_show_html(notebook: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    document = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(document, timeout=120, kernel_name="python3").execute()
    shown = [
        output
        for cell in document.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result" and "text/html" in output.data
    ]
    assert len(shown) >= 4, "archive, image, prediction and story show themselves as HTML"
    assert all("<script" not in output.data["text/html"] for output in shown)


@pytest.mark.parametrize("notebook", sorted((EXAMPLES / "survey").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_of_a_survey_answer_their_questions(notebook: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    for module in ("duckdb", "ipykernel", "pandas", "pyarrow"):
        pytest.importorskip(module)
    document = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(document, timeout=120, kernel_name="python3").execute()
    shown = [
        output.data["text/html"]
        for cell in document.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result" and "text/html" in output.data
    ]
    assert len(shown) >= 7
    if "duckdb" in notebook.name:
        # The gallery has one image whose secret was deleted, and one source that is no archive.
        assert "not-an-image" in shown[1]
        told = next(text for text in shown if "deleted_and_shipped" in text)
        assert re.findall(r"<td>(\d+)</td>", told)[:2] == ["1", "1"]


def test_the_recipe_makes_an_image_that_starts(tmp_path: Path) -> None:
    out = tmp_path / "lesson.tar"
    command = [sys.executable, "-m", "imagepeel", "forge", "--from", str(EXAMPLES / "recipe.json"), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    with imagepeel.open(out) as archive:
        image = archive.image("1")
        assert image.process().verdict.kind == "RUNS"
        assert not (image.rootfs / "etc/secret").exists()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forge.write(forge.build("shop"), tmp_path_factory.mktemp("examples") / "shop.tar")


def _run(name: str, *words: object, code: int = 0) -> str:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "words", "code", "says"),
    [
        ("explain_image", (), 0, "It is a tarball"),
        ("explain_image", ("file",), 0, "tar -tvf "),
        ("predict_start", ("docker", "podman"), 0, 'RUNS execve("/usr/local/bin/entrypoint.sh"'),
        ("who_loads_it", (), 0, "skopeo@1.9: takes"),
        ("surprises", (), 0, "SECRET"),
        ("operators_manual", (), 0, "Should this run in production?"),
        ("largest_files", ("/srv/shop",), 0, "300000  /srv/shop/catalog.bin"),
        ("blame_a_line", ("/etc/passwd",), 0, "L2 2024-01-01 shop:x:999:999:shop:/srv/shop:/bin/sh"),
        ("life_of_a_path", ("/srv/shop/.env",), 0, "removed by L5"),
        ("where_engines_disagree", (), 0, "0 paths differ"),
        ("rebuild_dockerfile", (), 0, "RUN rm .env"),
        ("plan_a_smaller_image", (), 0, "    COPY --chown=999:999 . ."),
        ("list_packages", (), 0, "no package database that we know was found"),
        ("decode_an_error", ("127",), 0, "127: one of "),
        ("decode_an_error", ("hello world",), 1, ""),
    ],
)
def test_each_verb_has_a_program(name: str, words: tuple[str, ...], code: int, says: str, shop: Path) -> None:
    assert says in _run(name, shop, *words, code=code)


def test_packages_that_were_purged_are_marked(tmp_path: Path) -> None:
    lines = _run("list_packages", forge.write(forge.build("pantry"), tmp_path / "pantry.tar")).splitlines()
    assert [line[0] for line in lines] == [" "] * 5 + ["-"] and "/wget@1.21.3-1%2Bb2?" in lines[-1]


def test_a_start_that_fails_ends_with_1(tmp_path: Path) -> None:
    archive = forge.write(forge.build("no-loader"), tmp_path / "broken.tar")
    assert "FAILS exec /app/server: no such file or directory" in _run("predict_start", archive, "docker", code=1)


def test_what_is_wasted_is_what_the_layers_ship_and_the_tree_has_not(shop: Path, tmp_path: Path) -> None:
    """Shipped is counted with Python's tarfile, visible on the disk."""
    shipped = 0
    with tarfile.open(shop) as outer:
        for member in outer:
            if member.name.endswith("/layer.tar"):
                with tarfile.open(fileobj=outer.extractfile(member)) as layer:
                    shipped += sum(entry.size for entry in layer if entry.isreg())
    _run("unpack", shop, tmp_path / "tree")
    found = [path.lstat() for path in (tmp_path / "tree").rglob("*") if path.is_file() and not path.is_symlink()]
    visible = sum({one.st_ino: one.st_size for one in found}.values())
    unreachable, _, files = _run("wasted_bytes", shop).split()[:3]
    assert (int(unreachable), int(files)) == (shipped - visible, shipped)


def test_what_is_written_is_what_is_in_the_image(shop: Path, tmp_path: Path) -> None:
    _run("unpack", shop, tmp_path / "tree")
    assert (tmp_path / "tree/etc/passwd").read_text().startswith("root:")
    assert not (tmp_path / "tree/srv/shop/.env").exists()
    digest, out = _run("flatten_image", shop, tmp_path / "flat.tar").split()
    assert hashlib.sha256(Path(out).read_bytes()).hexdigest() == digest
    assert _run("forge_an_image", tmp_path / "mine.tar").strip() == str(tmp_path / "mine.tar")
    assert "RUNS" in _run("predict_start", tmp_path / "mine.tar", "docker")


def test_two_images_are_compared(shop: Path, tmp_path: Path) -> None:
    assert _run("compare_images", shop, shop) == ""
    hello = forge.write(forge.build("hello"), tmp_path / "hello.tar")
    assert "/hello" in _run("compare_images", shop, hello, code=1)


def test_every_verb_of_an_image_has_an_example() -> None:
    verbs = [
        name
        for name, value in vars(imagepeel.Image).items()
        if not name.startswith("_") and inspect.isfunction(value) and name not in ("operations", "read_ahead")
    ]
    texts = "".join(path.read_text() for path in EXAMPLES.rglob("*.*"))
    assert [verb for verb in verbs if f".{verb}(" not in texts] == []
