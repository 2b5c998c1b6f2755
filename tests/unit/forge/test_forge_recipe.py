"""Descriptions in JSON and TOML give the same bytes as the Python calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.evidence import Location
from imagepeel.forge import programs
from imagepeel.forge.elf import elf


def entry(**keys: Any) -> forge.Entry:
    recipe = forge.load({"layers": [{"entries": [keys]}]})
    (spec,) = recipe.specs
    assert isinstance(spec, forge.ImageSpec)
    return spec.layers[0].entries[0]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"file": "a", "text": "b", "mode": "4755", "uid": 1, "gid": 2}, forge.file("a", "b", 0o4755, 1, 2)),
        ({"file": "a", "base64": "AP8="}, forge.file("a", b"\0\xff")),
        ({"file": "a", "hex": "00 ff"}, forge.file("a", b"\0\xff")),
        ({"file": "a\udcff"}, forge.file(b"a\xff")),
        ({"file": "a", "mtime": [5, 6], "form": "pax"}, forge.file("a", mtime=(5, 6), form="pax")),
        ({"file": "a", "xattrs": {"user.x": "base64:AAE="}}, forge.file("a", xattrs={"user.x": b"\0\1"})),
        ({"file": "a", "pax": {"path": "b"}}, forge.file("a", pax={"path": "b"})),
        (
            {"file": "a", "fields": {"chksum": "0"}, "size": 9, "typeflag": "7"},
            forge.file("a", fields={"chksum": "0"}, size=9, typeflag=b"7"),
        ),
        ({"dir": "d"}, forge.directory("d")),
        ({"symlink": "s", "target": "t"}, forge.symlink("s", "t")),
        ({"hardlink": "h", "target": "t"}, forge.hardlink("h", "t")),
        ({"char": "c", "major": 1, "minor": 3}, forge.device("c", 1, 3)),
        ({"block": "b", "major": 7, "minor": 9}, forge.device("b", 7, 9, block=True)),
        ({"fifo": "p"}, forge.fifo("p")),
        ({"whiteout": "d/x"}, forge.whiteout("d/x")),
        ({"opaque": "d"}, forge.opaque("d")),
        ({"pax-global": "g", "pax": {"comment": "c"}}, forge.pax_global({"comment": "c"}, "g")),
        ({"raw": "AAAA", "text": "x", "pad": False}, forge.raw_entry(b"\0\0\0", b"x", pad=False)),
        (
            {"sparse": "s", "segments": [[512, "x"]], "size": 1024, "sparse_form": "gnu"},
            forge.sparse("s", ((512, b"x"),), 1024, "gnu"),
        ),
        (
            {"file": "h", "program": "hello", "message": "m\n", "exit_code": 4},
            forge.file("h", programs.hello("m\n", 4), 0o755),
        ),
        (
            {"file": "h", "program": "wait", "hears_sigterm": False},
            forge.file("h", programs.wait(hears_sigterm=False), 0o755),
        ),
        ({"file": "e", "elf": {"needed": ["libc.so.6"]}}, forge.file("e", elf(needed=["libc.so.6"]), 0o755)),
    ],
)
def test_an_entry_means_what_the_helper_of_its_name_makes(keys: dict[str, Any], expected: forge.Entry) -> None:
    assert forge.encode([entry(**keys)]) == forge.encode([expected])


def test_a_whole_description_equals_the_calls(tmp_path: Path) -> None:
    document = {
        "kind": "oci-archive",
        "compression": "zstd",
        "prefix": "./",
        "names": ["demo:1"],
        "architecture": "arm64",
        "config": {"Entrypoint": ["/h"]},
        "layers": [
            {"created_by": "COPY h /", "comment": "c", "entries": [{"file": "h", "program": "hello"}]},
            {"created_by": "RUN", "entries": [], "trailing": "AAAA"},
        ],
        "history": [{"created_by": "one"}, {"created_by": "two", "empty": True}],
        "faults": [{"kind": "layer-size", "layer": 1, "value": 4}],
    }
    spec = forge.image(
        forge.layer(forge.file("h", programs.hello(architecture="arm64"), 0o755), created_by="COPY h /", comment="c"),
        forge.layer(created_by="RUN", comment="", trailing=b"\0\0\0"),
        entrypoint=["/h"],
        names="demo:1",
        architecture="arm64",
        history=[forge.Step(created_by="one"), forge.Step(created_by="two", empty=True)],
        faults=[forge.Fault(kind="layer-size", layer=1, value=4)],
    )
    expected = forge.to_bytes(spec, "oci-archive", compression="zstd", prefix="./")
    assert forge.load(document).to_bytes() == expected
    path = tmp_path / "image.json"
    path.write_text(json.dumps(document))
    assert forge.load(path).write(tmp_path / "out.tar").read_bytes() == expected


def test_toml_and_files_beside_the_description(tmp_path: Path) -> None:
    (tmp_path / "motd").write_bytes(b"from the disk\n")
    (tmp_path / "image.toml").write_text(
        'names = ["demo:1"]\n[[layers]]\n[[layers.entries]]\nfile = "etc/motd"\nfrom = "motd"\nmode = "0600"\n'
    )
    recipe = forge.load(tmp_path / "image.toml")
    expected = forge.image(forge.layer(forge.file("etc/motd", "from the disk\n", 0o600), comment=""), names="demo:1")
    assert recipe.to_bytes() == forge.to_bytes(expected)


def test_several_images_and_an_index() -> None:
    item = {"layers": [{"entries": [{"file": "f"}]}]}
    recipe = forge.load(
        {
            "kind": "oci-archive",
            "images": [
                {**item, "names": ["a:1"]},
                {"index": {"names": ["b:1"], "images": [item, {**item, "architecture": "arm64"}]}},
            ],
        }
    )
    plain = forge.image(forge.layer(forge.file("f"), comment=""), names="a:1")
    inner = [forge.image(forge.layer(forge.file("f"), comment=""), architecture=name) for name in ("amd64", "arm64")]
    assert recipe.to_bytes() == forge.to_bytes([plain, forge.index(*inner, names="b:1")], "oci-archive")


@pytest.mark.parametrize(
    ("document", "pointer", "word"),
    [
        ({"colour": 1}, "", "colour"),
        ({"layers": 3}, "/layers", "array"),
        ({"layers": [{"entries": [{"fil": "x"}]}]}, "/layers/0/entries/0", "fil"),
        ({"layers": [{"entries": [{}]}]}, "/layers/0/entries/0", "exactly one key"),
        ({"layers": [{"entries": [{"file": "x", "dir": "y"}]}]}, "/layers/0/entries/0", "exactly one key"),
        ({"layers": [{"entries": [{"file": "x", "text": "", "hex": ""}]}]}, "/layers/0/entries/0", "one key only"),
        ({"layers": [{"entries": [{"file": "x", "mode": "98"}]}]}, "/layers/0/entries/0/mode", "octal"),
        ({"layers": [{"entries": [{"file": "x", "mode": 493}]}]}, "/layers/0/entries/0/mode", "str"),
        ({"layers": [{"entries": [{"file": "x", "hex": "g"}]}]}, "/layers/0/entries/0/hex", "hex"),
        ({"layers": [{"entries": [{"file": "x", "base64": "?"}]}]}, "/layers/0/entries/0/base64", "base64"),
        ({"layers": [{"entries": [{"file": "x", "from": "y"}]}]}, "/layers/0/entries/0/from", "folder"),
        ({"layers": [{"entries": [{"file": "x", "noise": -1}]}]}, "/layers/0/entries/0/noise", "2^30"),
        ({"layers": [{"entries": [{"file": "x", "program": "vi"}]}]}, "/layers/0/entries/0/program", "vi"),
        (
            {"layers": [{"entries": [{"file": "x", "program": "sh", "message": "m"}]}]},
            "/layers/0/entries/0/program",
            "sh",
        ),
        (
            {"architecture": "arm", "layers": [{"entries": [{"file": "x", "program": "sh"}]}]},
            "/layers/0/entries/0/program",
            "arm",
        ),
        ({"layers": [{"entries": [{"file": "x", "elf": {"bits": 8}}]}]}, "/layers/0/entries/0/elf", "bits"),
        ({"layers": [{"compression": "lzip"}]}, "/layers/0/compression", "lzip"),
        ({"layers": [{"tar": "?"}]}, "/layers/0/tar", "base64"),
        ({"faults": [{"kind": "gremlin"}]}, "/faults/0/kind", "gremlin"),
        ({"layers": [{"blob": "?"}]}, "/layers/0/blob", "base64"),
        ({"other": {"layers": [{"tail": "?"}]}}, "/other/layers/0/tail", "base64"),
        ({"kind": "floppy"}, "/kind", "floppy"),
        ({"outer": "lzip"}, "/outer", "lzip"),
        ({"images": {}}, "/images", "list"),
        ({"images": [], "names": []}, "/names", "nothing else"),
        ({"images": [{"index": {"images": [{"os": 1}]}}]}, "/images/0/index/images/0/os", "str"),
    ],
)
def test_errors_point_at_the_place(document: dict[str, Any], pointer: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        forge.load(document)
    assert word in caught.value.what + caught.value.hint
    assert caught.value.where is not None and caught.value.where.pointer == pointer


def test_files_that_are_no_description(tmp_path: Path) -> None:
    for name, text, word in (
        ("a.json", "{", "no JSON"),
        ("a.toml", "=", "no TOML"),
        ("b.json", "[]", "no object"),
        ("c.json", "[" * 10**5, "no JSON"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=word):
            forge.load(tmp_path / name)
    (tmp_path / "latin.json").write_bytes(b'"\xff"')
    with pytest.raises(UsageError, match="no JSON"):
        forge.load(tmp_path / "latin.json")
    with pytest.raises(UsageError, match="cannot be read"):
        forge.load(tmp_path / "absent.json")


def test_annotations_of_an_index_entry_have_an_older_name_too() -> None:
    made = [forge.load({"layers": [], key: {"kind": "sbom"}}).specs[0] for key in ("index_annotations", "marks")]
    assert made[0] == made[1] == forge.image(index_annotations={"kind": "sbom"})


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"history": [{"created_by": "x", "emtpy": True}]}, "/history/0"),
        ({"layers": [{"entries": [{"file": "a", "form": "vax"}]}]}, "/layers/0/entries/0/form"),
        ({"layers": [{"entries": [{"sparse": "a", "sparse_form": "holes"}]}]}, "/layers/0/entries/0/sparse_form"),
        ({"layers": [{"trailing": "not base64"}]}, "/layers/0/trailing"),
        ({"other": {"faults": [{"kind": "rust"}]}}, "/other/faults/0/kind"),
    ],
)
def test_a_place_of_what_is_not_in_the_format(document: dict[str, object], pointer: str) -> None:
    with pytest.raises(UsageError) as caught:
        forge.load(document)
    assert caught.value.where == Location(pointer=pointer)
