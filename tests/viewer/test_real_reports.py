"""Reports of real images: each opens without a complaint, and its tree has the bytes that du counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import Watched, chromium
from click.testing import CliRunner

from imagepeel.cli import cli
from real_images import archives
from sampling import sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPENED = 6
"""Reports that each run opens; `make judges-all` opens all."""

SUMS = """() => {
  const [{ result }] = JSON.parse(document.getElementById("data").textContent);
  const { total } = new ImageModel(result);
  const add = (name) => result.bytes.layers.reduce((sum, layer) => sum + layer[name], 0);
  return [total.size, total.lost, add("visible"), add("shadowed") + add("removed"), result.exact];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.judge
@pytest.mark.shared
@pytest.mark.slow
def test_reports_of_real_images_open(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> None:
    chosen = sample(request.config, archives(), OPENED)
    if not chosen:
        pytest.skip("the real images are not here")
    opened = 0
    wrong = []
    for archive in chosen:
        file = tmp_path / "report.html"
        done = CliRunner().invoke(cli, ["report", str(archive), "--image", "#1", "-o", str(file)])
        assert done.exit_code in (0, 3, 10, 11, 12, 13, 14), (archive, done.output)
        if not file.exists():
            continue
        at = Watched(browser, file)
        tree, lost, visible, unseen, exact = at.page.evaluate(SUMS)
        if not at.quiet(file) or (exact and (tree, lost) != (visible, unseen)):
            wrong.append((str(archive), at.complaints, tree, lost, visible, unseen))
        opened += 1
        at.context.close()
        file.unlink()
    assert wrong == []
    assert opened >= len(chosen) // 3
