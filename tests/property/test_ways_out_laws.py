"""Laws of what leaves an image: a tar header read back is what was written; any history text is read in peace."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from imagepeel.export.tar_writer import END, encode_header, padding
from imagepeel.history.builders import KEYWORDS, go_list, read_step
from imagepeel.history.dockerfile import LayerFacts, rebuild_dockerfile, render
from imagepeel.history.pairing import pair_history
from imagepeel.oci.config import HistoryStep, ImageConfig, RunConfig
from imagepeel.rootfs.tree.inode import Inode

component = st.one_of(
    st.binary(min_size=1, max_size=255), st.text(min_size=1, max_size=60).map(lambda t: t.encode("utf-8", "replace"))
).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
paths = st.lists(component.filter(lambda name: name not in (b".", b"..")), min_size=1, max_size=6).map(b"/".join)
targets = st.binary(min_size=1, max_size=600).map(lambda target: target.replace(b"\0", b"_"))
times = st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 999_999_999))
ids = st.integers(0, 2**32 - 1)


def read(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as tar:
        return tar.getmembers()


def name(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


@settings(max_examples=300, deadline=None)
@given(paths, st.integers(0, 0o7777), ids, ids, times, st.integers(0, 2000))
def test_a_file_header_is_read_back(
    path: bytes, mode: int, uid: int, gid: int, mtime: tuple[int, int], size: int
) -> None:
    node = Inode("file", mode, uid, gid)
    data = encode_header(path, node, mtime=mtime, size=size) + bytes(size) + padding(size) + END
    assert len(data) % 512 == 0
    (member,) = read(data)
    assert (name(member.name), member.mode, member.uid, member.gid) == (path, mode, uid, gid)
    assert (member.size, member.isreg()) == (size, True)
    seconds = member.pax_headers.get("mtime", str(member.mtime))
    whole, _, fraction = seconds.partition(".")
    sign = -1 if seconds.startswith("-") else 1
    nanoseconds = int(whole) * 10**9 + sign * int((fraction or "0").ljust(9, "0"))
    assert nanoseconds == mtime[0] * 10**9 + mtime[1]


@settings(max_examples=200, deadline=None)
@given(paths, targets, st.booleans())
def test_links_are_read_back(path: bytes, target: bytes, hard: bool) -> None:
    node = Inode("symlink", target=target)
    data = encode_header(path, node, mtime=(0, 0), link=target if hard else None)
    (member,) = read(data + END)
    assert (name(member.name), name(member.linkname)) == (path, target)
    assert (member.islnk(), member.issym()) == (hard, not hard)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.from_regex(rb"user\.[a-z]{1,9}", fullmatch=True), st.binary(max_size=300), max_size=5))
def test_attributes_are_records_of_their_own(xattrs: dict[bytes, bytes]) -> None:
    node = Inode("dir")
    node.xattrs = xattrs
    (member,) = read(encode_header(b"d", node, mtime=(1, 0)) + END)
    found = {k.removeprefix("SCHILY.xattr."): name(v) for k, v in member.pax_headers.items()}
    assert {name(k): v for k, v in found.items()} == xattrs


words = st.one_of(
    st.text(max_size=80),
    st.builds(
        lambda prefix, keyword, rest: f"{prefix}{keyword} {rest}",
        st.sampled_from(["", "/bin/sh -c ", "/bin/sh -c #(nop)  ", "|1 A=b /bin/sh -c ", "RUN |2 A=b C=", "|0 "]),
        st.sampled_from([*sorted(KEYWORDS), "x", '["a" "', "&{["]),
        st.text(max_size=60),
    ),
)
steps = st.lists(
    st.builds(
        HistoryStep,
        created_by=words,
        comment=st.sampled_from(["", "buildkit.dockerfile.v0", "FROM x", "Imported from -", "merge sha256:x to y"]),
        author=st.sampled_from(["", "kaniko", "Bazel", "Jib"]),
        empty_layer=st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.integers(0, 6), st.booleans())
def test_every_step_and_layer_is_told_once(history: list[HistoryStep], layers: int, paired: bool) -> None:
    config = ImageConfig(history=tuple(history))
    wrote = pair_history(config if paired else None, layers)
    facts = [LayerFacts(index=i, steps=steps, bytes=i) for i, steps in enumerate(wrote)]
    dockerfile = rebuild_dockerfile(config, facts)
    assert [line.step for line in dockerfile.instructions if line.step is not None] == list(range(len(history)))
    assert sorted(line.layer for line in dockerfile.instructions if line.layer is not None) == list(range(layers))
    for line in dockerfile.instructions:
        if line.step is not None and line.layer is not None:
            assert wrote[line.layer] == (line.step,)
        assert line.keyword in KEYWORDS or line.keyword == ""
        assert (line.keyword == "") <= (line.confidence == "unknown")
    render(dockerfile)


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), max_size=5))
def test_lists_of_go_are_read_back(given_words: list[str]) -> None:
    def quote(word: str) -> str:
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert go_list("[" + " ".join(map(quote, given_words)) + "]") == given_words


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    for comment in ("", "buildkit.dockerfile.v0"):
        read_step(HistoryStep(created_by=text, comment=comment), ("/bin/sh", "-c"), RunConfig(env=("A=b",)))
