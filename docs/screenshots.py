"""Screenshots for the site, made of what the program writes today: `make docs` calls it after the pages.

    python docs/screenshots.py docs/_site/screenshots

Needs chromium; without it nothing is made, and that is said.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from imagepeel import forge

SIZE = (1280, 800)
SHOWN = {
    "explain": ("explain", "shop.tar", "--html", "{page}"),
    "process": ("process", "broken-entrypoint.tar", "--html", "{page}"),
    "findings": ("wtf", "shop.tar", "--html", "{page}"),
    "anatomy": ("anatomy", "shop.tar", "manifest.json", "--html", "{page}"),
    "slides": ("workshop", "slides", "shop.tar", "{page}"),
}
"""The words of a command by the name of its picture."""


def browser() -> str | None:
    """The headless browser of this machine, None without one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def make(out: Path, names: tuple[str, ...] = tuple(SHOWN)) -> list[Path]:
    """Write a picture for each name, and return them; CalledProcessError where a command or the browser fails."""
    program = browser()
    assert program is not None
    out.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as top:
        for image in ("shop", "broken-entrypoint"):
            forge.write(forge.build(image), Path(top, f"{image}.tar"))
        for name in names:
            page, picture = Path(top, f"{name}.html"), (out / f"{name}.png").resolve()
            words = [word.replace("{page}", str(page)) for word in SHOWN[name]]
            subprocess.run([sys.executable, "-m", "imagepeel", *words], cwd=top, check=True, capture_output=True)
            options = [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ]
            look = ["--hide-scrollbars", f"--window-size={SIZE[0]},{SIZE[1]}", f"--screenshot={picture}", page.as_uri()]
            subprocess.run([program, *options, *look], cwd=top, check=True, capture_output=True, timeout=120)
            made.append(picture)
    return made


if __name__ == "__main__":
    if browser() is None:
        print("no screenshots: chromium is not installed")
    else:
        pictures = make(Path(sys.argv[1]))
        rows = "".join(f'<h2>{one.stem}</h2><img src="{one.name}" alt="imagepeel {one.stem}">' for one in pictures)
        Path(sys.argv[1], "index.html").write_text(f"<!doctype html><title>Screenshots</title>{rows}")
