"""Which kind of image archive this is: content decides, names of the file and its extension never do.

The rule that fired is a value with a sentence, since it is the first thing that the story tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from imagepeel.archive.codec import decompress_to_spool, sniff_compression
from imagepeel.archive.members import Inside, Member, Members
from imagepeel.archive.sniff import HEAD, is_link_text, is_tar, refuse
from imagepeel.archive.source import Source
from imagepeel.archive.tar_members import TarMembers
from imagepeel.errors import ImagepeelError, Malformed, NotAnImage
from imagepeel.evidence import Location
from imagepeel.limits import Limits
from imagepeel.oci.json_document import lookup, parse_json

PEEL = 2
"""Most layers of compression around an archive: once by the writer, once by a person."""
_ROOTFS = frozenset(
    (
        *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "nix", "opt", "proc", "root", "run"),
        *("sbin", "srv", "sys", "tmp", "usr", "var"),
    )
)
_HEX_NAME = re.compile(r"[0-9a-f]{64}")
_SMALL = 64


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that decided what an archive is: a stable id, one plain sentence, the names that it looked at."""

    id: str
    sentence: str
    saw: tuple[str, ...] = ()


class Detected(msgspec.Struct, kw_only=True):
    """The outcome: `kind`, the rule, the members (re-rooted where the image lies one level down).

    `kind` is oci-layout, docker-archive, hybrid, dir, docker-v1, rootfs, layer, windows-layer or tar; `index` and
    `manifest` are the parsed `index.json` and `manifest.json`, `problems` the errors met while reading them.
    """

    kind: str
    rule: Rule
    members: Members
    index: Any = None
    manifest: Any = None
    problems: dict[str, ImagepeelError] = {}


class Peeled(msgspec.Struct, kw_only=True):
    """A file without its outer compression.

    `wrapping` names what was taken off, outermost first; `inner` is the content and `stored` the same content with
    its last compression still on, which is what a bare layer's digest is about.
    """

    inner: Source
    stored: Source
    wrapping: tuple[str, ...] = ()


def peel(source: Source, limits: Limits, held: list[Source | Members]) -> Peeled:
    """Take the compression off a file, at most `PEEL` times.  Malformed or LimitExceeded from the decoder.

    Temporary files that hold content are appended to `held`, for the caller to close.
    """
    inner = stored = source
    wrapping: list[str] = []
    while len(wrapping) < PEEL and (kind := sniff_compression(inner.pread(0, _SMALL))) != "none":
        wrapping.append(kind)
        stored, inner = inner, decompress_to_spool(inner, kind, limits, source.name)
        held.append(inner)
    return Peeled(inner=inner, stored=stored, wrapping=tuple(wrapping))


def open_tar(source: Source, limits: Limits) -> TarMembers:
    """Return the members of a file that must be a tar.  NotAnImage, Unsupported or Malformed when it is not."""
    head = source.pread(0, HEAD)
    if not is_tar(head):
        refuse(source, head)
    return TarMembers(source, limits)


def detect(members: Members) -> Detected:
    """Return what an archive is.  NotAnImage when a directory holds no image; a tar is at least a layer."""
    found = _by_markers(members) or _one_level_down(members)
    if found is not None:
        return found
    if members.form == "directory":
        raise _not_a_layout(members)
    flat = _flat(members)
    if isinstance(members, TarMembers) and members.over_limit:
        # An exported filesystem may have any number of members; all of them are read as its one layer.
        sentence = f"{flat.rule.sentence}; its first {len(members):,} members were looked at to tell"
        flat.rule = Rule(id=flat.rule.id, sentence=sentence, saw=flat.rule.saw)
        members.anomalies[:] = [a for a in members.anomalies if a.code != "outer-member-limit"]
    return flat


def _by_markers(members: Members) -> Detected | None:
    problems: dict[str, ImagepeelError] = {}
    layout = members.get("oci-layout")
    index_member = members.get("index.json")
    manifest_member = members.get("manifest.json")
    index = _document(members, index_member, problems)
    manifest = _document(members, manifest_member, problems)
    oci = layout is not None or (isinstance(index, dict) and "manifests" in {key.lower() for key in index})
    if index_member is not None and "index.json" in problems and manifest_member is None:
        oci = True
    docker = isinstance(manifest, list)
    found = {"members": members, "index": index, "manifest": manifest, "problems": problems}
    if oci and docker:
        return Detected(
            kind="hybrid",
            rule=Rule(
                id="hybrid",
                sentence="it has both index.json (the OCI layout's list of manifests) and manifest.json (docker save's "
                "list of images), so it is two descriptions in one file; both are read and compared",
                saw=_saw(members, "oci-layout", "index.json", "manifest.json"),
            ),
            **found,
        )
    if oci:
        return Detected(
            kind="oci-layout",
            rule=Rule(
                id="oci-layout",
                sentence="it has oci-layout and index.json: an OCI layout, where index.json points at manifests by "
                "digest and everything else lies in blobs/"
                if layout is not None
                else "its index.json holds a list of manifests, so it is read as an OCI layout although the oci-layout "
                "marker is missing",
                saw=_saw(members, "oci-layout", "index.json"),
            ),
            **found,
        )
    if docker:
        return Detected(
            kind="docker-archive",
            rule=Rule(
                id="docker-archive",
                sentence="its manifest.json is a list of images, each naming a config and layers as members of this "
                "archive: what docker save writes",
                saw=_saw(members, "manifest.json", "repositories"),
            ),
            **found,
        )
    if isinstance(manifest, dict) and lookup(manifest, "schemaVersion") is not None:
        return Detected(
            kind="dir",
            rule=Rule(
                id="dir",
                sentence="its manifest.json is one manifest, not a list, and blobs lie beside it under their bare "
                "digests: what skopeo writes for dir:",
                saw=_saw(members, "manifest.json", "version"),
            ),
            **found,
        )
    if manifest_member is not None and ("manifest.json" in problems or manifest is None or members.form == "directory"):
        # It is named like docker save's list and cannot be read as one: the error is about that file.
        return Detected(
            kind="docker-archive",
            rule=Rule(
                id="docker-archive-damaged",
                sentence="it has a manifest.json, which should be docker save's list of images and is not",
                saw=("manifest.json",),
            ),
            **found,
        )
    v1 = _v1_ids(members)
    if v1:
        return Detected(
            kind="docker-v1",
            rule=Rule(
                id="docker-v1",
                sentence="it has no manifest.json, but each layer has a directory with json and layer.tar: what docker "
                "save wrote before version 1.10",
                saw=_saw(members, "repositories", f"{v1[0]}/json"),
            ),
            **found,
        )
    return None


def _document(members: Members, member: Member | None, problems: dict[str, ImagepeelError]) -> Any:
    if member is None or member.kind != "file":
        return None
    place = Location(member=member.name)
    try:
        data = members.read(member, members.limits.json_bytes)
    except ImagepeelError as error:
        problems[member.name] = error
        return None
    try:
        value, _ = parse_json(data, place, members.limits)
    except Malformed as error:
        # git checks symbolic links out as text where links are switched off, and so do some unpackers.
        problems[member.name] = (
            Malformed(
                f"{member.name} holds only the path {data.decode().strip()}: a symbolic link that was stored as text",
                place,
                "copy the directory again with its links",
            )
            if is_link_text(data)
            else error
        )
        return None
    except ImagepeelError as error:
        problems[member.name] = error
        return None
    return value


def _saw(members: Members, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if members.get(name) is not None)


def _v1_ids(members: Members) -> list[str]:
    if members.form == "directory":
        candidates: Iterable[str] = members.top()
    else:
        # Ids may be nested by hostile names, so any directory with both files counts.
        candidates = [name[: -len("/json")] for name in members.names if name.endswith("/json")]
    ids = [name for name in candidates if members.file(f"{name}/json") and members.get(f"{name}/layer.tar")]
    if ids or members.file("repositories") is None:
        return ids
    return [name for name in candidates if members.file(f"{name}/json")]


def _one_level_down(members: Members) -> Detected | None:
    top = members.top()
    if len(top) > _SMALL:
        return None
    for name in top:
        if not any(members.get(f"{name}/{marker}") for marker in ("oci-layout", "index.json", "manifest.json")):
            continue
        found = _by_markers(Inside(members, name))
        if found is not None and found.kind != "docker-v1" and found.rule.id != "docker-archive-damaged":
            found.rule = Rule(
                id=found.rule.id + "-below",
                sentence=f"the image lies one level down, in {name}/: {found.rule.sentence}",
                saw=tuple(f"{name}/{saw}" for saw in found.rule.saw),
            )
            return found
    return None


def _looks_like_rootfs(top: Iterable[str]) -> bool:
    return len(_ROOTFS.intersection(top)) >= 4


def _flat(members: Members) -> Detected:
    top = set(members.top())
    if top & {"docker", "registry"} and any("registry/v2/blobs/" in name for name in members.names):
        raise _registry(members)
    if top & {"Files", "Hives", "UtilityVM"}:
        return _flat_as(
            members,
            "windows-layer",
            "its top directories are Files and Hives: one layer of a Windows image, without config",
            *sorted(top & {"Files", "Hives", "UtilityVM"}),
        )
    whiteout = next((n for n in members.names if n.rpartition("/")[2].startswith(".wh.")), None)
    if whiteout is not None:
        return _flat_as(
            members,
            "layer",
            "it holds no document of an image, but names that start with .wh. (removals): one bare layer",
            whiteout,
        )
    if ".dockerenv" in top or _looks_like_rootfs(top):
        return _flat_as(
            members,
            "rootfs",
            "it holds no document of an image, but the directories of a root file system: what docker export writes",
            *sorted(top & (_ROOTFS | {".dockerenv"})),
        )
    return _flat_as(
        members,
        "tar",
        "it is a plain tar without any document of an image; it is shown as one layer",
        *sorted(top)[:5],
    )


def _flat_as(members: Members, kind: str, sentence: str, *saw: str) -> Detected:
    return Detected(kind=kind, rule=Rule(id=kind, sentence=sentence, saw=saw), members=members)


def _not_a_layout(members: Members) -> NotAnImage:
    top = members.top()
    if members.get("docker/registry/v2/blobs") is not None or members.get("registry/v2/blobs") is not None:
        return _registry(members)
    if _looks_like_rootfs(top):
        return NotAnImage(
            f"{members.name} is a directory of files, not an image",
            hint="pack it first: tar -C DIR -c . | imagepeel explain -",
        )
    if members.file("index.json") is not None:
        return NotAnImage(
            f"{members.name} has an index.json that lists no manifests",
            Location(member="index.json"),
            "it is one document of an image (or of something else); give the whole layout",
        )
    blobs = members.get("blobs")
    if blobs is not None or any(_HEX_NAME.fullmatch(name) for name in top):
        return NotAnImage(
            f"{members.name} has blobs but neither index.json nor manifest.json",
            hint="give the directory that holds index.json",
        )
    return NotAnImage(
        f"{members.name} holds neither index.json nor manifest.json",
        hint="give an OCI layout, a dir: copy of skopeo or an unpacked docker save",
    )


def _registry(members: Members) -> NotAnImage:
    return NotAnImage(
        f"{members.name} is the storage of a registry, not an image",
        hint="copy one image out of it: skopeo copy docker://HOST/NAME:TAG oci:DIR:TAG",
    )
