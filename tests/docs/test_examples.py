"""The examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("notebook", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
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


def test_the_recipe_makes_an_image_that_starts(tmp_path: Path) -> None:
    import imagepeel

    out = tmp_path / "lesson.tar"
    command = [sys.executable, "-m", "imagepeel", "forge", "--from", str(EXAMPLES / "recipe.json"), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    with imagepeel.open(out) as archive:
        image = archive.image("1")
        assert image.process().verdict.kind == "RUNS"
        assert not (image.rootfs / "etc/secret").exists()
