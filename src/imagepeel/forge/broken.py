"""Teaching images with one thing wrong each: paperwork, layers, or the process that they should become.

Each is told once, broken and repaired, whatever it stands on: `imagepeel forge` puts it on a root directory of six
entries, the examples of rules on one in which nothing else is found.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from imagepeel.forge import programs
from imagepeel.forge.elf import LOADERS, elf
from imagepeel.forge.entry import directory, file, hardlink, opaque, pax_global, symlink, whiteout
from imagepeel.forge.image import Fault, ImageSpec
from imagepeel.forge.specimens import (
    ENV_PATH,
    GLIBC_LOADER,
    GOOD_SCRIPT,
    PATH,
    Maker,
    add,
    maker,
    root_layer,
    script,
    server,
)
from imagepeel.forge.tar import encode


class Specimen(msgspec.Struct, frozen=True):
    """One thing that can be wrong: `shown(make, broken)` makes the image that shows it, or its repaired twin.

    `about` is one sentence on the broken one.  `on_base` False: the teaching image needs no root directory below it.
    """

    shown: Callable[[Maker, bool], ImageSpec]
    about: str
    on_base: bool = True

    def teaching(self, name: str) -> ImageSpec:
        """The broken image of that name, as small as it can be."""
        base = root_layer() if self.on_base else None
        return self.shown(maker(base, entrypoint=["/bin/hello"], env=[ENV_PATH], names=f"{name}:1"), True)


def _broken_entrypoint(make: Maker, broken: bool) -> ImageSpec:
    return script(make, '#!/bin/sh\r\nexec "$@"\r\n' if broken else GOOD_SCRIPT)


def _no_interpreter(make: Maker, broken: bool) -> ImageSpec:
    return script(make, '#!/bin/bash\nexec "$@"\n' if broken else GOOD_SCRIPT)


def _no_exec_bit(make: Maker, broken: bool) -> ImageSpec:
    return script(make, GOOD_SCRIPT, 0o644 if broken else 0o755)


def _no_shebang(make: Maker, broken: bool) -> ImageSpec:
    return script(make, 'exec "$@"\n' if broken else GOOD_SCRIPT)


def _wrong_architecture(make: Maker, broken: bool) -> ImageSpec:
    program = programs.hello(architecture="arm64" if broken else "amd64")
    return make(add(file("hello", program, 0o755), by="COPY hello / # buildkit"), entrypoint=["/hello"])


def _no_loader(make: Maker, broken: bool) -> ImageSpec:
    program = elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"], versions_needed={"libc.so.6": ["GLIBC_2.34"]})
    musl = add(
        directory("lib"),
        file("lib/ld-musl-x86_64.so.1", elf(soname="libc.musl-x86_64.so.1", exports=["printf"]), 0o755),
        symlink("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"),
        by="ADD rootfs.tar / # buildkit",
    )
    return server(make, program if broken else programs.hello("static\n"), musl)


def _no_library(make: Maker, broken: bool) -> ImageSpec:
    shop = () if broken else (file("lib/libshop.so.1", elf(soname="libshop.so.1", exports=["greet"]), 0o755),)
    glibc = add(
        directory("lib"),
        directory("lib64"),
        file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=GLIBC_LOADER), 0o755),
        file("lib/libc.so.6", elf(soname="libc.so.6", versions_defined=["GLIBC_2.2.5"]), 0o755),
        *shop,
        by="ADD rootfs.tar / # buildkit",
    )
    needed = ["libshop.so.1", "libc.so.6"]
    return server(make, elf(interpreter=LOADERS["amd64"], needed=needed, runpath="$ORIGIN/../lib"), glibc)


def _unknown_user(make: Maker, broken: bool) -> ImageSpec:
    return make(user="shop") if broken else make()


def _entrypoint_deleted(make: Maker, broken: bool) -> ImageSpec:
    written = add(file("entrypoint.sh", GOOD_SCRIPT, 0o755), by="COPY entrypoint.sh / # buildkit")
    removed = [add(whiteout("entrypoint.sh"), by="RUN /bin/sh -c rm /*.sh # buildkit")] if broken else []
    return make(written, *removed, entrypoint=["/entrypoint.sh"], cmd=["/bin/hello"])


def _shell_string(make: Maker, broken: bool) -> ImageSpec:
    return make(entrypoint=["/bin/hello --loud"] if broken else ["/bin/hello", "--loud"])


def _no_command(make: Maker, broken: bool) -> ImageSpec:
    return make(entrypoint=None if broken else ["/bin/hello"])


def _lost_path(make: Maker, broken: bool) -> ImageSpec:
    return make(entrypoint=["hello"], env=["PATH=$PATH:/app/bin" if broken else f"PATH={PATH}:/app/bin"])


def _two_images(make: Maker, broken: bool) -> ImageSpec:
    def half(word: str, other: ImageSpec | None) -> ImageSpec:
        program = programs.hello(f"I am the image that {word} describes\n")
        content = add(file("hello", program, 0o755), by=f"COPY {word} /hello # buildkit")
        return make(content, entrypoint=["/hello"], other=other, kind="docker-save-25")

    return half("manifest.json", half("index.json", None) if broken else None)


def _resurrect(make: Maker, broken: bool) -> ImageSpec:
    secret = file("data/secret", "an invented secret that was meant to be gone\n", 0o600)
    new = file("data/new", "the new content\n")
    renewed = (whiteout("data"), directory("data"), new) if broken else (directory("data"), opaque("data"), new)
    return make(
        # The repaired image never ships the secret: the opaque mark alone would hide it and ship it all the same.
        add(directory("data"), *([secret] if broken else []), by="COPY data /data # buildkit"),
        add(*renewed, by="RUN /bin/sh -c rm -rf /data && mkdir /data && cp new /data # buildkit"),
    )


def _linkshadow(make: Maker, broken: bool) -> ImageSpec:
    return make(
        add(
            directory("usr"),
            directory("usr/bin"),
            file("usr/bin/hello", programs.hello(), 0o755),
            symlink("bin", "usr/bin"),
            by="ADD rootfs.tar / # buildkit",
        ),
        add(
            file("bin/extra" if broken else "usr/bin/extra", programs.hello("extra\n"), 0o755),
            by="ADD extra.tar / # buildkit",
        ),
    )


def _link_below(make: Maker, broken: bool) -> ImageSpec:
    link = hardlink("bin/greet", "bin/hello", 0o755) if broken else symlink("bin/greet", "hello")
    return make(add(link, by="ADD links.tar / # buildkit"), entrypoint=["/bin/greet"])


def _hidden_tail(make: Maker, broken: bool) -> ImageSpec:
    tail = encode([file("etc/hidden", "no runtime ever sees this file\n")]) if broken else b""
    hello = file("hello", programs.hello(), 0o755)
    return make(add(hello, trailing=tail, by="ADD two.tar / # buildkit"), entrypoint=["/hello"])


def _git_archive(make: Maker, broken: bool) -> ImageSpec:
    head = (pax_global({"comment": "the id of a git commit", "mtime": "0"}),) if broken else ()
    hello = file("hello", programs.hello(), 0o755)
    return make(add(*head, hello, by="ADD archive.tar / # buildkit"), entrypoint=["/hello"])


def _missing_blob(make: Maker, broken: bool) -> ImageSpec:
    motd = file("etc/motd", "you will not see this\n")
    return make(add(motd, missing=broken, by="COPY motd /etc/ # buildkit"), kind="oci-archive")


def _wrong_digest(make: Maker, broken: bool) -> ImageSpec:
    # The byte is the OS field of the gzip header: the layer still unpacks to the right content.
    faults = [Fault(kind="layer-bytes", value=9)] if broken else []
    return make(base=msgspec.structs.replace(root_layer(), compression="gzip"), faults=faults, kind="oci-archive")


def _wrong_diff_id(make: Maker, broken: bool) -> ImageSpec:
    return make(faults=[Fault(kind="diff-id")] if broken else [])


def _control_characters(make: Maker, broken: bool) -> ImageSpec:
    if not broken:
        return make(add(file("etc/red", "a name that leaves the terminal alone\n")))
    return make(
        add(
            file("etc/\x1b[31mred\x1b[0m", "a name that colours the terminal\n"),
            file("etc/\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", "a name that reads backwards\n"),
            file("etc/two\nlines", "a name with a line break\n"),
            by="COPY \x1b]0;title\x07 /etc/ # buildkit",
        ),
        entrypoint=["/bin/hello", "\x1b[2J"],
        env=["PATH=/bin", "PROMPT=\x1b[1m[bold]$ "],
        labels={"title": "<b>bold</b> [red]red[/red]", "\x1b[5mblink": "\u202edlrow olleh"},
    )


SPECIMENS: dict[str, Specimen] = {
    "broken-entrypoint": Specimen(
        _broken_entrypoint,
        "The entrypoint script has Windows line ends: the kernel looks for an interpreter called /bin/sh\\r.",
    ),
    "no-interpreter": Specimen(_no_interpreter, "The script asks for /bin/bash, which the image does not have."),
    "no-exec-bit": Specimen(_no_exec_bit, "The entrypoint script is there but not executable."),
    "no-shebang": Specimen(_no_shebang, "The script has no #! line: a shell would run it, the kernel does not."),
    "wrong-architecture": Specimen(_wrong_architecture, "The config says amd64, the program is for arm64.", False),
    "no-loader": Specimen(_no_loader, "A program linked against glibc in an image that has musl only.", False),
    "no-library": Specimen(_no_library, "The loader is there, one of the two needed libraries is not.", False),
    "unknown-user": Specimen(_unknown_user, "USER names somebody who is not in /etc/passwd."),
    "entrypoint-deleted": Specimen(_entrypoint_deleted, "A later layer whites out the entrypoint."),
    "shell-string": Specimen(_shell_string, "A whole command line stands as one word of the exec form."),
    "no-command": Specimen(_no_command, "Neither entrypoint nor command: there is nothing to run."),
    "lost-path": Specimen(_lost_path, "ENV PATH holds a literal $PATH that nobody expands at run time."),
    "two-images": Specimen(
        _two_images, "manifest.json and index.json of one archive describe two different images.", False
    ),
    "resurrect": Specimen(
        _resurrect, "A directory is whited out and made again in one layer; with overlayfs the old file returns."
    ),
    "linkshadow": Specimen(
        _linkshadow, "A layer writes below a symlinked directory and so hides everything the link led to.", False
    ),
    "link-below": Specimen(_link_below, "A hardlink to a file of a lower layer: runtimes refuse to unpack it."),
    "hidden-tail": Specimen(
        _hidden_tail, "A second tar behind the end of the first: shipped and verified, never unpacked.", False
    ),
    "git-archive": Specimen(
        _git_archive,
        "A layer with a PAX global header, as git archive writes it: containerd ignores it, umoci refuses the layer.",
        False,
    ),
    "missing-blob": Specimen(_missing_blob, "The manifest lists a layer whose blob is not in the archive."),
    "wrong-digest": Specimen(_wrong_digest, "One byte of the layer has changed since its digest was taken."),
    "wrong-diff-id": Specimen(_wrong_diff_id, "The config states a DiffID that the layer does not have."),
    "control-characters": Specimen(
        _control_characters, "Names, labels, environment and history that try to write on the terminal."
    ),
}
"""Every broken teaching image by its name."""
