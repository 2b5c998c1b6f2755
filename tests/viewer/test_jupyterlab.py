"""The notebooks as JupyterLab shows them: its style beats ours nowhere, and what is not trusted still reads.

JupyterLab is no part of the development tools: `pip install jupyterlab` beside them, or IMAGEPEEL_JUPYTER names its
`jupyter`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium

BESIDE = Path(sys.executable).with_name("jupyter")
JUPYTER = os.environ.get("IMAGEPEEL_JUPYTER") or shutil.which("jupyter", path=str(BESIDE.parent)) or ""
NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"
NAMES = ("first_look", "where_are_the_bytes")
WAIT = 60_000


def _has_lab() -> bool:
    if not JUPYTER:
        return False
    done = subprocess.run([JUPYTER, "lab", "--version"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.startswith("4")


pytestmark = [
    pytest.mark.judge,
    pytest.mark.skipif(not _has_lab(), reason="JupyterLab 4 is not installed"),
]

FACTS = """
(cards) => cards.map((card) => {
  const shown = (one) => one.getClientRects().length > 0;
  const aligned = (one) => getComputedStyle(one).textAlign;
  const place = (one) => one.getBoundingClientRect();
  const lines = (one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    const boxes = [...range.getClientRects()].filter((box) => box.width);
    return new Set(boxes.map((box) => Math.round(box.bottom / 8))).size;
  };
  const cells = [...card.querySelectorAll("th, td")].filter((one) => shown(one) && one.textContent);
  const numbers = cells.filter((one) => one.classList.contains("right"));
  const words = cells.filter((one) => !one.classList.contains("right"));
  const claims = [...card.querySelectorAll(".claim:has(> details)")].filter(shown);
  return {
    text: card.innerText,
    cells: cells.length,
    numbers: numbers.length,
    askew: words.filter((one) => !["left", "start"].includes(aligned(one))).length,
    ragged: numbers.filter((one) => aligned(one) !== "right").length,
    wrapped: numbers.filter((one) => lines(one) > 1).map((one) => one.textContent),
    drawings: card.querySelectorAll('svg[role="img"]').length,
    claims: claims.length,
    apart: claims.filter((one) => {
      const [said, proof] = [place(one.firstElementChild), place(one.querySelector(":scope > details"))];
      return proof.top > said.bottom || proof.bottom < said.top;
    }).length,
  };
})
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, bool], list[Any]]]:
    """Return what asks JupyterLab for the cards of a notebook that was run, trusted or not."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    home = tmp_path_factory.mktemp("lab")
    for name in NAMES:
        document = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        nbclient.NotebookClient(document, timeout=120, kernel_name="python3").execute()
        nbformat.write(document, home / f"{name}-trusted.ipynb")
        # Trust goes by content: a copy would have it, too.
        document.cells.append(nbformat.v4.new_markdown_cell("by a stranger"))
        nbformat.write(document, home / f"{name}-stranger.ipynb")
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("DATA", "CONFIG", "RUNTIME")}
    environment = {**os.environ, **folders, "IPYTHONDIR": str(home / "ipython")}
    trusted = [str(home / f"{name}-trusted.ipynb") for name in NAMES]
    subprocess.run([JUPYTER, "trust", *trusted], env=environment, capture_output=True, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [JUPYTER, "lab", "--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token="]
    server = subprocess.Popen(
        [*words, f"--ServerApp.root_dir={home}"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(f"{address}/api")
        with chromium() as browser:

            def cards(name: str, trust: bool) -> list[Any]:
                page = browser.new_page(viewport={"width": 1300, "height": 6000})
                file = f"{name}-{'trusted' if trust else 'stranger'}.ipynb"
                page.goto(f"{address}/lab/tree/{file}?reset")
                page.wait_for_selector(".jp-Notebook .jp-OutputArea-output", timeout=WAIT)
                page.wait_for_timeout(2_000)
                found = page.eval_on_selector_all(".jp-RenderedHTMLCommon .imagepeel, .jp-OutputArea .imagepeel", FACTS)
                page.close()
                return list(found)

            yield cards
    finally:
        server.terminate()
        server.wait(30)


def _await(address: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(address):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"JupyterLab does not answer at {address}")


@pytest.mark.parametrize("name", NAMES)
def test_cards_look_as_they_should(lab: Callable[[str, bool], list[Any]], name: str) -> None:
    cards = lab(name, True)
    assert len(cards) >= 3 and sum(card["cells"] for card in cards) > 40
    assert sum(card["numbers"] for card in cards) > 5 and sum(card["claims"] for card in cards) > 0
    assert sum(card["drawings"] for card in cards) >= 8
    assert _crooked(cards) == []


def _crooked(cards: list[Any]) -> list[Any]:
    """The cards with a column on the wrong side, a number that wraps, or a proof that is not beside its sentence."""
    return [card for card in cards if (card["askew"], card["ragged"], card["wrapped"], card["apart"]) != (0, 0, [], 0)]


def test_what_is_not_trusted_reads_without_style_and_drawing(lab: Callable[[str, bool], list[Any]]) -> None:
    cards = lab("where_are_the_bytes", False)
    assert len(cards) >= 3
    for card in cards:
        card["apart"] = 0
    assert _crooked(cards) == []
    text = "".join(card["text"] for card in cards)
    assert "L4\t0 B visible, 513 kB unreachable, 7.07 kB of headers; 520 kB stored" in text
    assert not any(card["drawings"] for card in cards) and ".imagepeel" not in text
