"""Images with very many of two things that meet: each alone costs little, and their product is bounded.

A script may name thousands of commands and PATH thousands of directories, for example.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from effort import steps
from imagepeel import forge
from imagepeel import open as open_archive
from imagepeel.forge import programs
from imagepeel.forge.elf import elf
from imagepeel.process import shelling
from imagepeel.process.engines import lookup
from imagepeel.process.spec.failure import Outcome

_LOADER = "/lib64/ld-linux-x86-64.so.2"
_DASH = programs.hello() + b"\0Illegal option -%c\0"
"""Told from its content, as a shell of the image is; nothing runs it."""


def image(*entries: forge.Entry, path: str = "/bin", **config: object) -> bytes:
    settings = {"entrypoint": ["/x"], "env": [f"PATH={path}"], **config}
    return forge.to_bytes(forge.image(forge.layer(*entries), **settings), "oci-archive", compression="gzip")  # type: ignore[arg-type]


def script(lines: list[str], *entries: forge.Entry, path: str = "/bin") -> bytes:
    body = "\n".join(["#!/bin/sh", *lines, "exec /bin/sh", ""]).encode()
    return image(forge.file("x", body, 0o755), forge.file("bin/sh", _DASH, 0o755), *entries, path=path)


def directories_of_path_and_commands(n: int) -> bytes:
    return script([f"cmd{k} || :" for k in range(n)], path=":".join(f"/p{k}" for k in range(n)))


def directories_that_exist_and_commands(n: int) -> bytes:
    there = [forge.file(f"p{k}/other", b"") for k in range(n)]
    return script([f"cmd{k} || :" for k in range(n)], *there, path=":".join(f"/p{k}" for k in range(n)))


def values_of_path_and_commands(n: int) -> bytes:
    return script([f"PATH=$PATH:/p{k}; cmd{k} || :" for k in range(n)])


def files_and_wildcards(n: int) -> bytes:
    return script(["for f in /d/*; do :; done"] * n, *[forge.file(f"d/f{k}", b"") for k in range(n)])


def files_and_patterns(n: int) -> bytes:
    return script([f"set -- /d/*x{k}" for k in range(n)], *[forge.file(f"d/f{k}", b"") for k in range(n)])


def links_to_a_directory_and_its_files(n: int) -> bytes:
    links = [forge.symlink(f"l{k}", "/d") for k in range(n)]
    files = [forge.file(f"d/f{k}", b"") for k in range(n)]
    return image(forge.file("x", programs.hello(), 0o755), *files, *links, volumes=[f"/l{k}" for k in range(n)])


def directories_of_a_runpath_and_libraries(n: int) -> bytes:
    needed = [f"l{k}.so" for k in range(n)]
    main = elf("amd64", interpreter=_LOADER, needed=needed, runpath=":".join(f"/r{k}" for k in range(n)))
    libraries = [forge.file(f"r{n - 1}/{name}", elf("amd64", soname=name), 0o755) for name in needed]
    there = [forge.directory(f"r{k}") for k in range(n - 1)]
    return image(forge.file("x", main, 0o755), forge.file(_LOADER, programs.hello(), 0o755), *there, *libraries)


def versions_and_versions(n: int) -> bytes:
    names = [f"V_{k}" for k in range(n)]
    main = elf("amd64", interpreter=_LOADER, needed=["l.so"], versions_needed={"l.so": names}, runpath="/lib")
    library = elf("amd64", soname="l.so", versions_defined=names)
    loader = forge.file(_LOADER, programs.hello(), 0o755)
    return image(forge.file("x", main, 0o755), loader, forge.file("lib/l.so", library, 0o755))


SHAPES: dict[Callable[[int], bytes], int] = {
    directories_of_path_and_commands: 400,
    directories_that_exist_and_commands: 400,
    values_of_path_and_commands: 400,
    files_and_wildcards: 300,
    files_and_patterns: 300,
    links_to_a_directory_and_its_files: 200,
    directories_of_a_runpath_and_libraries: 60,
    versions_and_versions: 200,
}
"""What is made, and from how many of both on twice as many cost no more than twice."""


def predict(data: bytes) -> None:
    with open_archive(io.BytesIO(data)) as archive:
        archive.image().process()


@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_twice_as_many_of_both_cost_no_more_than_twice(make: Callable[[int], bytes]) -> None:
    size = SHAPES[make]
    first, few, many = make(size - 1), make(size), make(2 * size)
    predict(first)  # what is loaded once counts for neither
    once = steps(predict, few, limit=30_000_000)
    assert steps(predict, many, limit=60_000_000) < 2.3 * once + 20_000


def test_what_is_too_much_to_look_for_is_not_claimed_to_be_absent() -> None:
    many = shelling._MAX_LOOKS // 10
    lines = [*(f"cmd{k} || :" for k in range(12)), "last"]
    body = "\n".join(["#!/bin/sh", "set -e", *lines, ""]).encode()
    path = ":".join([*(f"/p{k}" for k in range(many)), "/there"])
    there = forge.file("there/last", programs.hello(), 0o755)
    data = image(forge.file("x", body, 0o755), forge.file("bin/sh", _DASH, 0o755), there, path=path)
    with open_archive(io.BytesIO(data)) as archive:
        assert archive.image().process().verdict.kind is not Outcome.FAILS


def test_a_program_behind_a_thousand_directories_of_path_is_found() -> None:
    path = ":".join([*(f"/p{k}" for k in range(1500)), "/there"])
    there = forge.file("there/last", programs.hello(), 0o755)
    body = b"#!/bin/sh\nset -e\nexec last\n"
    data = image(forge.file("x", body, 0o755), forge.file("bin/sh", _DASH, 0o755), there, path=path)
    with open_archive(io.BytesIO(data)) as archive:
        prediction = archive.image().process()
    assert prediction.verdict.kind is Outcome.RUNS, prediction


@pytest.mark.parametrize("engine", ["docker", "podman", "runsc"])
def test_every_directory_of_path_is_looked_into_or_nothing_is_claimed(engine: str) -> None:
    there = forge.file("there/last", programs.hello(), 0o755)
    for many, kind in ((5000, Outcome.RUNS), (lookup.MAX_CANDIDATES, Outcome.UNKNOWN)):
        path = ":".join([*(f"/p{k}" for k in range(many)), "/there"])
        with open_archive(io.BytesIO(image(there, path=path, entrypoint=["last"]))) as archive:
            assert archive.image().process(engine=engine).verdict.kind is kind


def test_a_wrapper_looks_into_every_directory_of_path() -> None:
    path = ":".join([*(f"/p{k}" for k in range(5000)), "/there"])
    program = forge.file("there/last", programs.hello(), 0o755)
    script = forge.file("x", b"#!/bin/sh\nexec /bin/busybox env last\n", 0o755)
    busybox = forge.file("bin/busybox", programs.hello() + b"\0BusyBox v1.36\0env\0", 0o755)
    data = image(script, forge.file("bin/sh", _DASH, 0o755), busybox, program, path=path)
    with open_archive(io.BytesIO(data)) as archive:
        assert archive.image().process().verdict.kind is not Outcome.FAILS
