"""Each layer is decompressed once, whatever the order of its names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.archive import codec
from imagepeel.export.extract import materialize
from imagepeel.export.plan import make_plan
from imagepeel.export.report import Omissions
from imagepeel.layers import pool


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_extract_decompresses_each_layer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    chance = random.Random(7)
    layers = []
    for number in range(3):
        entries = [forge.file(f"d{n % 17}/f{n}-{n % 3}", chance.randbytes(4000)) for n in range(300) if n % 3 >= number]
        chance.shuffle(entries)
        layers.append(forge.layer(*entries))
    source = forge.write(
        forge.image(*layers, names="x:1"), tmp_path / "x.tar", kind="oci-archive", compression=compression
    )
    monkeypatch.setattr(pool, "KEEP", 0)  # as if it were large
    made: list[int] = []
    plain = codec.make_decoder
    with imagepeel.open(source) as archive:
        rootfs = archive.image().rootfs
        monkeypatch.setattr(codec, "make_decoder", lambda *a: made.append(1) or plain(*a))
        materialize(rootfs, tmp_path / "out")
    assert len(made) == (0 if compression == "none" else 3)
    assert len(list((tmp_path / "out").rglob("f*"))) == 300


def test_a_plan_has_each_name_once_and_parents_first(tmp_path: Path) -> None:
    entries = [
        forge.file("b/c/f", "1"),
        forge.hardlink("a", "b/c/f"),
        forge.symlink("b/s", "x"),
        forge.fifo("p"),
        forge.device("n", 1, 3),
    ]
    forge.write(forge.image(forge.layer(*entries), names="x:1"), tmp_path / "x.tar", kind="oci-archive")
    with imagepeel.open(tmp_path / "x.tar") as archive:
        plan = make_plan(archive.image().rootfs, Omissions(), preserve=True)
    assert [path for path, _ in plan.directories] == [b"b", b"b/c"]
    assert [path for path, _ in plan.files] == [b"a"]
    assert plan.links == [(b"b/c/f", b"a")]
    assert sorted(path for path, _ in plan.others) == [b"b/s", b"n", b"p"]
    assert (plan.bytes, plan.symlinks, plan.fifos, plan.devices) == (1, 1, 1, 1)
    assert plan.top == {b"a", b"b", b"n", b"p"}
