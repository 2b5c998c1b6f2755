"""What all rules together cost beside what they stand on, in processor time.

    python benchmarks/rules.py [--worst] [--rounds 7] [ARCHIVE ...]

Twice for each archive: inside one process, the rules beside opening, scanning and merging; and as whole commands,
`wtf` beside `layers`.  The least of all rounds is compared, since other work on the machine only ever adds to it.
`--worst` makes and measures the layers that are worst for rules: 60,000 files of less than 1 kB in a plain tar, and a
second layer that touches them.
"""

from __future__ import annotations

import argparse
import gc
import random
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from run import PYTHON, measure

import imagepeel
from imagepeel import forge
from imagepeel.findings.examine import examine

TOP = "usr/lib/node_modules"


def once(archive: str) -> tuple[float, float]:
    """Return the seconds for reading and for the rules of one fresh look at the first image."""
    gc.collect()
    started = time.process_time()
    with imagepeel.open(archive) as opened:
        image = opened.images()[0]
        image.scan()
        assert image.rootfs.view == "runtime"
        read = time.process_time()
        examine(image)
        return read - started, time.process_time() - read


def compare(archive: str, rounds: int) -> None:
    first = sum(once(archive))  # loads the code
    inside = [once(archive) for _ in range(rounds if first > 1 else 5 * rounds)]
    read, rules = (min(column) for column in zip(*inside, strict=True))
    command = f"{PYTHON} -m imagepeel {{}} --no-cache {shlex.quote(archive)}"
    pairs = [[measure(command.format(word))[0] for word in ("layers", "wtf")] for _ in range(rounds)]
    layers, wtf = (min(column) for column in zip(*pairs, strict=True))
    with imagepeel.open(archive) as opened:
        image = opened.images()[0]
        image.scan()
        entries = sum(len(layer.entries) for layer in image.layers)
    print(f"{Path(archive).name}: {entries:,} entries")
    print(f"    reading {read * 1e3:.1f} ms, rules {rules * 1e3:.1f} ms: {rules / read:.2f} of it")
    print(f"    whole commands: layers {layers * 1e3:.0f} ms, wtf {wtf * 1e3:.0f} ms: {wtf / layers:.2f} of it")


def worst(folder: Path) -> list[str]:
    """Write the images whose upper layer rewrites, repeats or removes many tiny files."""
    rng = random.Random(1)
    names = sorted(f"{TOP}/d{n % 300}/s{n % 7}/f{n}.js" for n in range(60_000))
    data = {name: rng.randbytes(rng.randrange(1, 1000)) for name in names}

    def layer(wanted: Iterable[str], make: Callable[[str], forge.Entry], *first: forge.Entry) -> forge.LayerSpec:
        """Members as a builder packs them: each directory before what stands in it."""
        entries, seen = list(first), {entry.path.decode() for entry in first}
        for name in wanted:
            parts = name.split("/")
            for depth in range(1, len(parts)):
                parent = "/".join(parts[:depth])
                if parent not in seen:
                    seen.add(parent)
                    entries.append(forge.directory(parent))
            entries.append(make(name))
        return forge.layer(*entries)

    def same(name: str) -> forge.Entry:
        return forge.file(name, data[name])

    base = layer(names, same)
    stacks = {
        "rewrites-a-third": layer(names[::3], lambda name: forge.file(name, data[name] + b".")),
        "chmods-all": layer(names, lambda name: forge.file(name, data[name], 0o755)),
        "removes-a-quarter-one-by-one": layer(names[::4], forge.whiteout),
        "removes-the-directory": layer([TOP], forge.whiteout),
        "makes-the-directory-again": layer(names, same, forge.directory(TOP), forge.opaque(TOP)),
    }
    made = []
    for name, upper in stacks.items():
        made.append(str(folder / f"{name}.tar"))
        forge.write(forge.image(base, upper, entrypoint=["/" + names[0]], names="bench:1"), made[-1])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worst", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagepeel-bench-") as folder:
        for archive in [*options.archives, *(worst(Path(folder)) if options.worst else ())]:
            compare(archive, options.rounds)


if __name__ == "__main__":
    main()
