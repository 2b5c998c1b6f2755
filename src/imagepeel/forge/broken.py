"""Teaching images with one thing wrong each: paperwork, layers, or the process that they should become."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from imagepeel.forge import programs
from imagepeel.forge.elf import LOADERS, elf
from imagepeel.forge.entry import directory, file, hardlink, pax_global, symlink, whiteout
from imagepeel.forge.image import Fault, ImageSpec, LayerSpec, image, layer
from imagepeel.forge.tar import encode

_PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def _base() -> LayerSpec:
    """A root with a user table and the stand-in for /bin/sh that `shop` explains."""
    return layer(
        directory("bin"),
        file("bin/sh", programs.sh(), 0o755),
        file("bin/hello", programs.hello(), 0o755),
        directory("etc"),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        file("etc/group", "root:x:0:\n"),
        created_by="ADD rootfs.tar / # buildkit",
    )


def _script(text: str | bytes, mode: int = 0o755) -> LayerSpec:
    return layer(file("entrypoint.sh", text, mode), created_by="COPY entrypoint.sh / # buildkit")


def _broken_entrypoint() -> ImageSpec:
    return image(
        _base(),
        _script('#!/bin/sh\r\nexec "$@"\r\n'),
        entrypoint=["/entrypoint.sh"],
        cmd=["/bin/hello"],
        env=_PATH,
        names="broken-entrypoint:1",
    )


def _no_interpreter() -> ImageSpec:
    return image(
        _base(),
        _script('#!/bin/bash\nexec "$@"\n'),
        entrypoint=["/entrypoint.sh"],
        cmd=["/bin/hello"],
        env=_PATH,
        names="no-interpreter:1",
    )


def _no_exec_bit() -> ImageSpec:
    return image(
        _base(),
        _script('#!/bin/sh\nexec "$@"\n', 0o644),
        entrypoint=["/entrypoint.sh"],
        cmd=["/bin/hello"],
        env=_PATH,
        names="no-exec-bit:1",
    )


def _no_shebang() -> ImageSpec:
    return image(
        _base(),
        _script('exec "$@"\n'),
        entrypoint=["/entrypoint.sh"],
        cmd=["/bin/hello"],
        env=_PATH,
        names="no-shebang:1",
    )


def _wrong_architecture() -> ImageSpec:
    return image(
        layer(file("hello", programs.hello(architecture="arm64"), 0o755), created_by="COPY hello / # buildkit"),
        entrypoint=["/hello"],
        env=_PATH,
        names="wrong-architecture:1",
    )


def _no_loader() -> ImageSpec:
    program = elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"], versions_needed={"libc.so.6": ["GLIBC_2.34"]})
    loader = elf(soname="libc.musl-x86_64.so.1", exports=["printf"])
    return image(
        layer(
            directory("lib"),
            file("lib/ld-musl-x86_64.so.1", loader, 0o755),
            symlink("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"),
            created_by="ADD rootfs.tar / # buildkit",
        ),
        layer(directory("app"), file("app/server", program, 0o755), created_by="COPY server /app/ # buildkit"),
        entrypoint=["/app/server"],
        env=_PATH,
        names="no-loader:1",
    )


def _no_library() -> ImageSpec:
    program = elf(interpreter=LOADERS["amd64"], needed=["libshop.so.1", "libc.so.6"], runpath="$ORIGIN/../lib")
    # What tells glibc's loader from others, and the directories that are compiled into it.
    folders = b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0"
    folders += b"/etc/ld.so.cache\0cannot open shared object file\0GLIBC_PRIVATE\0release version 2.36.\0"
    return image(
        layer(
            directory("lib"),
            directory("lib64"),
            file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=folders), 0o755),
            file("lib/libc.so.6", elf(soname="libc.so.6", versions_defined=["GLIBC_2.2.5"]), 0o755),
            created_by="ADD rootfs.tar / # buildkit",
        ),
        layer(directory("app"), file("app/server", program, 0o755), created_by="COPY server /app/ # buildkit"),
        entrypoint=["/app/server"],
        env=_PATH,
        names="no-library:1",
    )


def _unknown_user() -> ImageSpec:
    return image(_base(), entrypoint=["/bin/hello"], user="shop", env=_PATH, names="unknown-user:1")


def _entrypoint_deleted() -> ImageSpec:
    return image(
        _base(),
        _script('#!/bin/sh\nexec "$@"\n'),
        layer(whiteout("entrypoint.sh"), created_by="RUN /bin/sh -c rm /*.sh # buildkit"),
        entrypoint=["/entrypoint.sh"],
        cmd=["/bin/hello"],
        env=_PATH,
        names="entrypoint-deleted:1",
    )


def _shell_string() -> ImageSpec:
    return image(_base(), entrypoint=["/bin/hello --loud"], env=_PATH, names="shell-string:1")


def _no_command() -> ImageSpec:
    return image(_base(), env=_PATH, names="no-command:1")


def _lost_path() -> ImageSpec:
    return image(_base(), entrypoint=["hello"], env={"PATH": "$PATH:/app/bin"}, names="lost-path:1")


def _two_images() -> ImageSpec:
    def half(word: str) -> ImageSpec:
        program = programs.hello(f"I am the image that {word} describes\n")
        return image(
            layer(file("hello", program, 0o755), created_by=f"COPY {word} /hello # buildkit"),
            entrypoint=["/hello"],
            env=_PATH,
            names="two-images:1",
            other=None if word == "index.json" else half("index.json"),
            kind="docker-save-25",
        )

    return half("manifest.json")


def _resurrect() -> ImageSpec:
    return image(
        _base(),
        layer(
            directory("data"),
            file("data/secret", "an invented secret that was meant to be gone\n", 0o600),
            created_by="COPY data /data # buildkit",
        ),
        layer(
            whiteout("data"),
            directory("data"),
            file("data/new", "the new content\n"),
            created_by="RUN /bin/sh -c rm -rf /data && mkdir /data && cp new /data # buildkit",
        ),
        entrypoint=["/bin/hello"],
        env=_PATH,
        names="resurrect:1",
    )


def _linkshadow() -> ImageSpec:
    return image(
        layer(
            directory("usr"),
            directory("usr/bin"),
            file("usr/bin/hello", programs.hello(), 0o755),
            symlink("bin", "usr/bin"),
            created_by="ADD rootfs.tar / # buildkit",
        ),
        layer(file("bin/extra", programs.hello("extra\n"), 0o755), created_by="ADD extra.tar / # buildkit"),
        entrypoint=["/bin/hello"],
        env=_PATH,
        names="linkshadow:1",
    )


def _link_below() -> ImageSpec:
    return image(
        _base(),
        layer(hardlink("bin/greet", "bin/hello", 0o755), created_by="ADD links.tar / # buildkit"),
        entrypoint=["/bin/greet"],
        env=_PATH,
        names="link-below:1",
    )


def _hidden_tail() -> ImageSpec:
    tail = encode([file("etc/hidden", "no runtime ever sees this file\n")])
    return image(
        layer(
            file("hello", programs.hello(), 0o755),
            trailing=tail,
            created_by="ADD two.tar / # buildkit",
        ),
        entrypoint=["/hello"],
        env=_PATH,
        names="hidden-tail:1",
    )


def _git_archive() -> ImageSpec:
    return image(
        layer(
            pax_global({"comment": "the id of a git commit", "mtime": "0"}),
            file("hello", programs.hello(), 0o755),
            created_by="ADD archive.tar / # buildkit",
        ),
        entrypoint=["/hello"],
        env=_PATH,
        names="git-archive:1",
    )


def _missing_blob() -> ImageSpec:
    gone = layer(file("etc/motd", "you will not see this\n"), missing=True, created_by="COPY motd /etc/ # buildkit")
    return image(_base(), gone, entrypoint=["/bin/hello"], env=_PATH, names="missing-blob:1", kind="oci-archive")


def _wrong_digest() -> ImageSpec:
    # The byte is the OS field of the gzip header: the layer still unpacks to the right content.
    return image(
        msgspec.structs.replace(_base(), compression="gzip"),
        entrypoint=["/bin/hello"],
        env=_PATH,
        names="wrong-digest:1",
        faults=[Fault(kind="layer-bytes", value=9)],
        kind="oci-archive",
    )


def _wrong_diff_id() -> ImageSpec:
    return image(_base(), entrypoint=["/bin/hello"], env=_PATH, names="wrong-diff-id:1", faults=[Fault(kind="diff-id")])


def _control_characters() -> ImageSpec:
    return image(
        _base(),
        layer(
            file("etc/\x1b[31mred\x1b[0m", "a name that colours the terminal\n"),
            file("etc/\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", "a name that reads backwards\n"),
            file("etc/two\nlines", "a name with a line break\n"),
            created_by="COPY \x1b]0;title\x07 /etc/ # buildkit",
        ),
        entrypoint=["/bin/hello", "\x1b[2J"],
        env=["PATH=/bin", "PROMPT=\x1b[1m[bold]$ "],
        labels={"title": "<b>bold</b> [red]red[/red]", "\x1b[5mblink": "\u202edlrow olleh"},
        names="control-characters:1",
    )


ALL: dict[str, tuple[Callable[[], ImageSpec], str]] = {
    "broken-entrypoint": (
        _broken_entrypoint,
        "The entrypoint script has Windows line ends: the kernel looks for an interpreter called /bin/sh\\r.",
    ),
    "no-interpreter": (_no_interpreter, "The script asks for /bin/bash, which the image does not have."),
    "no-exec-bit": (_no_exec_bit, "The entrypoint script is there but not executable."),
    "no-shebang": (_no_shebang, "The script has no #! line: a shell would run it, the kernel does not."),
    "wrong-architecture": (_wrong_architecture, "The config says amd64, the program is for arm64."),
    "no-loader": (_no_loader, "A program linked against glibc in an image that has musl only."),
    "no-library": (_no_library, "The loader is there, one of the two needed libraries is not."),
    "unknown-user": (_unknown_user, "USER names somebody who is not in /etc/passwd."),
    "entrypoint-deleted": (_entrypoint_deleted, "A later layer whites out the entrypoint."),
    "shell-string": (_shell_string, "A whole command line stands as one word of the exec form."),
    "no-command": (_no_command, "Neither entrypoint nor command: there is nothing to run."),
    "lost-path": (_lost_path, "ENV PATH holds a literal $PATH that nobody expands at run time."),
    "two-images": (_two_images, "manifest.json and index.json of one archive describe two different images."),
    "resurrect": (
        _resurrect,
        "A directory is whited out and made again in one layer; with overlayfs the old file returns.",
    ),
    "linkshadow": (_linkshadow, "A layer writes below a symlinked directory and so hides everything the link led to."),
    "link-below": (_link_below, "A hardlink to a file of a lower layer: runtimes refuse to unpack it."),
    "hidden-tail": (_hidden_tail, "A second tar behind the end of the first: shipped and verified, never unpacked."),
    "git-archive": (
        _git_archive,
        "A layer with a PAX global header, as git archive writes it: containerd ignores it, umoci refuses the layer.",
    ),
    "missing-blob": (_missing_blob, "The manifest lists a layer whose blob is not in the archive."),
    "wrong-digest": (_wrong_digest, "One byte of the layer has changed since its digest was taken."),
    "wrong-diff-id": (_wrong_diff_id, "The config states a DiffID that the layer does not have."),
    "control-characters": (
        _control_characters,
        "Names, labels, environment and history that try to write on the terminal.",
    ),
}
"""Every broken teaching image: how it is made and one sentence on it."""
