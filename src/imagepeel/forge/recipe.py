"""Images from a small JSON or TOML description, for people who do not want to write Python.

    {"kind": "oci-archive", "names": ["demo:1"],
     "config": {"Entrypoint": ["/bin/hello"], "Env": ["PATH=/bin"]},
     "layers": [
       {"created_by": "COPY hello /bin/", "entries": [
         {"dir": "bin"},
         {"file": "bin/hello", "program": "hello", "mode": "0755"},
         {"file": "etc/motd", "text": "hi\\n"},
         {"symlink": "bin/hi", "target": "hello"}]},
       {"compression": "zstd", "entries": [{"whiteout": "etc/motd"}]}]}

For the whole archive: `kind`, `compression`, `outer`, `prefix`, `blocking` (see `forge.to_bytes`).

For an image: `layers`, `config` (Entrypoint, Cmd, Env, User, WorkingDir, Labels, ... as the image-spec names them),
`names`, `architecture`, `os`, `variant`, `created`, `author`, `history` (steps of created_by, empty, comment, author,
created), `extra` (more top-level keys of the config), `faults` (kind, layer, value; see `forge.FAULTS`), `other` (the
image that the OCI half of a hybrid describes), and `annotations`,
`index_annotations` (also called `marks`), `docker_types`, `config_type`, `artifact_type`, `subject`, `algorithm`,
`inline` (see `forge.ImageSpec`).  Several images stand in `images`; an
item `{"index": {"names": [...], "images": [...]}}` among them is a multi-platform image.

For a layer: `entries` (or `tar`, its bytes in base64), `compression`, `created_by`, `comment`, `media_type`, `urls`,
`annotations`, `missing`, `end_blocks`, and in base64 `trailing` (after the tar), `tail` (after the stored blob) and
`blob` (stored instead of the compressed tar).

An entry has one key that says what it is and where: file, dir, symlink, hardlink, char, block, fifo, sparse, whiteout,
opaque, pax-global, or raw (a header in base64).  Its bytes come from one of text, base64, hex, noise (so many bytes
that do not compress), program (hello, report, wait or sh, with message, exit_code, hears_sigterm), elf (arguments of
`forge.elf`) or from (a file beside the description).  The other keys: mode (octal digits in a string), uid,
gid, uname, gname, mtime (seconds, or [seconds, nanoseconds]), target, major, minor, xattrs, pax, form, segments and
sparse_form; and for headers that lie: typeflag, size, fields, pad.  Values of xattrs, pax and fields, and the
rodata of an elf, are text, or `base64:` and bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.evidence import Location, raw
from imagepeel.forge import archives, programs
from imagepeel.forge.compress import COMPRESSIONS, Packing
from imagepeel.forge.elf import elf
from imagepeel.forge.entry import MTIME, Entry, EntryKind, Records, SparseForm, TarForm, opaque, whiteout
from imagepeel.forge.image import CREATED, FAULTS, ArchiveKind, Fault, ImageSpec, LayerSpec, Step
from imagepeel.forge.layout import IndexSpec
from imagepeel.forge.specimens import noise
from imagepeel.serialization import convert


class Recipe(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What a description says: the images in its order, and how to pack them (see `to_bytes` of the forge)."""

    specs: tuple[ImageSpec | IndexSpec, ...]
    kind: ArchiveKind | Literal[""] = ""
    compression: Packing | Literal[""] = ""
    outer: Packing | Literal[""] = ""
    prefix: str = ""
    blocking: int = 1

    def to_bytes(self) -> bytes:
        """The archive as bytes; errors as of `forge.to_bytes`."""
        return archives.to_bytes(
            self.specs,
            self.kind,
            compression=self.compression,
            outer=self.outer,
            prefix=self.prefix,
            blocking=self.blocking,
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes the archive to `path` and gives the path back; errors as of `forge.write`."""
        return archives.write(
            self.specs,
            path,
            self.kind,
            compression=self.compression,
            outer=self.outer,
            prefix=self.prefix,
            blocking=self.blocking,
        )


_T = TypeVar("_T")
_Name = TypeVar("_Name", bound=str)


class _Entry(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from", "pax_global": "pax-global"}):
    file: str | None = None
    dir: str | None = None
    symlink: str | None = None
    hardlink: str | None = None
    char: str | None = None
    block: str | None = None
    fifo: str | None = None
    sparse: str | None = None
    whiteout: str | None = None
    opaque: str | None = None
    pax_global: str | None = None
    raw: str | None = None
    text: str | None = None
    base64: str | None = None
    hex: str | None = None
    noise: int | None = None
    program: str | None = None
    elf: dict[str, Any] | None = None
    from_: str | None = None
    message: str | None = None
    exit_code: int | None = None
    hears_sigterm: bool | None = None
    mode: str | None = None
    uid: int = 0
    gid: int = 0
    uname: str = ""
    gname: str = ""
    mtime: int | tuple[int, int] = MTIME
    target: str = ""
    major: int = 0
    minor: int = 0
    xattrs: dict[str, str] = {}
    pax: dict[str, str] = {}
    form: TarForm = "auto"
    typeflag: str | None = None
    size: int | None = None
    fields: dict[str, str] = {}
    pad: bool = True
    segments: list[tuple[int, str]] = []
    sparse_form: SparseForm = "pax-1.0"


class _Layer(msgspec.Struct, forbid_unknown_fields=True):
    entries: list[_Entry] = []
    tar: str | None = None
    compression: str = ""
    created_by: str = ""
    comment: str = ""
    media_type: str = ""
    urls: list[str] = []
    annotations: dict[str, str] = {}
    missing: bool = False
    end_blocks: int = 2
    trailing: str = ""
    tail: str = ""
    blob: str | None = None


class _Fault(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    layer: int = 0
    value: str | int | None = None


class _Image(msgspec.Struct, forbid_unknown_fields=True):
    layers: list[_Layer] = []
    config: dict[str, Any] = {}
    names: list[str] = []
    architecture: str = "amd64"
    os: str = "linux"
    variant: str = ""
    created: str = CREATED
    author: str = ""
    history: tuple[Step, ...] | None = None
    extra: dict[str, Any] = {}
    annotations: dict[str, str] = {}
    docker_types: bool = False
    config_type: str = ""
    artifact_type: str = ""
    subject: dict[str, Any] | None = None
    index_annotations: dict[str, str] = {}
    marks: dict[str, str] = {}
    algorithm: str = "sha256"
    inline: bool = False
    faults: list[_Fault] = []
    other: _Image | None = None


class _Index(msgspec.Struct, forbid_unknown_fields=True):
    images: list[_Image]
    names: list[str] = []
    annotations: dict[str, str] = {}
    docker_types: bool = False


_ARCHIVE_KINDS: tuple[ArchiveKind | Literal[""], ...] = ("", *archives.KINDS)
_PACKINGS: tuple[Packing | Literal[""], ...] = ("", *COMPRESSIONS)
_PACKING = ("kind", "compression", "outer", "prefix", "blocking")
_KINDS: dict[str, EntryKind] = {
    "file": "file",
    "dir": "dir",
    "symlink": "symlink",
    "hardlink": "hardlink",
    "char": "char",
    "block": "block",
    "fifo": "fifo",
    "sparse": "sparse",
    "whiteout": "file",
    "opaque": "file",
    "pax_global": "pax-global",
    "raw": "raw",
}
"""The keys that say what an entry is, and the kind that it then has."""

_SOURCES = ("text", "base64", "hex", "noise", "program", "elf", "from_")
_MODES = {"dir": 0o755, "symlink": 0o777, "whiteout": 0o600, "opaque": 0o600, "char": 0o600, "block": 0o600}


class _Packing(msgspec.Struct, forbid_unknown_fields=True):
    kind: str = ""
    compression: str = ""
    outer: str = ""
    prefix: str = ""
    blocking: int = 1


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Recipe:
    """A recipe from a description: a mapping, or the path of a JSON file (TOML when it ends in `.toml`).

    The format stands at the head of `imagepeel.forge.recipe` and in docs/reference/forge.md; files that it names by
    `from` are looked for beside the description.  Raises `UsageError` with a JSON pointer for anything that is not in
    the format, and when a file cannot be read.
    """
    if isinstance(source, Mapping):
        return _recipe(dict(source), None)
    path = Path(source)
    try:
        data = path.read_bytes()
        document = tomllib.loads(data.decode()) if path.suffix == ".toml" else json.loads(data)
    except OSError as error:
        raise UsageError(f"the description {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise UsageError(f"the description {path} is no {kind}: {error}") from None
    if not isinstance(document, dict):
        raise UsageError(f"the description {path} is no object", Location(pointer=""))
    return _recipe(document, path.parent)


def _recipe(document: dict[str, Any], folder: Path | None) -> Recipe:
    packing = _convert({key: document[key] for key in _PACKING if key in document}, _Packing, "")
    kind = _known(packing.kind, _ARCHIVE_KINDS, "archive kind", "/kind")
    compression = _known(packing.compression, _PACKINGS, "compression", "/compression")
    outer = _known(packing.outer, _PACKINGS, "compression", "/outer")
    rest = {key: value for key, value in document.items() if key not in _PACKING}
    specs: list[ImageSpec | IndexSpec] = []
    if "images" in rest:
        extra = sorted(set(rest) - {"images"})
        if extra:
            raise UsageError("beside images there is room for nothing else", Location(pointer=f"/{extra[0]}"))
        if not isinstance(rest["images"], list):
            raise UsageError("images is a list", Location(pointer="/images"))
        for number, item in enumerate(rest["images"]):
            pointer = f"/images/{number}"
            if isinstance(item, dict) and set(item) == {"index"}:
                index = _convert(item["index"], _Index, pointer + "/index")
                inner = [
                    _image(each, f"{pointer}/index/images/{place}", folder) for place, each in enumerate(index.images)
                ]
                specs.append(
                    IndexSpec(
                        images=tuple(inner),
                        names=tuple(index.names),
                        annotations=index.annotations,
                        docker_types=index.docker_types,
                    )
                )
            else:
                specs.append(_image(_convert(item, _Image, pointer), pointer, folder))
    else:
        specs.append(_image(_convert(rest, _Image, ""), "", folder))
    return Recipe(
        specs=tuple(specs),
        kind=kind,
        compression=compression,
        outer=outer,
        prefix=packing.prefix,
        blocking=packing.blocking,
    )


def _known(value: str, names: Sequence[_Name], what: str, pointer: str) -> _Name:
    """The one of the names that is written there."""
    for name in names:
        if name == value:
            return name
    hint = "known: " + ", ".join(name for name in names if name)
    raise UsageError(f"no {what} is called {value!r}", Location(pointer=pointer), hint)


def _convert(value: Any, kind: type[_T], pointer: str) -> _T:
    try:
        return convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        inside = re.sub(r"\[(\d+)\]", r"/\1", place.rstrip("`")).replace(".", "/")
        raise UsageError(message, Location(pointer=pointer + inside)) from None
    except RecursionError:
        raise UsageError("the description is nested too deeply", Location(pointer=pointer)) from None


def _image(item: _Image, pointer: str, folder: Path | None) -> ImageSpec:
    layers = [
        _layer(layer, f"{pointer}/layers/{number}", item.architecture, folder)
        for number, layer in enumerate(item.layers)
    ]
    faults = (
        Fault(
            kind=_known(fault.kind, tuple(FAULTS), "fault", f"{pointer}/faults/{number}/kind"),
            layer=fault.layer,
            value=fault.value,
        )
        for number, fault in enumerate(item.faults)
    )
    given = msgspec.structs.asdict(item)
    marks = given.pop("marks")
    given |= {
        "index_annotations": item.index_annotations or marks,
        "layers": tuple(layers),
        "names": tuple(item.names),
        "faults": tuple(faults),
        "other": None if item.other is None else _image(item.other, f"{pointer}/other", folder),
    }
    return ImageSpec(**given)


def _layer(item: _Layer, pointer: str, architecture: str, folder: Path | None) -> LayerSpec:
    _known(item.compression, _PACKINGS, "compression", f"{pointer}/compression")
    entries = [
        _entry(entry, f"{pointer}/entries/{index}", architecture, folder) for index, entry in enumerate(item.entries)
    ]
    given = msgspec.structs.asdict(item) | {"entries": tuple(entries), "urls": tuple(item.urls)}
    for key in ("tar", "trailing", "tail", "blob"):
        if given[key] is not None:
            given[key] = _decoded(given[key], f"{pointer}/{key}")
    return LayerSpec(**given)


def _entry(item: _Entry, pointer: str, architecture: str, folder: Path | None) -> Entry:
    given = [name for name in _KINDS if getattr(item, name) is not None]
    if len(given) != 1:
        known = ", ".join(name.replace("_", "-") for name in _KINDS)
        raise UsageError(
            "an entry has exactly one key that says what it is", Location(pointer=pointer), f"one of: {known}"
        )
    key = given[0]
    path = raw(getattr(item, key))
    mode = _mode(item, key, pointer)
    if key == "whiteout":
        return whiteout(path, mode=mode, mtime=item.mtime)
    if key == "opaque":
        return opaque(path, mode=mode, mtime=item.mtime)
    data = _data(item, pointer, architecture, folder)
    if key == "raw":
        return Entry(kind="raw", header=_decoded(item.raw or "", f"{pointer}/raw"), data=data, pad=item.pad)
    return Entry(
        path=path,
        kind=_KINDS[key],
        data=data,
        mode=mode,
        uid=item.uid,
        gid=item.gid,
        mtime=item.mtime,
        target=raw(item.target),
        device=(item.major, item.minor),
        uname=raw(item.uname),
        gname=raw(item.gname),
        xattrs=_records(item.xattrs, f"{pointer}/xattrs"),
        pax=_records(item.pax, f"{pointer}/pax"),
        form=item.form,
        typeflag=None if item.typeflag is None else raw(item.typeflag),
        size=item.size,
        fields=_records(item.fields, f"{pointer}/fields"),
        pad=item.pad,
        segments=tuple((offset, raw(chunk)) for offset, chunk in item.segments),
        sparse_form=item.sparse_form if key == "sparse" else "",
    )


def _mode(item: _Entry, kind: str, pointer: str) -> int:
    if item.mode is None:
        return _MODES.get(kind, 0o755 if item.program or item.elf is not None else 0o644)
    if not re.fullmatch("[0-7]{1,7}", item.mode):
        raise UsageError(f"{item.mode!r} is no mode in octal digits", Location(pointer=f"{pointer}/mode"))
    return int(item.mode, 8)


def _data(item: _Entry, pointer: str, architecture: str, folder: Path | None) -> bytes:
    given = [name for name in _SOURCES if getattr(item, name) is not None]
    if len(given) > 1:
        raise UsageError("the bytes of an entry come from one key only", Location(pointer=pointer), ", ".join(given))
    source = given[0] if given else ""
    place = Location(pointer=f"{pointer}/{source.rstrip('_')}")
    if item.text is not None:
        return raw(item.text)
    if item.base64 is not None:
        return _decoded(item.base64, f"{pointer}/base64")
    if item.hex is not None:
        try:
            return bytes.fromhex(item.hex)
        except ValueError:
            raise UsageError("these are no hex digits", place) from None
    if item.noise is not None:
        if not 0 <= item.noise <= 1 << 30:
            raise UsageError("noise is a number of bytes up to 2^30", place)
        return noise(item.file or "", item.noise)
    if item.program is not None:
        return _program(item, architecture, place)
    if item.elf is not None:
        try:
            return elf(**{"architecture": architecture, **_elf_words(item.elf, place.pointer or "")})
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"these are no arguments of an ELF file: {error}", place) from None
    if item.from_ is not None:
        if folder is None:
            raise UsageError("a description that is no file has no folder for from", place)
        try:
            return (folder / item.from_).read_bytes()
        except (OSError, ValueError) as error:
            raise UsageError(f"the file {item.from_!r} cannot be read: {error}", place) from None
    return b""


def _elf_words(given: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    """Arguments of `elf`, of which `rodata` stands there as text, or as `base64:` and bytes."""
    words = dict(given)
    if isinstance(data := words.get("rodata"), str):
        words["rodata"] = _bytes(data, f"{pointer}/rodata")
    return words


def _program(item: _Entry, architecture: str, place: Location) -> bytes:
    wanted: dict[str, Any] = {"architecture": architecture}
    wanted |= {
        key: value
        for key, value in (
            ("banner" if item.program == "report" else "message", item.message),
            ("exit_code", item.exit_code),
            ("hears_sigterm", item.hears_sigterm),
        )
        if value is not None
    }
    makers: dict[str, Callable[..., bytes]] = {
        "hello": programs.hello,
        "report": programs.report,
        "wait": programs.wait,
        "sh": programs.sh,
    }
    if item.program not in makers:
        raise UsageError(f"no program is called {item.program!r}", place, "known: " + ", ".join(makers))
    try:
        return makers[item.program](**wanted)
    except TypeError:
        raise UsageError(f"the program {item.program} does not take all of {', '.join(wanted)}", place) from None
    except UsageError as error:
        raise UsageError(error.what, place, error.hint) from None


def _records(values: Mapping[str, str], pointer: str) -> Records:
    """Keys with values as text, or as `base64:` and bytes."""
    return tuple((raw(key), _bytes(value, f"{pointer}/{key}")) for key, value in values.items())


def _bytes(value: str, pointer: str) -> bytes:
    return _decoded(value[7:], pointer) if value.startswith("base64:") else raw(value)


def _decoded(value: str, pointer: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError("this is no base64", Location(pointer=pointer)) from None
