"""`make fuzz`: run targets, each for a time, and say what of the code their inputs reached.

    python tests/fuzz/run.py [--seconds 600] [--corpus DIRECTORY] [--plain] [TARGET...]

With atheris inputs are led by coverage and kept in the corpus for the next run; without it, or with --plain, they are
changed at random.  What breaks the invariant is written to `tests/fuzz/finds`, where the tests run it again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
FINDS = HERE / "finds"
CPU_SECONDS = 20
"""Processor time of one input, after which it counts as endless."""
MORE_KIB = 128 * 1024
"""What one input may add to the peak of memory."""


class Endless(BaseException):
    """An input took too long; no code under test catches it."""


def _endless(*_: object) -> None:
    raise Endless


class Watch:
    """Gives inputs to a target, and keeps each kind of find once."""

    def __init__(self, name: str) -> None:
        import targets

        self.name = name
        self.targets = targets
        self.runs = 0
        self.known: set[str] = set()
        self.peak = 0
        signal.signal(signal.SIGVTALRM, _endless)

    def give(self, data: bytes) -> None:
        self.runs += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
        try:
            self.targets.refused(self.name, data)
        except Endless as error:
            self.found(data, "endless", error)
        except (Exception, RecursionError, MemoryError) as error:
            self.found(data, self.targets.place_of(error), error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if self.peak and peak > self.peak + MORE_KIB:
            self.found(data, f"{(peak - self.peak) // 1024} MiB of memory", None)
        self.peak = peak

    def found(self, data: bytes, what: str, error: BaseException | None) -> None:
        if what in self.known:
            return
        self.known.add(what)
        place = FINDS / f"{self.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        place.write_bytes(data)
        print(f"FIND {self.name}: {what}: {place}", flush=True)
        if error is not None:
            traceback.print_exception(error, limit=-4)


def _plain(name: str, seconds: float, seed: int) -> None:
    import targets

    watch, target, random = Watch(name), targets.TARGETS[name], Random(seed)
    seeds, words = targets.corpus(name)
    for one in seeds:
        watch.give(one)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = target.mutate(random.choice(seeds), random, words)
        watch.give(target.mutate(data, random, words) if random.random() < 0.3 else data)
    print(f"{name}: {watch.runs} inputs", flush=True)


def _all_modules(package: str) -> None:
    """Import what commands import when they need it, so that it is instrumented too."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _guided(name: str, seconds: float, seed: int, place: Path) -> None:
    import atheris
    import targets

    # What the target is about is imported again, instrumented; to instrument all of the package takes a minute.
    wanted = [f"imagepeel.{module}" for module in targets.TARGETS[name].modules]
    for module in [
        module for module in sys.modules if module.startswith("imagepeel") or module in {"targets", "whole"}
    ]:
        del sys.modules[module]
    with atheris.instrument_imports(include=wanted):
        _all_modules("imagepeel")
        import targets
    watch, target = Watch(name), targets.TARGETS[name]
    seeds, words = targets.corpus(name)
    for one in seeds:
        (place / hashlib.sha256(one).hexdigest()[:16]).write_bytes(one)

    def change(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < 0.2:
            return bytes(atheris.Mutate(data, most))
        return target.mutate(data or random.choice(seeds), random, words)[:most]

    options = [f"-max_total_time={int(seconds)}", f"-seed={seed}", f"-max_len={1 << 16}", "-timeout=120"]
    options += ["-rss_limit_mb=4096", "-verbosity=0", "-print_final_stats=1", str(place)]
    atheris.Setup([sys.argv[0], *options], watch.give, custom_mutator=change)
    atheris.Fuzz()


def _reached(name: str, place: Path) -> None:
    """Run the seeds and the corpus once more and print the coverage of what the target is about."""
    import coverage

    measured = coverage.Coverage(source_pkgs=["imagepeel"], branch=True, data_file=None, config_file=False)
    measured.start()
    import targets

    watch = Watch(name)
    for data in [*targets.corpus(name)[0], *(one.read_bytes() for one in sorted(place.iterdir()))]:
        watch.give(data)
    measured.stop()
    wanted = [module.replace(".", "/") for module in targets.TARGETS[name].modules]
    lines = hit = 0
    for path in measured.get_data().measured_files():
        if any(f"imagepeel/{one}/" in path or path.endswith(f"imagepeel/{one}.py") for one in wanted):
            _, statements, _, missing, _ = measured.analysis2(path)
            lines, hit = lines + len(statements), hit + len(statements) - len(missing)
    share = f"{100 * hit // max(1, lines)} % of {lines} lines of {', '.join(targets.TARGETS[name].modules)}"
    print(f"{name}: {watch.runs} inputs reach {share}", flush=True)


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--corpus", type=Path, default=Path("demo/fuzz"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="change inputs at random, also where atheris is installed")
    parser.add_argument("--part", choices=("plain", "guided", "reached"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _parts(plain: bool) -> Iterator[str]:
    yield "plain" if plain or importlib.util.find_spec("atheris") is None else "guided"
    if importlib.util.find_spec("coverage") is not None:
        yield "reached"


def main() -> None:
    given = _arguments()
    if given.part:
        name, place = given.names[0], given.corpus / given.names[0]
        place.mkdir(parents=True, exist_ok=True)
        if given.part == "plain":
            _plain(name, given.seconds, given.seed)
        elif given.part == "guided":
            _guided(name, given.seconds, given.seed, place)
        else:
            _reached(name, place)
        return
    import targets

    before = set(FINDS.iterdir())
    for name in given.names or targets.TARGETS:
        for part in _parts(given.plain):
            words = [sys.executable, __file__, name, "--part", part, "--seconds", str(given.seconds)]
            words += ["--corpus", str(given.corpus), "--seed", str(given.seed)]
            ended = subprocess.run(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
            if ended.returncode:
                print(f"FIND {name}: {part} ended with {ended.returncode}", flush=True)
    sys.exit(bool(set(FINDS.iterdir()) - before))


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    main()
