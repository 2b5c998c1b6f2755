"""A fix that fixes: followed on its rule's bad image, the finding is gone and the image starts.

Fixes that are Dockerfile lines are applied as a builder does it: settings to the config, COPY as a layer, and RUN for
real, in a chroot of the image with busybox.  The others are done to the image as its maker would do it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import RULES, find_rule
from imagepeel.findings.example import archive_of
from imagepeel.findings.finding import Finding
from imagepeel.findings.rules.examples import EXAMPLES
from imagepeel.findings.subject import PROFILES
from imagepeel.forge import elf as forge_elf
from imagepeel.forge import programs
from imagepeel.forge.entry import Entry, directory, file, opaque, symlink
from imagepeel.forge.image import ImageSpec, LayerSpec
from imagepeel.forge.layout import IndexSpec
from imagepeel.forge.specimens import (
    ENV_PATH,
    GOOD_SCRIPT,
    GROUP,
    NET_BIND_SERVICE,
    PASSWD,
    file_capability,
)
from imagepeel.verbs import Image

Repair = Callable[[ImageSpec], ImageSpec]
changed = msgspec.structs.replace


def first_image(spec: ImageSpec | IndexSpec) -> Image:
    return open_archive(MemorySource(archive_of(spec))).images()[0]


def found(spec: ImageSpec | IndexSpec, rule: str) -> list[Finding]:
    return [finding for finding in first_image(spec).findings() if finding.rule == rule]


# ---- Dockerfile lines -------------------------------------------------------------------------------------------

BUILD_STAGE = {
    "/etc/passwd": PASSWD + "shop:x:1001:1001:shop:/nonexistent:/bin/sh\n",
    "/etc/group": GROUP,
    "/etc/ssl/certs/ca-certificates.crt": "certificates\n",
}
"""What `COPY --from=build` finds."""
SETTINGS = {
    "CMD": "Cmd",
    "ENTRYPOINT": "Entrypoint",
    "USER": "User",
    "WORKDIR": "WorkingDir",
    "STOPSIGNAL": "StopSignal",
}


def built(spec: ImageSpec, line: str, tmp_path: Path) -> ImageSpec:
    """The image with one more line in its Dockerfile."""
    keyword, _, value = line.partition(" ")
    if keyword in SETTINGS:
        return changed(
            spec,
            history=None,
            config={**spec.config, SETTINGS[keyword]: json.loads(value) if value.startswith("[") else value},
        )
    if keyword == "ENV":
        name = value.partition("=")[0]
        kept = [entry for entry in spec.config["Env"] if entry.partition("=")[0] != name]
        return changed(spec, history=None, config={**spec.config, "Env": [*kept, value]})
    if keyword == "COPY":
        options = [word for word in value.split() if word.startswith("--")]
        *sources, target = [word for word in value.split() if not word.startswith("--")]
        mode = next((int(option[8:], 8) for option in options if option.startswith("--chmod=")), 0o644)
        if "--from=build" in options:
            parts = [
                file(target.strip("/") + "/" + source.rsplit("/", 1)[1], BUILD_STAGE[source]) for source in sources
            ]
        else:
            node = first_image(spec).rootfs / target
            assert sources == [target.rsplit("/", 1)[1]]
            owner = next((option[8:] for option in options if option.startswith("--chown=")), "0:0").split(":")
            parts = [file(target.strip("/"), node.read_bytes(), mode, int(owner[0]), int(owner[1]))]
            if any(old.path == parts[0].path for layer in spec.layers[-2:-1] for old in layer.entries):
                # The step that first brought the file becomes this line: it is not copied twice.
                return changed(
                    spec,
                    layers=(
                        *spec.layers[:-2],
                        changed(spec.layers[-2], entries=(*spec.layers[-2].entries[:-1], *parts)),
                    ),
                )
        return changed(spec, history=None, layers=(*spec.layers, LayerSpec(entries=tuple(parts), created_by=line)))
    assert keyword == "RUN", line
    if os.geteuid() or not shutil.which("busybox"):
        pytest.skip("a RUN line takes root and busybox")
    root = tmp_path / "root"
    root.mkdir()
    for layer in spec.layers:
        command = ["tar", "-xp", "--same-owner", "--xattrs", "--xattrs-include=*", "-C", str(root)]
        subprocess.run(command, input=layer.content(), check=True)
    if value.startswith(("setcap ", "ldconfig")):
        outside(value.split(), root)
    else:
        busybox = shutil.which("busybox")
        assert busybox is not None
        tools = root / ".tools"
        tools.mkdir()
        shutil.copy(busybox, tools / "sh")
        for applet in ("sed", "chgrp", "chown", "mkdir", "chmod"):
            (tools / applet).symlink_to("sh")
        chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin")
        assert chroot is not None
        subprocess.run([chroot, str(root), "/.tools/sh", "-ec", value], check=True, env={"PATH": "/.tools"})
        shutil.rmtree(tools)
    packed = subprocess.run(
        ["tar", "-c", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(root), "."],
        capture_output=True, check=True,
    )  # fmt: skip
    return changed(spec, history=None, layers=(LayerSpec(tar=packed.stdout, created_by=line),))


def outside(words: list[str], root: Path) -> None:
    """The tools that busybox lacks, used from outside on the same tree."""
    tool = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/sbin")
    if tool is None:
        pytest.skip(f"{words[0]} is not installed")
    if words[0] == "ldconfig":
        subprocess.run([tool, "-r", str(root)], check=True, capture_output=True)
    else:
        subprocess.run([tool, *words[1:-1], str(root / words[-1].strip("/"))], check=True)


# ---- fixes that are no line -------------------------------------------------------------------------------------


def config(**settings: Any) -> Repair:
    """Other settings; None drops one."""

    def repair(spec: ImageSpec) -> ImageSpec:
        kept = {key: value for key, value in {**spec.config, **settings}.items() if value is not None}
        return changed(spec, config=kept)

    return repair


def entries(edit: Callable[[Entry], list[Entry]]) -> Repair:
    """Pack the layers again, each entry as `edit` says."""

    def repair(spec: ImageSpec) -> ImageSpec:
        layers = [
            changed(layer, entries=tuple(new for old in layer.entries for new in edit(old))) for layer in spec.layers
        ]
        return changed(spec, layers=tuple(layers))

    return repair


def at(path: str, /, **fields: Any) -> Repair:
    """Change the entries of one path."""
    return entries(lambda old: [changed(old, **fields)] if old.path == path.encode() else [old])


def instead(path: str, *new: Entry) -> Repair:
    """Put other entries where those of a path are; none leave it out."""
    return entries(lambda old: list(new) if old.path == path.encode() else [old])


def plus(*new: Entry) -> Repair:
    """One more layer."""
    return lambda spec: changed(
        spec, history=None, layers=(*spec.layers, LayerSpec(entries=new, created_by="COPY . /"))
    )


def below(*new: Entry) -> Repair:
    """More entries in the base layer."""

    def repair(spec: ImageSpec) -> ImageSpec:
        base = changed(spec.layers[0], entries=(*spec.layers[0].entries, *new))
        return changed(spec, layers=(base, *spec.layers[1:]))

    return repair


def without_layers(*numbers: int) -> Repair:
    """Build without these layers."""
    return lambda spec: changed(
        spec, history=None, layers=tuple(layer for i, layer in enumerate(spec.layers) if i not in numbers)
    )


def reordered(layer: int = -1) -> Repair:
    """Write the entries of a layer the other way round."""

    def repair(spec: ImageSpec) -> ImageSpec:
        layers = list(spec.layers)
        layers[layer] = changed(layers[layer], entries=tuple(reversed(layers[layer].entries)))
        return changed(spec, layers=tuple(layers))

    return repair


def plain(field: str, value: Any) -> Repair:
    """Pack every layer with this field of its spec."""
    return lambda spec: changed(spec, layers=tuple(changed(layer, **{field: value}) for layer in spec.layers))


def again(spec: ImageSpec) -> ImageSpec:
    """Save, fetch or build again: what was damaged on the way is whole."""
    layers = tuple(
        changed(
            layer, missing=False, trailing=b"", tail=b"", entries=tuple(e for e in layer.entries if e.kind != "raw")
        )
        for layer in spec.layers
    )
    return changed(spec, faults=(), layers=layers, extra={})


def both(*repairs: Repair) -> Repair:
    def repair(spec: ImageSpec) -> ImageSpec:
        for each in repairs:
            spec = each(spec)
        return spec

    return repair


def folded(spec: ImageSpec) -> ImageSpec:
    """Squash: one layer that ends where all did."""
    whole = tuple(entry for layer in spec.layers for entry in layer.entries)
    return changed(spec, history=None, layers=(changed(spec.layers[0], entries=whole),))


GLIBC = forge_elf.elf(soname="libc.so.6", versions_defined=["GLIBC_2.2.5", "GLIBC_2.34"], exports=["uses_GLIBC_2.34"])
SHOP = forge_elf.elf(soname="libshop.so.1", exports=["greet"])
PERMITTED = ((b"security.capability", file_capability(NET_BIND_SERVICE)),)

REPAIRS: dict[str, Repair] = {
    "MISSING-LOADER": at("app/server", data=programs.hello("static\n")),
    "GLIBC-TOO-OLD": at("lib/libc.so.6", data=GLIBC),
    "WRONG-ARCHITECTURE": at("hello", data=programs.hello()),
    "DIRECTORY-AS-COMMAND": config(Entrypoint=["/bin/hello"]),
    "MISSING-INTERPRETER": at("entrypoint.sh", data=GOOD_SCRIPT.encode()),
    "COMMAND-NOT-FOUND": plus(file("bin/no-such-program", programs.hello(), 0o755)),
    "COMMAND-MISSING": plus(file("entrypoint.sh", GOOD_SCRIPT, 0o755)),
    "LINK-LOOP": instead("bin/a", symlink("bin/a", "hello")),
    "EMPTY-COMMAND": config(Entrypoint=["/bin/hello", "--loud"]),
    "ENDS-AT-ONCE": config(Entrypoint=["rsyslogd", "-n"]),
    "RELATIVE-PATH-HIT": both(config(Env=["PATH=/tmp:/bin"])),
    "UNKNOWN-GROUP": at("etc/group", data=(GROUP + "shop:x:1001:\n").encode()),
    "WORKDIR-BLOCKED": config(WorkingDir="/home/app"),
    "PROC-NOT-A-DIRECTORY": instead("proc"),
    "WORKDIR-IN-PROC": config(WorkingDir="/home/app"),
    "NAMELESS-VARIABLE": config(Env=[ENV_PATH, "NAME=value"]),
    "SHEBANG-LIMIT": at("entrypoint.sh", data=b'#!/bin/sh\nexec "$@"\n'),
    "SETCAP-BLOCKS-EXEC": at("bin/tool", xattrs=PERMITTED),
    "ARGUMENT-TOO-LONG": both(config(Env=[ENV_PATH]), plus(file("etc/cert", "x" * 131_072))),
    "MISSING-LIBRARY": plus(directory("lib"), file("lib/libshop.so.1", SHOP, 0o755)),
    "UNDEFINED-SYMBOL": at("lib/libc.so.6", data=GLIBC),
    "SHELL-LINE-FAILS": plus(file("bin/nothing-here", programs.hello(), 0o755)),
    "WRAPPER-FAILS": plus(file("bin/nothing-here", programs.hello(), 0o755)),
    "VOLUME-OVER-FILE": config(Volumes={"/etc/app": {}}),
    "PASSWD-UNUSABLE": instead("etc/passwd", file("etc/passwd", PASSWD)),
    "SHELL-PID1": config(Cmd=["/bin/sh", "-c", "true; exec /bin/hello"]),
    "SCRIPT-WITHOUT-EXEC": at("entrypoint.sh", data=b"#!/bin/sh\nexec /bin/hello\n"),
    "PACKAGE-MANAGER-PID1": both(
        plus(file("bin/node", programs.hello(), 0o755)), config(Entrypoint=None, Cmd=["node", "server.js"])
    ),
    "SHEBANG-ONE-ARGUMENT": at("tool.py", data=b"#!/bin/hello -u\n"),
    "GROUP-LOST-ON-KUBERNETES": at("etc/passwd", data=PASSWD.replace("app:x:1000:1000", "app:x:1000:0").encode()),
    "UID-WITHOUT-NAME": both(
        at("etc/passwd", data=(PASSWD + "shop:x:1234:1000::/home/shop:/bin/sh\n").encode()),
        below(directory("home/shop", 0o755, 1234, 1000)),
    ),
    "PASSWD-TYPO": at("etc/passwd", data=(PASSWD + "shop:x:1001:1001:shop:/home/app:/bin/sh\n").encode()),
    "ENV-ASKS-THE-HOST": config(Env=[ENV_PATH]),
    "ENV-TWICE": config(Env=[ENV_PATH, "PORT=2"]),
    "SHIPPED-SECRET": instead("srv/server.key"),
    "DELETED-SECRET": without_layers(1, 2),
    "SECRET-IN-ENV": config(Env=[ENV_PATH, "GITHUB_TOKEN_FILE=/run/secrets/token"]),
    "SECRET-IN-HISTORY": lambda spec: changed(
        spec, history=(spec.history[0], changed(spec.history[1], created_by="RUN --mount=type=secret,id=npm npm ci"))
    ),
    "HOST-IDENTITY": at("etc/machine-id", data=b""),
    "ATTACKS-USER-NUMBER": both(config(User="1000"), at("etc/passwd", data=PASSWD.encode())),
    "ATTACKS-PASSWD-SIZE": at("etc/group", data=GROUP.encode()),
    "ATTACKS-VOLUME-PATH": config(Volumes={"/nothing": {}}),
    "ATTACKS-OPAQUE-MARKS": lambda spec: on_top(spec, *dict.fromkeys(spec.layers[-1].entries)),
    "ATTACKS-THROUGH-LINK": lambda spec: on_top(
        spec, *(changed(each, path=each.path.replace(b"way/", b"tmp/")) for each in spec.layers[-1].entries)
    ),
    "FILE-NOT-TAKEN": lambda spec: changed(spec, kind="docker-archive"),
    "DELETED-BYTES": without_layers(1, 2),
    "IDENTICAL-REWRITE": without_layers(2),
    "BUILD-DEBRIS": instead("root/.cache/pip/wheel"),
    "SPARSE-MONSTER": instead("var/log/lastlog", file("var/log/lastlog", "")),
    "LINK-SHADOWED": at("lib/extra.so", path=b"usr/lib/extra.so"),
    "FILE-BECOMES-DIRECTORY": instead("motd/today", directory("motd"), file("motd/today", "x")),
    "PARENT-NOT-DESCRIBED": instead("tmp/seed", directory("tmp", 0o1777), file("tmp/seed", "x")),
    "RESURRECTED": instead("data/new", opaque("data"), file("data/new", "x")),
    "ROOT-OPAQUE": instead(".wh..wh..opq"),
    "GHOST-NAME": instead("srv/.wh.never-there"),
    "WHITEOUT-NAMES": at("srv/.wh.data/motd", path=b"srv/data/motd"),
    "AUFS-LEFTOVER": instead(".wh..wh.aufs"),
    "BASE-WHITEOUT": instead(".wh.nothing"),
    "ROOTLESS-DIFFERS": at("motd", typeflag=None, data=b"motd\n"),
    "WHITEOUT-ORDER": reordered(),
    "WHITEOUT-NAMELESS": instead("srv/.wh."),
    "LINK-ACROSS-LAYERS": instead("bin/greet", symlink("bin/greet", "hello")),
    "LINK-WITHOUT-TARGET": reordered(),
    "OLD-SPARSE": at("disk.img", sparse_form="pax-1.0"),
    "UNKNOWN-ENTRY-TYPE": at("contiguous", typeflag=None),
    "DAMAGED-TAR": again,
    "DAMAGED-STREAM": again,
    "UNPACK-REFUSED": entries(lambda old: [] if len(old.path) > 255 else [old]),
    "STORE-REFUSES-LAYER": at("srv/two/etc/motd", path=b"srv/one/etc/motd"),
    "CONFIG-WITHOUT-ROOTFS": again,
    "CUT-SAVE": again,
    "ROOTLESS-IDS": at("srv.txt", uid=1000),
    "UID-WRAP": at("srv.txt", uid=1000),
    "DEVICE-NODE": instead("disk"),
    "OVERLAY-MARKS": instead("bin/tool"),
    "ATTRIBUTE-DROPPED": at("tagged", pax=(), xattrs=((b"user.colour", b"blue"),)),
    "GLOBAL-HEADER": entries(lambda old: [] if old.kind == "pax-global" else [old]),
    "HIDDEN-BYTES": again,
    "TIME-OUT-OF-RANGE": at("motd", mtime=0),
    "ROOT-ATTRIBUTES": instead("./"),
    "LINK-METADATA": at("two", mode=0o644, uid=0, gid=0),
    "DUPLICATE-ENTRY": instead("./motd"),
    "CASE-COLLISION": at("readme", path=b"readme-2"),
    "CONTROL-CHARACTERS": both(
        entries(lambda old: [changed(old, path=bytes(b for b in old.path if 0x20 < b < 0x7F))]),
        config(Entrypoint=["/bin/hello"], Env=[ENV_PATH], Labels=None),
        lambda spec: changed(spec, layers=tuple(changed(layer, created_by="COPY . /") for layer in spec.layers)),
    ),
    "MISSING-PARTS": again,
    "PLATFORM-DISAGREES": again,
    "WRONG-DIGEST": again,
    "WRONG-SIZE": again,
    "LAYER-COUNT": again,
    "TOO-MANY-LAYERS": folded,
    "MEDIA-TYPE-LIE": plain("media_type", ""),
    "COMPRESSED-TAIL": again,
    "CONTENTS-DISAGREE": instead("stargz.index.json"),
    "NO-PAPERWORK": lambda spec: changed(spec, kind=""),
    "HISTORY-SILENT": again,
    "ODD-TIME": lambda spec: changed(spec, created="2024-05-01T00:00:00Z"),
    "ODD-DOCUMENTS": again,
    "PACKER-NAMED": at("motd", uname=b"", gname=b""),
    "VOLUME-CONTENT": lambda spec: changed(spec, history=(spec.history[0], spec.history[2], spec.history[1])),
    "BAKED-DATABASE": without_layers(1),
    "STALE-LOCK": instead("var/run/app.pid"),
    "MOUNTED-OVER": at("dev/seed", path=b"etc/seed"),
    "HEALTHCHECK-LOST": config(Healthcheck={"Test": ["CMD", "/bin/hello"]}),
    "HEALTHCHECK-CANNOT-RUN": plus(file("bin/curl", programs.hello(), 0o755)),
}  # fmt: skip

CHANGING = [rule.id for rule in RULES if not rule.decides]


def on_top(spec: ImageSpec, *entries: Entry) -> ImageSpec:
    """The image with these entries in its last layer."""
    return changed(spec, layers=(*spec.layers[:-1], changed(spec.layers[-1], entries=entries)))


def repaired(name: str, spec: ImageSpec | IndexSpec, tmp_path: Path) -> ImageSpec | IndexSpec:
    lines = [finding.dockerfile or find_rule(name).dockerfile for finding in found(spec, name)]
    assert lines, f"the bad image of {name} has no finding"
    if isinstance(spec, IndexSpec):
        return changed(spec, images=tuple(REPAIRS[name](image) for image in spec.images))
    for number, line in enumerate(line for each in lines for line in each):
        (place := tmp_path / str(number)).mkdir()
        spec = built(spec, line, place)
    return spec if any(lines) else REPAIRS[name](spec)


@pytest.mark.parametrize("name", CHANGING)
def test_a_fix_that_changes_the_image_fixes_it(name: str, tmp_path: Path) -> None:
    spec = repaired(name, EXAMPLES[name].bad(), tmp_path)
    assert found(spec, name) == []
    if not name.startswith("NO-HEALTH"):
        verdicts = {engine: first_image(spec).process(engine=engine).verdict for engine in PROFILES}
        assert {engine: verdict.why for engine, verdict in verdicts.items() if verdict.kind == "FAILS"} == {}


def test_each_rule_says_whose_turn_it_is() -> None:
    """Its fix changes the image, by lines or by its maker's hands; or a person decides, and it says what."""
    by_hand = set(REPAIRS)
    for rule in RULES:
        assert not (rule.decides and rule.id in by_hand), rule.id
        if rule.decides:
            assert not rule.dockerfile
            assert rule.decides[0].islower() and rule.decides[-1] != ".", rule.id
    assert by_hand <= set(CHANGING)


@pytest.mark.parametrize(
    ("path", "plain"), [("srv/two words", False), ("srv/$HOME", False), ("srv/a'b", False), ("srv/\nUSER root", False)]
)
def test_a_line_is_made_of_plain_words_only(path: str, plain: bool) -> None:
    """A builder expands variables, and a line break would begin an instruction of its own."""
    from imagepeel.forge.specimens import add, sound

    spec = sound(add(directory("srv"), file(path, programs.hello(), 0o644)), entrypoint=["/" + path])
    finding = found(spec, "NOT-EXECUTABLE")[0]
    assert (finding.dockerfile != ()) is plain


def test_the_lines_are_in_every_form(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    archive.write_bytes(archive_of(EXAMPLES["NOT-EXECUTABLE"].bad()))
    line = "COPY --chmod=0755 entrypoint.sh /entrypoint.sh"
    assert json.loads(run_cli("wtf", archive, "--json").stdout)["result"]["findings"][0]["dockerfile"] == [line]
    for words in (["wtf"], ["wtf", "--markdown"], ["wtf", "--html", "-"], ["check"]):
        assert line in run_cli(words[0], archive, *words[1:]).stdout, words


def test_what_a_person_decides_is_said(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    archive.write_bytes(archive_of(EXAMPLES["NO-COMMAND"].bad()))
    assert "decide which program the image starts" in run_cli("wtf", archive).stdout
    rule = json.loads(run_cli("wtf", "--explain", "NO-COMMAND", "--json").stdout)["result"]
    assert rule["decides"].startswith("which program the image starts")
