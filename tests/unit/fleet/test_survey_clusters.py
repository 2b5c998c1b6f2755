"""A survey on a cluster of Dask and on Ray: the rows are those of one thread."""

from __future__ import annotations

import json
import os
import runpy
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.fleet.tables import TABLES

ROOT = Path(__file__).parents[3]
Facts = dict[str, list[dict[str, Any]]]


def every_row(facts: Path) -> Facts:
    out = {}
    for table in TABLES:
        found = [json.loads(line) for part in (facts / table).iterdir() for line in part.read_text().splitlines()]
        out[table] = sorted(found, key=lambda row: json.dumps(row, sort_keys=True))
    return out


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "fleet"
    folder.mkdir()
    base = forge.layer(forge.file("etc/base", b"of all of them\n" * 3_000))
    for number in range(6):
        own = forge.layer(forge.file(f"srv/{number}", str(number)))
        spec = forge.image(base, own, entrypoint=["/srv/x"], names=f"app:{number}")
        forge.write(spec, folder / f"{number}.tar", kind="oci-archive", compression="gzip")
    (folder / "broken.tar").write_bytes(b"no tar")
    return folder


@pytest.fixture(scope="module")
def expected(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    out = tmp_path_factory.mktemp("expected") / "facts"
    with ThreadPoolExecutor(1) as thread:
        imagepeel.survey(fleet, out=out, executor=thread, form="jsonl")
    return every_row(out)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers, each a process of its own with a nanny that starts it anew."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def test_dask_finds_the_same(fleet: Path, expected: Facts, client: Any, tmp_path: Path) -> None:
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2 and os.getpid() not in pids
    result = imagepeel.survey(fleet, out=tmp_path / "facts", executor=client.get_executor(), workers=2, form="jsonl")
    assert (result.examined, result.failed) == (6, 1)
    assert every_row(tmp_path / "facts") == expected


def test_a_worker_of_dask_that_is_killed_costs_nothing(
    fleet: Path, expected: Facts, client: Any, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(what: str, done: int, total: int | None) -> None:
        if what == "images" and not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    result = imagepeel.survey(
        fleet, out=tmp_path / "facts", executor=client.get_executor(), workers=2, form="jsonl", progress=kill
    )
    assert killed and (result.examined, result.failed) == (6, 1)
    assert every_row(tmp_path / "facts") == expected


@pytest.mark.slow
def test_ray_finds_the_same_by_the_executor_of_the_example(fleet: Path, expected: Facts, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="ray has no wheel for this Python")
    example = runpy.run_path(str(ROOT / "examples" / "survey_on_ray.py"))
    environment = {"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}}
    ray.init(num_cpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False, runtime_env=environment)
    try:
        executor = example["RayExecutor"]()
        result = imagepeel.survey(fleet, out=tmp_path / "facts", executor=executor, workers=2, form="jsonl")
    finally:
        ray.shutdown()
    assert (result.examined, result.failed) == (6, 1)
    assert every_row(tmp_path / "facts") == expected
