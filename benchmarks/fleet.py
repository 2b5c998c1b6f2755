"""A survey of a fleet on one worker and on two, in rounds that take turns, with the load of the machine beside them.

    python benchmarks/fleet.py                                  1,000 images of 300 distinct layers, five rounds
    python benchmarks/fleet.py --images 60 --layers 30 --rounds 1

Images are OCI layouts whose blobs are hard links to one pool, so the fleet takes the space of its distinct layers.
The goals: two workers take at most 0.6 of the wall time of one (median of the rounds), and no process of a survey has
more than 300 MB, however many images there are.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

GOAL = 0.6
MOST = 300
WORDS = [f"{word}{number}" for word in ("layer", "kernel", "tar", "config", "mount") for number in range(400)]


def layer(number: int) -> tuple[bytes, str]:
    """A layer as gzip and its DiffID: one of ten is a base of some 12 MB and 1,500 files, the others some 400 kB."""
    draw = random.Random(number)
    out = io.BytesIO()
    files = 1_500 if number % 10 == 0 else 60
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for index in range(files):
            size = int(draw.paretovariate(1.2) * 3_000) % 400_000
            text = " ".join(draw.choices(WORDS, k=max(1, size // 20))).encode()
            body = text + draw.randbytes(size // 4)
            info = tarfile.TarInfo(f"usr/share/part{number}/dir{index % 40}/file{index}")
            info.size, info.mtime, info.mode = len(body), 1_700_000_000, 0o644
            tar.addfile(info, io.BytesIO(body))
        if number % 10 == 0:
            for name, body in (
                ("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
                ("bin/serve", b"#!/bin/sh\nexec sleep 1\n"),
            ):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(body), 0o755
                tar.addfile(info, io.BytesIO(body))
    content = out.getvalue()
    return gzip.compress(content, 6, mtime=0), "sha256:" + hashlib.sha256(content).hexdigest()


def make_fleet(folder: Path, images: int, layers: int) -> int:
    """Write the fleet; return the stored bytes of its distinct layers."""
    pool = folder / "pool"
    pool.mkdir(parents=True)
    made = []
    for number in range(layers):
        blob, diff_id = layer(number)
        digest = hashlib.sha256(blob).hexdigest()
        (pool / digest).write_bytes(blob)
        made.append((digest, len(blob), diff_id))
    bases = [one for number, one in enumerate(made) if number % 10 == 0]
    others = [one for number, one in enumerate(made) if number % 10]
    draw = random.Random(1)
    for number in range(images):
        # Each layer is used at least once where there are images enough; some are used by many.
        chosen = [bases[number % len(bases)], others[number % len(others)], *draw.sample(others, min(4, len(others)))]
        write_image(folder / "images" / f"image{number:05}", pool, list(dict.fromkeys(chosen)), number)
    return sum(size for _, size, _ in made)


def write_image(folder: Path, pool: Path, layers: list[tuple[str, int, str]], number: int) -> None:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, _, _ in layers:
        os.link(pool / digest, blobs / digest)

    def put(value: object) -> dict[str, object]:
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    config = put({
        "os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [one[2] for one in layers]},
        "config": {"Entrypoint": ["/bin/serve"], "Env": ["PATH=/bin", f"NUMBER={number}"]},
        "history": [{"created_by": f"COPY part{at} /"} for at in range(len(layers))],
    })  # fmt: skip
    of_oci = "application/vnd.oci.image."
    packed = of_oci + "layer.v1.tar+gzip"
    manifest = put({
        "schemaVersion": 2, "mediaType": of_oci + "manifest.v1+json",
        "config": {"mediaType": of_oci + "config.v1+json", **config},
        "layers": [{"mediaType": packed, "digest": f"sha256:{d}", "size": n} for d, n, _ in layers],
    })  # fmt: skip
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    named = {"org.opencontainers.image.ref.name": f"fleet:{number}"}
    listed = {"mediaType": of_oci + "manifest.v1+json", **manifest, "annotations": named}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))


class Memory(threading.Thread):
    """The high-water mark of resident memory and the CPU time of a process and of each one below it, while they run."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self.peaks: dict[int, int] = {}
        self.seconds: dict[int, float] = {}

    def run(self) -> None:
        while self._look():
            time.sleep(0.1)

    def _look(self) -> bool:
        parents: dict[int, int] = {}
        marks: dict[int, int] = {}
        used: dict[int, float] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    lines = Path(f"/proc/{name}/status").read_text().splitlines()
                    ticks = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                told = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
                parents[int(name)] = int(told["PPid"][0])
                marks[int(name)] = int(told.get("VmHWM", ["0"])[0])
                used[int(name)] = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        for pid in marks:
            above = pid
            while above not in (0, 1, self._root):
                above = parents.get(above, 0)
            if above == self._root:
                self.peaks[pid] = max(self.peaks.get(pid, 0), marks[pid])
                self.seconds[pid] = used[pid]
        return self._root in parents


def survey(images: Path, workers: int) -> dict[str, float]:
    """One run into a new folder: wall and CPU seconds, peak memory of the leader and of the largest worker, sizes."""
    out = Path(tempfile.mkdtemp(prefix="facts-", dir=images.parent))
    words = ["survey", str(images), "--out", str(out), "--workers", str(workers), "--json"]
    begin, load = time.monotonic(), os.getloadavg()[0]
    with open(out.with_suffix(".json"), "wb") as shown:
        running = subprocess.Popen([sys.executable, "-m", "imagepeel", *words], stdout=shown)
        memory = Memory(running.pid)
        memory.start()
        code = running.wait()
    wall = time.monotonic() - begin
    memory.join()
    told = json.loads(out.with_suffix(".json").read_bytes())["result"] if code == 0 else {}
    tables = {
        table.name: sum(f.stat().st_size for f in table.iterdir()) for table in out.iterdir() if table.name[0] != "."
    }
    index = sum(f.stat().st_size for f in (out / ".survey").rglob("*") if f.is_file())
    workers_peak = max((peak for pid, peak in memory.peaks.items() if pid != running.pid), default=0)
    found = {
        "workers": workers, "wall": wall, "load": load, "examined": told.get("examined", 0),
        "layers": told.get("layers", {}).get("distinct", 0), "worker_mb": workers_peak / 1000,
        "worker_cpu": sum(cpu for pid, cpu in memory.seconds.items() if pid != running.pid),
        "leader_cpu": memory.seconds.get(running.pid, 0.0),
        "leader_mb": memory.peaks.get(running.pid, 0) / 1000, "tables_mb": sum(tables.values()) / 1e6,
        "files_table_mb": tables.get("files", 0) / 1e6, "state_mb": index / 1e6,
    }  # fmt: skip
    shutil.rmtree(out)
    out.with_suffix(".json").unlink()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--layers", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", metavar="DIR", help="where the fleet is made, and stays")
    given = parser.parse_args()
    folder = Path(given.keep or tempfile.mkdtemp(prefix="fleet-"))
    try:
        if not (folder / "images").exists():
            stored = make_fleet(folder, given.images, given.layers)
            print(f"{given.images:,} images of {given.layers} distinct layers, {stored / 1e6:,.0f} MB stored")
        time.sleep(2.5)  # files that were written just now are not yet taken for unchanged
        ratios, peak = [], 0.0
        for number in range(given.rounds):
            order = (1, 2) if number % 2 == 0 else (2, 1)
            walls = {}
            for workers in order:
                one = survey(folder / "images", workers)
                walls[workers], peak = one["wall"], max(peak, one["worker_mb"])
                print(json.dumps({key: round(value, 2) for key, value in one.items()}), flush=True)
            ratios.append(walls[2] / walls[1])
        ratio = statistics.median(ratios)
        print(f"two workers take {ratio:.2f} of the wall time of one (goal {GOAL}), median of {given.rounds}: "
              f"{', '.join(f'{one:.2f}' for one in ratios)}")  # fmt: skip
        print(f"largest worker {peak:,.0f} MB (goal {MOST})")
        return 0 if ratio <= GOAL and peak < MOST else 1
    finally:
        if not given.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
