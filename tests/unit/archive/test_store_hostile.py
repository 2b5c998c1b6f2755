"""Whatever the bytes are: an answer, or one of the library's own errors, in bounded time."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_archives import (
    LAYER,
    LAYER2,
    OCI_INDEX,
    Files,
    config,
    descriptor,
    docker_save,
    gz,
    js,
    layout,
    manifest,
    one_image,
    opened,
    tar,
    written,
)

from imagepeel.archive.opened import OpenArchive, open_archive
from imagepeel.archive.select import select
from imagepeel.errors import ImagepeelError
from imagepeel.limits import Limits

SMALL = Limits(spool_bytes=1 << 24, archive_members=1000, documents=50, json_bytes=1 << 16)


def look_everywhere(container: OpenArchive) -> None:
    """Touch everything that a caller can reach, as a command would."""
    assert container.detection.sentence
    for record in container.records:
        str(record.platform)
        assert record.complete in (True, False)
        assert isinstance(record.tags, tuple)
        for layer in record.layers:
            str(layer.location)
            if layer.stored is not None:
                layer.source().pread(0, 64)
    try:
        select(container.records, indexes=container.indexes)
    except ImagepeelError as error:
        assert str(error)


def survives(data: bytes | Files) -> bool:
    """Open the bytes; say whether an answer came.  Any error but the library's own fails the test."""
    try:
        container = opened(data, SMALL)
        look_everywhere(container)
    except ImagepeelError as error:
        assert error.what
        return False
    container.close()
    return True


def seeds() -> list[bytes]:
    configuration = config(LAYER, LAYER2)
    document = manifest(configuration, LAYER, LAYER2)
    index = js({"mediaType": OCI_INDEX, "manifests": [descriptor(document)]})
    nested = layout(LAYER, LAYER2, configuration, document, index, manifests=[descriptor(index, OCI_INDEX)])
    return [
        tar(one_image()),
        tar(docker_save(tags=["a:1"])),
        tar({**nested, **docker_save()}),
        gz(tar(one_image())),
    ]


SEEDS = seeds()


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    survives(data)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_flipped_bits(seed: bytes, number: int) -> None:
    chance = random.Random(number)
    data = bytearray(seed)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    survives(bytes(data))


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_truncation_at_any_block_and_between(number: int) -> None:
    seed = SEEDS[number]
    for at in {*range(0, len(seed), 512), *range(7, len(seed), 389)}:
        survives(seed[:at])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SEEDS[:3]), st.data())
def test_blocks_moved_repeated_or_removed(seed: bytes, data: st.DataObject) -> None:
    blocks = [seed[i : i + 512] for i in range(0, len(seed), 512)]
    for _ in range(data.draw(st.integers(1, 4))):
        at, to = (data.draw(st.integers(0, len(blocks) - 1)) for _ in range(2))
        if data.draw(st.booleans()):
            blocks.insert(to, blocks[at])
        else:
            blocks[at] = bytes(512)
    survives(b"".join(blocks))


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "../x", "a:b", "sha256:" + "0" * 64, "\ud800", "x" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["manifests", "layers", "config", "digest", "mediaType", "size", "Config", "Layers", "RepoTags", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([one_image(), docker_save(tags=["a:1"]), {**one_image(), **docker_save()}]), st.data())
def test_documents_with_any_value_anywhere(files: Files, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(n for n, d in files.items() if d[:1] in b"{[")))
    document = json.loads(files[name])
    _replace(document, data)
    survives({**files, name: json.dumps(document).encode()})


def _replace(value: Any, data: st.DataObject) -> None:
    """Replace one value somewhere in a JSON document."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(value[key], (dict, list)) or not value[key] or data.draw(st.booleans()):
            value[key] = data.draw(_ANY)
            return
        value = value[key]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["index.json", "manifest.json", "oci-layout", "repositories", "a/json", "a/layer.tar", "b/json", "version"]
        ),
        _ANY.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40),
    )
)
def test_any_documents_under_the_known_names(files: Files) -> None:
    survives(files)


def test_a_directory_of_any_documents_opens_or_fails_clearly(tmp_path: Any) -> None:
    chance = random.Random(7)
    values: list[Any] = [
        None,
        [],
        {},
        "x",
        [{}],
        {"manifests": [{}]},
        [{"Config": "../../etc/passwd", "Layers": ["/etc/shadow"]}],
    ]
    for number in range(60):
        root = tmp_path / str(number)
        names = chance.sample(["index.json", "manifest.json", "oci-layout", "repositories", "a/json", "blobs/x"], 3)
        written(root, {name: js(chance.choice(values)) for name in names})
        try:
            with open_archive(root, SMALL) as container:
                look_everywhere(container)
        except ImagepeelError as error:
            assert error.hint
