"""The built-in teaching images say what they promise."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from imagepeel import forge
from imagepeel.errors import NotFound


def layers(name: str) -> list[dict[str, tarfile.TarInfo]]:
    out = []
    for layer in forge.build(name).layers:
        with tarfile.open(fileobj=io.BytesIO(layer.content()), errors="surrogateescape") as archive:
            out.append({member.name: member for member in archive})
    return out


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_image_is_deterministic_and_described(name: str) -> None:
    spec = forge.build(name)
    about = forge.describe(name)
    assert about.endswith(".") and about == spec.description
    assert spec.names == (f"{name}:{'1.4' if name == 'shop' else '1'}",)
    assert forge.to_bytes(spec) == forge.to_bytes(forge.build(name))
    assert json.loads(forge.assemble(spec).config.data)["os"] == "linux"


def test_there_are_enough_of_them_and_the_good_come_first() -> None:
    assert forge.NAMES[: len(forge.GOOD)] == forge.GOOD
    assert {"hello", "shop", "broken-entrypoint", "two-images", "resurrect", "linkshadow", "missing-blob"} <= set(
        forge.NAMES
    )
    assert len(set(forge.NAMES)) == len(forge.NAMES) >= 20
    with pytest.raises(NotFound, match="no teaching image"):
        forge.build("mystery")


def test_shop_deletes_a_secret_that_stays_in_its_layer() -> None:
    stack = layers("shop")
    assert [index for index, layer in enumerate(stack) if "srv/shop/.env" in layer] == [3]
    assert [index for index, layer in enumerate(stack) if "srv/shop/.wh..env" in layer] == [4]
    spec = forge.build("shop")
    assert b"not-a-real-password" in spec.layers[3].content()


def test_shop_ships_the_app_twice_because_of_chown() -> None:
    stack = layers("shop")
    before, after = stack[3], stack[5]
    names = {name for name, member in after.items() if member.isreg()}
    assert names == {"srv/shop/bin/serve", "srv/shop/catalog.bin", "srv/shop/index.html", "srv/shop/static/logo.bin"}
    for name in names:
        assert (before[name].size, before[name].uid, after[name].uid) == (after[name].size, 0, 999)
    assert after["srv/shop/static/favicon.bin"].islnk() and "var/cache/packages/.wh..wh..opq" in stack[6]


def test_shop_has_a_history_step_for_each_layer() -> None:
    config = json.loads(forge.assemble(forge.build("shop")).config.data)
    steps = config["history"]
    assert sum(not step.get("empty_layer", False) for step in steps) == len(config["rootfs"]["diff_ids"]) == 8
    assert len(steps) == 16


def test_broken_ones_break_where_they_say() -> None:
    assert layers("no-exec-bit")[1]["entrypoint.sh"].mode == 0o644
    assert b"#!/bin/sh\r\n" in forge.build("broken-entrypoint").layers[1].content()
    assert ".wh.entrypoint.sh" in layers("entrypoint-deleted")[2]
    assert layers("linkshadow")[0]["bin"].issym() and "bin" not in layers("linkshadow")[1]
    assert list(layers("resurrect")[2]) == [".wh.data", "data", "data/new"]
    assert forge.build("missing-blob").layers[1].missing
    program = forge.build("wrong-architecture").layers[0].content()[512:]
    assert program[:4] == b"\x7fELF" and program[18:20] == (183).to_bytes(2, "little")
    wrong = forge.assemble(forge.build("wrong-diff-id"))
    stated = json.loads(wrong.config.data)["rootfs"]["diff_ids"]
    assert stated != [layer.diff_id for layer in wrong.layers]
