"""Fixtures that tests of every folder share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampling import add_options

REPOSITORY = Path(__file__).parents[1]
GOLDEN = REPOSITORY / "tests" / "golden"
MEASURED = frozenset(("cases", "docs", "golden", "judge", "unit"))
"""Folders whose tests count for the coverage."""
UNMEASURED = frozenset(
    [
        "cases/test_cost.py",  # it counts calls and bytes
        "unit/test_architecture.py",
        "unit/test_closed_sets.py",
        "unit/test_lazy_patterns.py",
        "unit/test_public_types.py",
    ]
)
"""Files of these folders that read the source and do not ask it, or that measure something else."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what commands print now to tests/golden; review the difference before committing it",
    )
    add_options(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Measure what the tests of single parts cover, where somebody measures.

    The other folders, and the starts that engines were seen to make, ask for the same code thousands of times over:
    measuring doubles what that costs and adds nothing.
    """
    if not config.pluginmanager.hasplugin("pytest_cov"):
        return
    for item in items:
        place = item.path.relative_to(REPOSITORY / "tests")
        if place.parts[0] not in MEASURED or place.parts[:2] == ("unit", "process") or place.as_posix() in UNMEASURED:
            item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tests neither read nor fill the cache of the person who runs them; commands in subprocesses inherit this."""
    place = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place))
        yield place


@pytest.fixture(scope="session")
def shared_root() -> Path:
    """The directory of shared cases and images beside the checkout; the test is skipped where it is absent."""
    place = REPOSITORY.parent / "shared"
    if not (place / "images").is_dir():
        pytest.skip("the shared images beside the checkout are absent")
    return place


@pytest.fixture(scope="session")
def forge_archive(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes a teaching image (or a spec) once and gives its path.

    `forge_archive("shop", kind="oci-archive", compression="gzip")`; the file is called `shop.tar`.
    """
    from imagepeel import forge

    made: dict[Any, Path] = {}
    alive: list[Any] = []  # the key of a spec is its id, which a later spec gets where the first one is gone

    def make(what: Any, *, name: str = "", **packing: str) -> Path:
        key = (what if isinstance(what, str) else id(what), name, tuple(sorted(packing.items())))
        if key not in made:
            folder = tmp_path_factory.mktemp("forge")
            shown = name or (what if isinstance(what, str) else "image") + ".tar"
            spec = forge.build(what) if isinstance(what, str) else what
            made[key] = forge.write(spec, folder / shown, **packing)
            alive.append(what)
        return made[key]

    return make


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a text with `tests/golden/NAME`, or writes it with --update-golden."""

    def compare(name: str, found: str) -> None:
        place = GOLDEN / name
        if request.config.getoption("--update-golden"):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(found, encoding="utf-8", newline="\n")
        assert place.exists(), f"{place} is missing: run pytest --update-golden and review it"
        assert found == place.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that runs one command line in this process; no terminal, no COLUMNS, no NO_COLOR.

    The result has `exit_code`, `stdout`, `stderr` and `stdout_bytes`; `cwd` changes the directory for the call.
    """
    from imagepeel.cli import cli
    from runner import runner

    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path, cwd: Path | None = None, stdin: bytes | None = None, env: Any = None) -> Any:
        before = Path.cwd()
        if cwd is not None:
            os.chdir(cwd)
        try:
            return runner().invoke(cli, [str(word) for word in words], input=stdin, env=env)
        finally:
            os.chdir(before)

    return run


@pytest.fixture
def empty_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that is TMPDIR during the test and must be empty afterwards: nothing is left behind."""
    import tempfile

    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield place
    assert not list(place.iterdir())
