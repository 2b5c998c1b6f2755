"""Other people's tools on what the forge makes: skopeo reads, umoci unpacks, runc and crun run, bsdtar lists it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
import subprocess
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.forge.specimens import noise

pytestmark = pytest.mark.judge


def tool(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")


root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or platform.machine() != "x86_64",
    reason="needs root on x86-64: the programs are unpacked with their owners and run",
)

# skopeo's transport for each kind it can read; `rootfs`, `layer`, `docker-v1.0` and `apko` are not among them.
TRANSPORTS = {
    "docker-archive": "docker-archive",
    "docker-save-25": "docker-archive",
    "docker-containerd": "docker-archive",
    "podman-archive": "docker-archive",
    "crane": "docker-archive",
    "kaniko": "docker-archive",
    "jib": "docker-archive",
    "jib-lowercase": "docker-archive",
    "rules-oci": "docker-archive",
    "nix": "docker-archive",
    "nix-stream": "docker-archive",
    "oci-archive": "oci-archive",
    "buildx-oci": "oci-archive",
    "oci-dir": "oci",
    "dir": "dir",
}


def run(*argv: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(word) for word in argv], capture_output=True, timeout=120, cwd=cwd)


def tag(spec: forge.ImageSpec) -> str:
    return spec.names[0].rpartition(":")[2]


@tool("skopeo")
@pytest.mark.parametrize("name", forge.GOOD)
@pytest.mark.parametrize("kind", TRANSPORTS)
def test_skopeo_reads_and_copies_every_kind(kind: str, name: str, tmp_path: Path) -> None:
    spec = forge.build(name)
    # Debian's skopeo does not look through an outer gzip.
    forge.write(spec, tmp_path / "in", kind, outer="none" if kind == "nix" else "")
    source = f"{TRANSPORTS[kind]}:{tmp_path}/in"
    done = run("skopeo", "inspect", "--raw", "--config", source)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == forge.assemble(spec).config.data
    copied = run("skopeo", "--insecure-policy", "copy", source, f"oci:{tmp_path}/out:x")
    assert copied.returncode == 0, copied.stderr.decode()
    index = json.loads((tmp_path / "out/index.json").read_bytes())
    manifest = json.loads(blob(tmp_path / "out", index["manifests"][0]["digest"]))
    config = json.loads(blob(tmp_path / "out", manifest["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [digest(layer.content()) for layer in spec.layers]


@tool("skopeo")
@pytest.mark.parametrize("kind", ["oci-archive", "buildx-oci", "oci-dir", "dir"])
def test_skopeo_finds_our_manifest_byte_for_byte(kind: str, tmp_path: Path) -> None:
    spec = forge.build("shop")
    forge.write(spec, tmp_path / "in", kind)
    done = run("skopeo", "inspect", "--raw", f"{TRANSPORTS[kind]}:{tmp_path}/in")
    assert done.stdout == forge.assemble(spec).manifest.data, done.stderr.decode()


@tool("skopeo")
def test_skopeo_chooses_among_images_and_platforms(tmp_path: Path) -> None:
    pair = [forge.build("hello"), forge.build("mirror")]
    forge.write(pair, tmp_path / "d", "docker-archive")
    forge.write(pair, tmp_path / "p", "podman-archive")
    for name in ("d", "p"):
        for spec in pair:
            done = run("skopeo", "inspect", "--raw", "--config", f"docker-archive:{tmp_path}/{name}:{spec.names[0]}")
            assert done.stdout == forge.assemble(spec).config.data, done.stderr.decode()
    both = [
        forge.image(forge.layer(forge.file("hello", programs.hello(architecture=name), 0o755)), architecture=name)
        for name in programs.ARCHITECTURES
    ]
    forge.write(forge.index(*both, names="multi:1"), tmp_path / "multi", "oci-archive")
    for spec in both:
        done = run(
            "skopeo",
            f"--override-arch={spec.architecture}",
            "inspect",
            "--raw",
            "--config",
            f"oci-archive:{tmp_path}/multi",
        )
        assert done.stdout == forge.assemble(spec).config.data, done.stderr.decode()


PIECES = [forge.directory("d"), forge.file("d/a", b"a" * 9000), forge.symlink("d/s", "a"), forge.file("d/e")]


@tool("skopeo")
@pytest.mark.parametrize("make", [forge.estargz, forge.zstd_chunked])
def test_skopeo_decompresses_seekable_layers(make: Callable[..., forge.LayerSpec], tmp_path: Path) -> None:
    spec = forge.image(make(*PIECES), names="x:1")
    forge.write(spec, tmp_path / "in", "oci-archive")
    command = ["skopeo", "--insecure-policy", "copy", "--dest-decompress"]
    done = run(*command, f"oci-archive:{tmp_path}/in", f"dir:{tmp_path}/out")
    assert done.returncode == 0, done.stderr.decode()
    content = spec.layers[0].content()
    assert (tmp_path / "out" / digest(content).partition(":")[2]).read_bytes() == content


@root
@tool("umoci")
@pytest.mark.parametrize("landmark", [False, True])
def test_umoci_unpacks_estargz_with_its_landmark(landmark: bool, tmp_path: Path) -> None:
    spec = forge.image(forge.estargz(*PIECES, landmark=landmark), names="x:1")
    rootfs = unpack(spec, tmp_path) / "rootfs"
    assert (rootfs / "d/a").read_bytes() == b"a" * 9000
    assert sorted(path.name for path in rootfs.iterdir()) == [".no.prefetch.landmark"] * landmark + ["d"]


@tool("skopeo")
@pytest.mark.parametrize(("name", "word"), [("missing-blob", "no such file"), ("wrong-digest", "igest")])
def test_skopeo_refuses_what_is_broken_on_purpose(name: str, word: str, tmp_path: Path) -> None:
    forge.write(forge.build(name), tmp_path / "in", "oci-archive")
    done = run("skopeo", "--insecure-policy", "copy", f"oci-archive:{tmp_path}/in", f"dir:{tmp_path}/out")
    assert done.returncode != 0 and word in done.stderr.decode()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(folder: Path, name: str) -> bytes:
    return (folder / "blobs" / name.replace(":", "/")).read_bytes()


def unpack(spec: forge.ImageSpec, folder: Path, compression: str = "") -> Path:
    forge.write(spec, folder / "layout", "oci-dir", compression=compression)
    done = run("umoci", "unpack", "--image", f"{folder}/layout:{tag(spec)}", folder / "bundle")
    assert done.returncode == 0, done.stderr.decode()
    return folder / "bundle"


@root
@tool("umoci")
@pytest.mark.parametrize("compression", ["none", "gzip", "gzip-members", "gzip-stored"])
@pytest.mark.parametrize("name", forge.GOOD)
def test_umoci_unpacks_every_good_image(name: str, compression: str, tmp_path: Path) -> None:
    assert any((unpack(forge.build(name), tmp_path, compression) / "rootfs").iterdir())


@root
@tool("umoci")
def test_umoci_sees_the_tree_that_shop_promises(tmp_path: Path) -> None:
    rootfs = unpack(forge.build("shop"), tmp_path) / "rootfs"
    assert not (rootfs / "srv/shop/.env").exists()
    assert sorted(path.name for path in (rootfs / "var/cache/packages").iterdir()) == [".keep"]
    logo, twin = (rootfs / "srv/shop/static" / name for name in ("logo.bin", "favicon.bin"))
    assert logo.read_bytes() == noise("logo", 200_000)
    assert logo.stat().st_ino == twin.stat().st_ino and logo.stat().st_uid == 999
    assert stat.S_IMODE((rootfs / "tmp").stat().st_mode) == 0o1777
    assert os.readlink(rootfs / "usr/bin") == "../bin"
    assert int((rootfs / "bin/sh").stat().st_mtime) == forge.MTIME


@root
@tool("umoci")
def test_umoci_sees_every_animal_of_the_zoo(tmp_path: Path) -> None:
    rootfs = unpack(forge.build("zoo"), tmp_path) / "rootfs"
    null = (rootfs / "dev/null").lstat()
    assert stat.S_ISCHR(null.st_mode) and (os.major(null.st_rdev), os.minor(null.st_rdev)) == (1, 3)
    assert stat.S_ISBLK((rootfs / "dev/loop9").lstat().st_mode) and stat.S_ISFIFO((rootfs / "pipe").lstat().st_mode)
    image = (rootfs / "sparse.img").read_bytes()
    assert len(image) == 1 << 20 and image[4096:].startswith(b"in the middle of nothing\0")
    assert os.getxattr(rootfs / "tagged", "user.colour") == b"blue"
    assert len(os.getxattr(rootfs / "bin/caps", "security.capability")) == 20
    assert os.path.exists(os.fsencode(rootfs) + b"/latin1-\xe9")
    assert (rootfs / "big-uid").stat().st_uid == 3_000_000
    assert stat.S_IMODE((rootfs / "bin/setuid").stat().st_mode) == 0o4755


def start(runtime: str, bundle: Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
    path = bundle / "config.json"
    config = json.loads(path.read_bytes())
    config["process"]["terminal"] = False
    config["linux"].pop("resources", None)  # crun raises a limit for them, which not every root may
    path.write_text(json.dumps(config))
    name = f"forge-{os.getpid()}-{uuid.uuid4().hex[:12]}"
    command = [runtime, "--root", f"{folder}/state", "run", "-b", str(bundle), name]
    if runtime == "crun":  # it wants a pure cgroup v2 tree: a private mount namespace can offer one
        command = ["unshare", "-m", "sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"', "sh", *command]
    done = run(*command)
    if done.returncode != 0 and (b"cgroup" in done.stderr or b"namespace" in done.stderr):
        pytest.skip(f"{runtime} cannot start containers here: {done.stderr.decode()[-200:]}")
    return done


@root
@tool("umoci")
@pytest.mark.root
@pytest.mark.parametrize(
    "runtime", [pytest.param("runc", marks=tool("runc")), pytest.param("crun", marks=tool("crun"))]
)
class TestRuntimes:
    def test_hello_runs(self, runtime: str, tmp_path: Path) -> None:
        done = start(runtime, unpack(forge.build("hello"), tmp_path), tmp_path)
        assert (done.returncode, done.stdout) == (0, b"hello from a tarball\n"), done.stderr.decode()

    def test_shop_becomes_its_server(self, runtime: str, tmp_path: Path) -> None:
        done = start(runtime, unpack(forge.build("shop"), tmp_path), tmp_path)
        lines = done.stdout.decode().splitlines()
        assert done.returncode == 0, done.stderr.decode()
        assert [line for line in lines if line.startswith("argv=")] == [
            "argv=/srv/shop/bin/serve",
            "argv=--port",
            "argv=8080",
        ]
        assert {"uid=999", "gid=999", "groups=998", "pid=1", "cwd=/srv/shop", "exe=/srv/shop/bin/serve"} <= set(lines)
        assert {"env=SHOP_PORT=8080", "env=HOME=/srv/shop"} <= set(lines)

    def test_mirror_keeps_odd_arguments(self, runtime: str, tmp_path: Path) -> None:
        done = start(runtime, unpack(forge.build("mirror"), tmp_path), tmp_path)
        lines = done.stdout.decode().splitlines()
        assert lines[:4] == ["argv=mirror", "argv=two words", "argv=", "argv=last"], done.stderr.decode()
        assert {"uid=1000", "gid=1000", "groups=20 29", "cwd=/home/guest", "exe=/bin/mirror"} <= set(lines)
        assert {"env=GREETING=hello there", "env=EMPTY="} <= set(lines)

    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("broken-entrypoint", "o such file or directory"),
            ("no-interpreter", "o such file or directory"),
            ("no-exec-bit", "ermission denied"),
            ("no-shebang", "xec format error"),
            ("wrong-architecture", "xec format error"),
            ("no-loader", "o such file or directory"),
            ("entrypoint-deleted", "o such file or directory"),
            ("shell-string", "o such file or directory"),
            ("lost-path", "ello"),
        ],
    )
    def test_broken_starts_fail_for_the_promised_reason(
        self, runtime: str, name: str, word: str, tmp_path: Path
    ) -> None:
        done = start(runtime, unpack(forge.build(name), tmp_path), tmp_path)
        assert done.returncode != 0
        assert word in done.stderr.decode() + done.stdout.decode()


@root
@tool("umoci")
def test_umoci_cannot_find_the_unknown_user(tmp_path: Path) -> None:
    spec = forge.build("unknown-user")
    forge.write(spec, tmp_path / "layout", "oci-dir")
    done = run("umoci", "unpack", "--image", f"{tmp_path}/layout:1", tmp_path / "bundle")
    assert done.returncode != 0 and b"user" in done.stderr


@root
@tool("umoci")
@pytest.mark.parametrize("name", ["git-archive", "missing-blob", "wrong-digest", "wrong-diff-id"])
def test_umoci_refuses_broken_layers(name: str, tmp_path: Path) -> None:
    spec = forge.build(name)
    forge.write(spec, tmp_path / "layout", "oci-dir")
    done = run("umoci", "unpack", "--image", f"{tmp_path}/layout:1", tmp_path / "bundle")
    assert done.returncode != 0, done.stdout.decode()


@tool("bsdtar")
# bsdtar escapes the odd names of the two others in its own way.
@pytest.mark.parametrize("name", sorted({*forge.NAMES} - {"control-characters", "zoo"}))
def test_bsdtar_lists_the_same_members_as_we_wrote(name: str, tmp_path: Path) -> None:
    for index, layer in enumerate(forge.build(name).layers):
        path = tmp_path / f"{index}.tar"
        path.write_bytes(layer.content())
        done = run("bsdtar", "-tf", path)
        assert done.returncode == 0, done.stderr.decode()
        listed = [line.rstrip("/") for line in done.stdout.decode().splitlines()]
        written = [entry.path.decode().rstrip("/") for entry in layer.entries if entry.kind != "pax-global"]
        assert listed == written


@tool("tar")
@pytest.mark.parametrize("kind", [kind for kind in forge.KINDS if kind not in {*forge.FOLDER_KINDS, "layer"}])
def test_gnu_tar_and_bsdtar_read_every_kind(kind: str, tmp_path: Path) -> None:
    path = forge.write(forge.build("hello"), tmp_path / "a", kind, outer="none")
    done = run("tar", "-tf", path)
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert done.returncode == 0 and [line.rstrip("/") for line in done.stdout.decode().splitlines()] == names
    if kind == "apko":
        assert b"lone zero block" in done.stderr
    else:
        assert done.stderr == b""


@tool("zstd")
@pytest.mark.parametrize("compression", [name for name in forge.COMPRESSIONS if name.startswith("zstd")])
def test_zstd_unpacks_our_frames(compression: str, tmp_path: Path) -> None:
    data = noise("frame", 300_000) + bytes(300_000)
    (tmp_path / "a.zst").write_bytes(forge.compress(data, compression))
    done = run("zstd", "-dc", tmp_path / "a.zst")
    assert done.returncode == 0 and done.stdout == data


@tool("gzip")
@pytest.mark.parametrize("compression", [name for name in forge.COMPRESSIONS if name.startswith("gzip")])
def test_gzip_unpacks_our_members(compression: str, tmp_path: Path) -> None:
    data = noise("member", 30_000) + bytes(30_000)
    (tmp_path / "a.gz").write_bytes(forge.compress(data, compression))
    done = run("gzip", "-dc", tmp_path / "a.gz")
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")
