"""Receipts: plain bash commands that show a fact of an image without imagepeel.

Members and files are named where their names are harmless and unique, and else addressed by their offset
(`tail -c +N FILE | head -c M`), which needs no hostile name at all.  They are for bash, zsh and ksh, with
the tools of GNU or of BSD and macOS: tar, awk, od, sed, head, tail, wc, sha256sum, and gzip, zstd, bzip2, xz for what
is so compressed.  What takes jq, readelf, zstd, xz or GNU tar alone says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.archive.compression import BZIP2_MAGIC, GZIP_MAGIC, XZ_MAGIC, ZSTD_MAGIC
from imagepeel.archive.members import Member, Members
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import AnomalyCode, Name, Receipt, text
from imagepeel.layers.layer import Layer
from imagepeel.oci.json_document import lookup
from imagepeel.receipts.copying import COPY, FOLDER, copying, copying_layout
from imagepeel.receipts.quoting import HEX, file_word, hex_line, is_tame, jq_filter, plain_text, quote

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.formats.tar.table import Entry
    from imagepeel.image import LayeredImage

UNPACK = {"gzip": "gzip -dc", "zstd": "zstd -dcq", "bzip2": "bzip2 -dc", "xz": "xz -dc"}
SUMS = {"sha256": "sha256sum", "sha384": "sha384sum", "sha512": "sha512sum"}
_RARE = ("jq", "readelf", "zstd", "xz")
"""Tools that a machine may not have, and that a receipt therefore names."""
_MAGIC = {"gzip": GZIP_MAGIC, "zstd": ZSTD_MAGIC, "bzip2": BZIP2_MAGIC, "xz": XZ_MAGIC[:4]}
"""How the stored bytes of each compression begin, four bytes at most."""

_FILTERS = (
    ("head -n 1", "its first line"),
    ("-lW", "its program headers: the loader it names"),
    ("-hW", "its ELF header: machine and type"),
    ("-dW", "the libraries it needs"),
    ("sed -n l", "its lines"),
    ("od ", "its first bytes"),
)
"""A part of a filter, and what the filter shows."""

_COUNTED = 50_000
"""Entries up to which a layer is searched for a second entry of the same name; larger ones use offsets."""
# Where GNU tar stops or reads other bytes than imagepeel, members are addressed by offset.
_MOST_EXPECTED = 65_536
"""Characters of a value that a receipt says what it prints of."""
_ODD_ARCHIVE: tuple[AnomalyCode, ...] = (
    "outer-zero-block",
    "outer-bad-header",
    "outer-bad-pax",
    "outer-bad-sparse",
    "outer-truncated",
)


class Stream(msgspec.Struct, frozen=True):
    """Bytes that a command writes to standard output: a file as it is (`file`), or a pipeline (`pipe`)."""

    file: str = ""
    pipe: str = ""

    def through(self, command: str, of_file: str = "") -> str:
        """Return the pipeline into `command`; `of_file` (with `{}` for the file) is shorter for a plain file."""
        if self.pipe:
            return f"{self.pipe} | {command}"
        return of_file.format(self.file) if of_file else f"{command} < {self.file}"

    def unpacked(self, compression: str) -> Stream:
        """Return the same stream decompressed."""
        unpack = UNPACK.get(compression)
        return self if unpack is None else Stream(pipe=self.through(unpack, unpack + " {}"))

    def cut(self, offset: int, count: int) -> Stream:
        """Return `count` bytes from `offset` (0-based) on."""
        if not offset:
            return Stream(pipe=self.through(f"head -c {count}", f"head -c {count} {{}}"))
        return Stream(
            pipe=self.through(f"tail -c +{offset + 1}", f"tail -c +{offset + 1} {{}}") + f" | head -c {count}"
        )

    @property
    def command(self) -> str:
        """The command that prints the bytes."""
        return self.pipe or f"cat {self.file}"


class Receipts:
    """Receipts about one image of an archive, and about the archive itself."""

    def __init__(self, archive: OpenArchive, image: LayeredImage | None = None) -> None:
        self.archive = archive
        self.image = image
        self.members: Members = archive.members
        self.directory: bool = archive.medium == "directory"
        self.streamed: bool = archive.name in ("-", "memory", "")
        copied = FOLDER if self.directory else COPY
        name = copied if self.streamed or archive.elsewhere else archive.name
        self._name = name
        self.file: str = file_word(name)
        self._colon = b":" in name.encode("utf-8", "surrogateescape")
        self._stream = Stream(file=self.file)
        for wrap in archive.wrapping:
            self._stream = self._stream.unpacked(wrap)
        self._odd = any(anomaly.code in _ODD_ARCHIVE for anomaly in archive.anomalies)
        self._repeated = _repeated(archive.members) if not self.directory else frozenset()
        self._unique: dict[int, frozenset[tuple[int, bytes]] | None] = {}

    # ---- the archive --------------------------------------------------------------------------------------

    def copying(self) -> str | None:
        """The command that makes the file which the others are about, None where it is there; "" for nobody knows."""
        if self.streamed:
            return f"cat > {COPY}"
        tags = self.image.record.tags if self.image is not None else ()
        if self.archive.elsewhere and self.directory:
            index = self.archive.indexes[0].index if self.archive.indexes else None
            listed = (index.manifests if index is not None else None) or ()
            # skopeo writes manifests of Docker's types anew for a layout, and their digests with them.
            changed = any(one.media_type.startswith("application/vnd.docker.") for one in listed)
            return "" if changed else copying_layout(self.archive.name, tags)
        return copying(self.archive.name, tags) if self.archive.elsewhere else None

    def tar_stream(self) -> Stream:
        """The archive without its outer compression."""
        return self._stream

    def file_stream(self) -> Stream:
        """The file as it is stored, before anything is unpacked."""
        return Stream(file=self.file)

    def stored(self, offset: int) -> Receipt:
        """Show bytes of the file as it is stored, before anything is unpacked."""
        return self.hex_at(self.file_stream(), offset, f"byte {offset} of the file")

    def archive_size(self, size: int) -> Receipt:
        """The size of the file."""
        return _receipt(command=f"wc -c < {self.file}", shows="its size in bytes", expect=str(size))

    def listing(self, expect: str = "") -> Receipt:
        """The members of the archive."""
        if self.directory:
            command = f"find {self.file} -type f -exec wc -c {{}} +"
        else:
            command = self._tar("-tv", self._stream)
        return _receipt(command=command, shows="the members of the archive", expect=expect)

    def tar_header(self, at: int, head: bytes) -> Receipt:
        """The 512 bytes of the tar header at an offset: name, size and magic stand in them."""
        command = f"{self._stream.cut(at, 512).command} | {HEX}"
        return _receipt(command=command, shows="the tar header", expect=hex_line(head[:16]))

    def header_bytes(self, stream: Stream, at: int, blocks: bytes) -> Receipt:
        """All header blocks of an entry at an offset of a tar."""
        command = f"{stream.cut(at, len(blocks)).command} | {HEX}"
        return _receipt(command=command, shows="the header, byte by byte", expect=hex_line(blocks[:16]))

    def tar_magic(self, header: int = 0) -> Receipt:
        """The magic of the tar header at an offset: five bytes at 257 (POSIX ustar)."""
        start = self._stream.cut(header + 257, 5)
        return _receipt(command=start.command, shows="the magic of the tar header", expect="ustar")

    def member(self, member: Member, members: Members | None = None) -> Stream:
        """The bytes of a member of the archive (links already followed)."""
        home = members or self.members
        if home.medium == "directory":
            place = self._name if home is self.members else home.name
            return Stream(file=file_word(f"{place}/{member.name}"))
        if member.sparse is not None:
            return Stream(pipe=self._tar("-xO", self._stream, _word(member.raw_name)))
        if self._nameable(member):
            return Stream(pipe=self._tar("-xO", self._stream, text(member.raw_name)))
        return self._stream.cut(member.offset or 0, member.size)

    def named(self, name: str) -> Stream | None:
        """The bytes of the member with that name, None when there is none."""
        member = self.members.file(name) if name else None
        return self.member(member) if member is not None else None

    def digest(self, stream: Stream, digest: str, shows: str, *, expect: str = "") -> Receipt:
        """The digest of some bytes; `expect` is what the bytes really have when that differs from `digest`."""
        algorithm, _, encoded = (expect or digest).partition(":")
        summing = SUMS.get(algorithm, "sha256sum")
        return _receipt(
            command=stream.through(summing, summing + " {}"),
            shows=shows,
            expect=encoded if algorithm in SUMS else "",
        )

    def json(self, stream: Stream, pointer: str, shows: str, document: Any = None) -> Receipt:
        """A value of a JSON document; `document` is the document parsed, for keys and for the expected value."""
        wanted = jq_filter(pointer, document)
        command = stream.through(f"jq -c {quote(wanted)}", f"jq -c {quote(wanted)} {{}}")
        return _receipt(command=command, shows=shows, expect=_expected(document, pointer))

    def config(self, pointer: str, shows: str) -> Receipt | None:
        """A value of the image config, None where there is no config to look into."""
        image = self.image
        if image is None or image.record.config is None or not image.record.config_member:
            return None
        stream = self.named(image.record.config_member)
        if stream is None or not image.config.raw_bytes:
            return None
        return self.json(stream, pointer, shows, image.config.raw)

    # ---- layers -------------------------------------------------------------------------------------------

    def blob(self, layer: Layer) -> Stream | None:
        """The stored bytes of a layer, None when they are not here."""
        stored = layer.record.stored
        if stored is None:
            return None
        if stored.data is not None:
            return self._inline(layer)
        if stored.given is not None:
            return self._given()
        assert stored.member is not None
        return self.member(stored.member, stored.members)

    def content(self, layer: Layer) -> Stream | None:
        """The tar of a layer, decompressed."""
        blob = self.blob(layer)
        return blob.unpacked(layer.compression) if blob is not None else None

    def layer_listing(self, layer: Layer, expect: str = "") -> Receipt | None:
        """What is in a layer; its first bytes where no tar lists anything of it."""
        content = self.content(layer)
        if content is None:
            return None
        if layer.error is not None and not len(layer.table):
            return self.hex_at(content, 0, f"the first bytes of {layer.label}, which are no tar")
        return _receipt(command=self._tar("-tv", content), shows=f"what {layer.label} holds", expect=expect)

    def layer_digest(self, layer: Layer, stated: str = "") -> Receipt | None:
        """The digest of the stored bytes of a layer."""
        blob = self.blob(layer)
        if blob is None or not (stated or layer.digest):
            return None
        actual = layer.facts.blob_digest if layer.facts is not None and layer.facts.blob_digest else ""
        return self.digest(blob, stated or layer.digest or "", f"the digest of {layer.label} as stored", expect=actual)

    def diff_id(self, layer: Layer) -> Receipt | None:
        """The digest of the uncompressed tar of a layer: its DiffID."""
        content = self.content(layer)
        if content is None or layer.diff_id is None or layer.facts is None or layer.facts.diff_id is None:
            return None
        return self.digest(content, layer.diff_id, f"the DiffID of {layer.label}")

    def entry(self, layer: Layer, index: int) -> Stream | None:
        """The content of a regular file in a layer, also of one that a later layer removed."""
        content = self.content(layer)
        if content is None:
            return None
        entry = layer.table[index]
        if entry.sparse is not None:
            return Stream(pipe=self._tar("-xO", content, _word(entry.raw_name)))
        if self._entry_nameable(layer, entry):
            return Stream(pipe=self._tar("-xO", content, text(entry.raw_name)))
        if entry.header_offset is None:
            return None
        return content.cut(entry.data_offset, entry.size)

    def entry_line(self, layer: Layer, index: int) -> Receipt | None:
        """The line of `tar -tv` about one entry; the whole listing where its name is no plain text."""
        entry = layer.table[index]
        content = self.content(layer)
        if content is None:
            return None
        listing = self._tar("-tv", content)
        at = entry.header_offset
        if at is not None and (not self._entry_nameable(layer, entry) or entry.kind == "dir"):
            header = content.cut(at, min(512, max(0, entry.data_offset - at)))
            return _receipt(
                command=f"{header.command} | {HEX} | head -n 8",
                shows=f"its header in {layer.label}",
                expect=hex_line(self._header(layer, at)),
            )
        if not self._entry_nameable(layer, entry):
            return None
        name = text(entry.raw_name)
        return _receipt(command=f"{listing} {name}", shows=f"its line in {layer.label}", expect=name)

    def _header(self, layer: Layer, at: int) -> bytes:
        try:
            return layer.content.pread(at, 16)
        except ImagepeelError:
            return b""

    def size(self, stream: Stream, size: int, shows: str = "its size in bytes") -> Receipt:
        """How many bytes a stream has."""
        return _receipt(command=stream.through("wc -c"), shows=shows, expect=str(size))

    def bytes_of(self, stream: Stream, shows: str, expect: str = "") -> Receipt:
        """The bytes of a stream as they are."""
        return _receipt(command=stream.command, shows=shows, expect=expect)

    def document(self, stream: Stream, shows: str) -> Receipt:
        """A JSON document, laid out for the eye."""
        command = stream.through("jq .")
        return _receipt(command=command, shows=shows)

    def hex_at(self, stream: Stream, offset: int, shows: str) -> Receipt:
        """The bytes from an offset (0-based) on, in hex."""
        return _receipt(command=f"{stream.cut(offset, 512).command} | {HEX} | head -n 8", shows=shows)

    def magic(self, layer: Layer) -> Receipt | None:
        """The first bytes of a layer as stored, which tell its compression; what it holds, where there is none."""
        blob = self.blob(layer)
        if blob is None:
            return None
        if layer.compression not in _MAGIC:
            return self.layer_listing(layer)
        command = blob.through("head -c 4", "head -c 4 {}") + f" | {HEX}"
        shows = f"the first bytes of {layer.label}: {layer.compression}"
        return _receipt(command=command, shows=shows, expect=_MAGIC[layer.compression].hex(" "))

    def total(self, layers: Sequence[Layer], size: int) -> Receipt | None:
        """The bytes of all files of these layers, added up in one command; `size` is their sum.

        None where a layer is missing, or has sparse files.
        """
        listings = []
        regular = True
        for layer in layers:
            content = self.content(layer)
            if content is None:
                return None
            if any(extra.sparse is not None for extra in layer.table.extras.values()):
                return None  # a listing states the length with the holes, which nobody ships
            listings.append(self._tar("--numeric-owner -tv", content))  # numbers for owners: names may hold blanks
            regular = regular and not layer.table.extras and layer.error is None and not layer.anomalies
        if not listings:
            return None
        listing = f"{{ {'; '.join(listings)}; }}" if len(listings) > 1 else listings[0]
        return _receipt(
            command=f"{listing} | awk '/^-/ {{ n += $2 ~ /\\// ? $3 : $5 }} END {{ printf \"%.0f\\n\", n }}'",
            shows="bytes of all files of all layers",
            expect=str(size) if regular else "",
        )

    def inspect(self, stream: Stream, filter_: str, expect: str = "") -> Receipt:
        """The bytes of a file through one of the filters that a step of a start names."""
        shows = next((words for part, words in _FILTERS if part in filter_), "the file")
        return self.show(stream, filter_, shows, expect)

    def show(self, stream: Stream, filter_: str, shows: str, expect: str = "") -> Receipt:
        """The bytes of a stream through a filter.  Filters that read `/dev/stdin` by name get a file instead."""
        if "/dev/stdin" in filter_:
            # readelf wants a file that it can seek in.
            looking = filter_.replace("/dev/stdin", '"$t"')
            command = f't=$(mktemp); {stream.command} > "$t"; {looking}; rm "$t"'
        else:
            command = stream.through(filter_)
        return _receipt(command=command, shows=shows, expect=expect)

    # ---- inside -------------------------------------------------------------------------------------------

    def _tar(self, action: str, stream: Stream, name: str = "") -> str:
        operand = f" {name}" if name else ""
        # GNU tar takes what stands before a colon for a host.
        of_file = "" if self._colon else f"tar {action}f {{}}{operand}"
        return stream.through(f"tar {action}f -{operand}", of_file)

    def _nameable(self, member: Member) -> bool:
        return not self._odd and is_tame(member.raw_name) and member.raw_name not in self._repeated

    def _entry_nameable(self, layer: Layer, entry: Entry) -> bool:
        facts = layer.facts
        if facts is None or facts.error is not None or facts.anomalies or not is_tame(entry.raw_name):
            return False
        if entry.path[1:] in layer.table.dirs:
            return False
        repeated = self._repeated_in(layer)
        key = (layer.table.dir_id(entry.index), entry.name)
        return repeated is not None and key not in repeated

    def _repeated_in(self, layer: Layer) -> frozenset[tuple[int, bytes]] | None:
        if layer.index not in self._unique:
            table = layer.table
            if len(table) > _COUNTED:
                self._unique[layer.index] = None
            else:
                names = [table.names[start:end] for start, end in pairwise(chain((0,), table.name_ends))]
                keys = list(zip(table.dir_ids, names, strict=True))
                once = set(keys)
                seen = Counter(keys) if len(once) < len(keys) else {}
                self._unique[layer.index] = frozenset(key for key, count in seen.items() if count > 1)
        return self._unique[layer.index]

    def _inline(self, layer: Layer) -> Stream | None:
        image = self.image
        if image is None or not image.record.manifest_member:
            return None
        manifest = self.named(image.record.manifest_member)
        if manifest is None:
            return None
        return Stream(pipe=manifest.through(f"jq -r '.layers[{layer.index}].data'") + " | base64 -d")

    def _given(self) -> Stream:
        """A bare layer is the file itself, with its last compression still on."""
        stream = Stream(file=self.file)
        for wrap in self.archive.wrapping[:-1]:
            stream = stream.unpacked(wrap)
        return stream


def field_bytes(stream: Stream, at: int, data: bytes, name: str, *, shown: bool = True) -> Receipt:
    """The bytes of one field at an offset of a stream; where they are not to be `shown`, nothing is expected."""
    last = at + len(data) - 1
    place = f"byte {at}" if last == at else f"bytes {at} to {last}"
    said = f"{place}: {name}" if plain_text(name) else place
    return _receipt(
        command=f"{stream.cut(at, len(data)).command} | {HEX}", shows=said, expect=hex_line(data[:16]) if shown else ""
    )


def _word(name: Name) -> str:
    """The operand for a name that has to be named: GNU tar's alone where it is more than plain letters."""
    return text(name) if is_tame(name) else f"--no-unquote -- {quote(name)}"


def _receipt(command: str, shows: str, expect: str = "") -> Receipt:
    """A receipt that says which tool it needs, where that is one that a machine may not have."""
    tools = [tool for tool in _RARE if any(f"{lead}{tool} " in f"; {command}" for lead in ("; ", "| ", "{ "))]
    tools += ["GNU tar"] * ("--no-unquote" in command)
    needs = f"; needs {' and '.join(tools)}" if tools else ""
    return Receipt(command=command, shows=shows + needs, expect=expect)


def _repeated(members: Members) -> frozenset[bytes]:
    seen: set[bytes] = set()
    twice: set[bytes] = set()
    for member in members:
        (twice if member.raw_name in seen else seen).add(member.raw_name)
    return frozenset(twice)


def _expected(document: Any, pointer: str) -> str:
    """What `jq -c` prints for the value, where that is certain: plain text, no numbers with fractions, not too long."""
    here = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, list) and key.isdigit() and int(key) < len(here):
            here = here[int(key)]
        elif isinstance(here, dict):
            here = lookup(here, key)
        else:
            return ""
    if here is None or isinstance(here, bool | int | float) or _size(here) > _MOST_EXPECTED:
        return ""
    shown = json.dumps(here, ensure_ascii=False, separators=(",", ":"))
    return shown if plain_text(shown) and not _has_number(here) else ""


def _size(value: Any) -> int:
    """How many characters the texts of a value have."""
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str) else 1


def _has_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)
