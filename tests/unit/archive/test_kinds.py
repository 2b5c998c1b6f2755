"""A kind of archive is one module and one line: nothing else knows its name."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from store_archives import js, opened, sha, tar

import imagepeel
from imagepeel.archive import kinds
from imagepeel.archive.detect import is_image_directory
from imagepeel.archive.kinds import DOCUMENTS, KINDS
from imagepeel.archive.kinds.docs import page
from imagepeel.limits import DEFAULT

LAYER = tar({"bin/true": b"x"})
ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "imagepeel"
# The other names (dir, rootfs, layer, tar) are words of the field too; of these the type checker says where a kind is
# compared with a text.
TELLING = {kind.name for kind in KINDS if "-" in kind.name or kind.name == "hybrid"}
ELSEWHERE = (
    "archive/kinds/",
    "forge/",  # shares no code with the readers
    "oci/layout.py",  # a file of an OCI layout has the name of the kind
)
MODULES = {kind.name.replace("-", "_") for kind in KINDS}


def test_no_other_module_knows_a_kind_by_its_name() -> None:
    """Nor by its module: what others need of a kind is a field of it or of its format."""
    assert {"docker-archive", "docker-v1", "oci-layout", "hybrid", "windows-layer"} <= TELLING
    found = []
    for module in sorted(PACKAGE.rglob("*.py")):
        relative = str(module.relative_to(PACKAGE))
        if relative.startswith(ELSEWHERE):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and node.value in TELLING:
                found.append(f"{relative}:{node.lineno}: {node.value}")
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(kinds.__name__):
                imported = {node.module.rpartition(".")[2], *(name.name for name in node.names)}
                found += [f"{relative}:{node.lineno}: {name}" for name in imported & MODULES]
            if isinstance(node, ast.Attribute) and node.attr == "name" and isinstance(node.value, ast.Attribute):
                compared = node.value.attr == "format"
                found += [f"{relative}:{node.lineno}: the name of a format"] if compared else []
    assert found == []


def test_every_module_of_a_kind_is_in_the_registry_once() -> None:
    folder = Path(kinds.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "\nKIND = Kind(" in path.read_text()}
    registered = [kind.name.replace("-", "_") for kind in KINDS]
    assert len(set(registered)) == len(registered)
    assert modules == set(registered)
    assert set(DOCUMENTS) >= {"index.json", "oci-layout", "manifest.json", "repositories", "version"}


def test_the_kinds_that_have_documents_are_asked_first_and_the_last_one_takes_everything() -> None:
    assert [kind.bare for kind in KINDS] == sorted(kind.bare for kind in KINDS)
    assert opened({"a": b""}).kind is KINDS[-1]
    assert str(KINDS[0]) == KINDS[0].name and KINDS[0].name in repr(KINDS[0])


def test_the_page_in_the_documentation_is_the_registry() -> None:
    assert (ROOT / "docs" / "reference" / "archive-kinds.md").read_text() == page()


NEW_KIND = '''
"""A toy: `toy.json` names a config and layers by member names."""

from __future__ import annotations

import json

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import Clues, Detected, Detection, Kind, Producer, Records
from imagepeel.archive.records import BlobSource, Format, ImageRecord
from imagepeel.evidence import Location
from imagepeel.oci.descriptor import Descriptor

START = "toy.json"
FORMAT = Format(name="toy", start=START, start_note="a toy", by_name=True)


def _recognise(clues: Clues) -> Detection | None:
    return Detection(id="toy", sentence="it has toy.json", saw=(START,)) if clues.has(START) else None


def _read(blobs: Blobs, detected: Detected) -> Records:
    start = blobs.members.file(START)
    document = json.loads(blobs.read(start, start.location)[0])
    member = blobs.members.file(document["config"])
    data, name = blobs.read(member, member.location)
    config, state = blobs.config(data, member.location)
    layers = tuple(
        blobs.layer(
            index, Descriptor(), config.diff_ids[index], Location(member=START),
            stored=BlobSource(blobs.members, blobs.members.file(layer)),
        )
        for index, layer in enumerate(document["layers"])
    )
    record = ImageRecord(
        number=1, kind_reason="toy.json names it", formats=(FORMAT,), config=config, config_member=name,
        config_state=state, layers=layers, path=(0,),
    )
    return [record], []


KIND = Kind(
    name="toy",
    label="toy archive",
    told_by="`toy.json`",
    written_by="nobody",
    recognise=_recognise,
    read=_read,
    producer=lambda detected, records, indexes: Producer(name="a child", habit="it is a toy"),
    roles={START: "where *playing* starts"},
    points=(START, "/config"),
)
'''


@pytest.mark.slow
def test_a_new_kind_is_one_module_and_one_line(tmp_path: Path) -> None:
    """The recipe of `archive/kinds/__init__.py`, followed on a copy of the tree."""
    shutil.copytree(PACKAGE, tmp_path / "imagepeel", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "imagepeel" / "archive" / "kinds"
    (folder / "toy.py").write_text(NEW_KIND)
    registry = (folder / "__init__.py").read_text()
    registry = registry.replace("    tar,\n", "    tar,\n    toy,\n").replace("= (\n", "= (\n    toy.KIND,\n", 1)
    (folder / "__init__.py").write_text(registry)

    config = {
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": [sha(LAYER)]},
    }  # fmt: skip
    files = {"toy.json": js({"config": "c.json", "layers": ["l.tar"]}), "c.json": js(config), "l.tar": LAYER, "x": b"x"}
    archive = tmp_path / "toy.tar"
    archive.write_bytes(tar(files))
    with imagepeel.open(archive) as found:
        assert found.kind.name == "tar"

    def run(*arguments: str) -> str:
        env = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200", "XDG_CACHE_HOME": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-m", "imagepeel", *arguments], env=env, capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    images = json.loads(run("images", str(archive), "--json"))["result"]
    assert (images["kind"], images["rule"], images["recognised"]) == ("toy", "toy", "it has toy.json")
    assert images["images"][0]["grammars"] == ["toy"] and images["images"][0]["complete"]
    assert images["unreferenced"] == ["x"]
    story = run("explain", str(archive), "--receipts")
    for words in ("toy archive", "it has toy.json", "where playing starts", "a toy", "a child", "jq -c .config"):
        assert words in story
    assert json.loads(run("layers", str(archive), "--json"))["result"]["image"]["archive_kind"] == "toy"


@pytest.mark.parametrize(
    ("files", "image"),
    [
        (
            {"index.json": b'{"schemaVersion": 2, "manifests": []}', "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'},
            True,
        ),
        ({"index.json": b'{"schemaVersion": 2, "manif', "oci-layout": b"{}"}, True),
        ({"index.json": b'{"pages": ["a.html"]}', "index.html": b"<html>"}, False),
        ({"version": b"1.2.3\n"}, False),
        ({"shop/index.json": b"{}"}, False),
        ({}, False),
    ],
    ids=["layout", "damaged layout", "site", "version of anything", "one level down", "empty"],
)
def test_a_directory_is_an_image_by_what_its_documents_say(
    files: dict[str, bytes], image: bool, tmp_path: Path
) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert is_image_directory(str(tmp_path), DEFAULT) is image
