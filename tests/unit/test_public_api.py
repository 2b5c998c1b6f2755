"""What people import: names, signatures, and paths that read as pathlib's do on the same files of this machine."""

from __future__ import annotations

import ast
import copy
import hashlib
import inspect
import io
import itertools
import os
import pickle
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.process.spec.values import Outcome

SOURCE = Path(imagepeel.__file__)
PUBLIC = ("imagepeel", "imagepeel.forge", "imagepeel.results", "imagepeel.interop.fsspec")
Make = Callable[..., Path]

FILES = [
    forge.directory("etc"),
    forge.directory("etc/conf.d"),
    forge.file("etc/os-release", "ID=demo\n", mode=0o640, uid=3, gid=4),
    forge.file("etc/a.conf", "a\n"),
    forge.file("etc/conf.d/b.conf", "b\n"),
    forge.file("etc/conf.d/b.tar.gz", "z"),
    forge.file("etc/.hidden", "h"),
    forge.symlink("etc/link", "conf.d"),
    forge.symlink("etc/dangling", "nowhere"),
    forge.symlink("etc/file-link", "os-release"),
    forge.directory("usr"),
    forge.directory("usr/bin", mode=0o1777),
    forge.file("usr/bin/tool", "#!/bin/sh\n", mode=0o4755),
    forge.hardlink("usr/bin/twin", "usr/bin/tool"),
    forge.symlink("bin", "usr/bin"),
    forge.fifo("usr/pipe"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[imagepeel.Archive]:
    path = forge.write(forge.build("shop"), tmp_path_factory.mktemp("shop") / "shop.tar")
    with imagepeel.open(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[imagepeel.RootfsPath, Path]]:
    """The root of an image, and the same files unpacked by tarfile below a directory of this machine."""
    folder = tmp_path_factory.mktemp("both")
    layer = forge.layer(*FILES)
    archive = forge.write(forge.image(layer, names="demo:1"), folder / "demo.tar")
    root = folder / "root"
    root.mkdir()
    with imagepeel.open(archive) as opened:
        image = opened.image()
        content = image.layers[0].content
        data = content.pread(0, image.layers[0].content_size)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(root, filter="fully_trusted")
            for member in tar.getmembers()[::-1]:
                # tarfile leaves the times of links alone.
                os.utime(root / member.name, (member.mtime, member.mtime), follow_symlinks=False)
        yield image.rootfs / "/", root


# ---- names --------------------------------------------------------------------------------------------------------


def test_static_tools_see_the_names_that_python_has() -> None:
    seen: dict[str, str] = {}
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom) and line.module != "typing":
                    assert line.module is not None
                    for alias in line.names:
                        assert alias.asname == alias.name, "`as` is what makes a name public in a typed package"
                        seen[alias.name] = line.module
    assert seen == imagepeel._HOMES
    assert sorted([*seen, "__version__"]) == sorted(imagepeel.__all__) == sorted(dir(imagepeel))


def test_what_the_documentation_speaks_of_is_public() -> None:
    wanted = {"ProcessOptions", "Prediction", "Verdict", "Finding", "Findings", "Story", "Waste", "Stat", "forge"}
    assert wanted <= set(imagepeel.__all__)


def test_packages_of_the_api_load_without_an_import_of_their_own() -> None:
    code = "import imagepeel; print(imagepeel.forge.write.__name__, imagepeel.results.DiffResult.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["write", "DiffResult"]


def public_things() -> list[tuple[str, object]]:
    things: list[tuple[str, object]] = []
    for module in PUBLIC:
        loaded = __import__(module, fromlist=["_"])
        things.append((module, loaded))
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            things.append((f"{module}.{name}", thing))
            if inspect.isclass(thing):
                own = [base for base in thing.__mro__ if base.__module__.startswith("imagepeel")]
                things.extend(
                    (f"{module}.{name}.{key}", value.fget if isinstance(value, property) else value)
                    for key, value in {key: each for base in own for key, each in vars(base).items()}.items()
                    if not key.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
                )
    return things


@pytest.mark.parametrize("where,thing", public_things(), ids=lambda value: value if isinstance(value, str) else "")
def test_everything_public_has_a_docstring(where: str, thing: object) -> None:
    assert thing.__doc__, where


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in SOURCE.parent.glob("*/__init__.py")), ids=lambda p: p.name
)
def test_internal_packages_say_so(folder: Path) -> None:
    words = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    public = {name.split(".")[1] for name in PUBLIC if "." in name}
    assert ("\nInternal: " in words) == (folder.name not in public), folder.name


def test_process_names_the_fields_of_its_options() -> None:
    parameters = dict(inspect.signature(imagepeel.Image.process).parameters)
    assert list(parameters)[:2] == ["self", "options"]
    named = {name: each for name, each in parameters.items() if name not in ("self", "options")}
    fields = {field.name: field for field in msgspec.structs.fields(imagepeel.ProcessOptions)}
    assert list(named) == list(fields)
    for name, parameter in named.items():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default == fields[name].default


@pytest.mark.parametrize("name", [n for n, v in vars(imagepeel.Image).items() if inspect.isfunction(v)])
def test_no_verb_takes_options_that_it_does_not_name(name: str) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(getattr(imagepeel.Image, name)).parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


# ---- archives -----------------------------------------------------------------------------------------------------


def test_an_archive_is_asked_by_name(shop: imagepeel.Archive) -> None:
    assert len(shop) == 1 and list(shop) == shop.images()
    assert shop["shop:1.4"] is shop["#1"] is next(iter(shop)) is shop.image()
    assert "shop:1.4" in shop and "shop:2" not in shop and shop.image() in shop and None not in shop
    with pytest.raises(imagepeel.NotFound):
        shop["shop:2"]
    with pytest.raises(TypeError, match="'#1'"):
        shop[0]  # type: ignore[index]


def test_an_archive_without_images_is_still_there(tmp_path: Path) -> None:
    with imagepeel.open(forge.write(forge.image(names="empty:1"), tmp_path / "a.tar")) as archive:
        assert bool(archive) and len(archive) == 1
    plain = tmp_path / "plain.tar"
    with tarfile.open(plain, "w") as tar:
        tar.add(__file__, "some/file")
    with imagepeel.open(plain) as archive:
        assert bool(archive)
        assert len(archive) == len(archive.images()) == len(list(archive))


def test_a_file_object_opens_as_its_path_does(tmp_path: Path) -> None:
    path = forge.write(forge.build("shop"), tmp_path / "shop.tar")
    with imagepeel.open(path) as one, path.open("rb") as file, imagepeel.open(file) as two:
        assert [layer.diff_id for layer in one.image().layers] == [layer.diff_id for layer in two.image().layers]
        with imagepeel.open(io.BytesIO(path.read_bytes())) as three:
            assert three["shop:1.4"].rootfs.to_dicts() == one["shop:1.4"].rootfs.to_dicts()
    with pytest.raises(TypeError):
        imagepeel.open(5)  # type: ignore[arg-type]


def test_reading_after_close_is_said_in_words(tmp_path: Path) -> None:
    path = forge.write(forge.build("shop"), tmp_path / "shop.tar")
    with imagepeel.open(path) as archive:
        image = archive.image()
        known = image.rootfs / "etc/os-release"
    with pytest.raises(imagepeel.ImagepeelError, match="closed"):
        known.read_bytes()
    with imagepeel.open(path) as archive:
        image = archive.image()
    with pytest.raises(imagepeel.ImagepeelError, match="closed"):
        image.scan()


def test_a_file_that_is_not_there_is_a_file_not_found_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.tar")
    with pytest.raises(FileNotFoundError) as caught:
        imagepeel.open(missing)
    assert isinstance(caught.value, imagepeel.NotFound)
    with pytest.raises(FileNotFoundError) as theirs:
        Path(missing).read_bytes()
    assert (caught.value.errno, caught.value.filename) == (theirs.value.errno, theirs.value.filename)


# ---- paths, beside pathlib ----------------------------------------------------------------------------------------

NAMES = ("", "etc", "etc/link", "etc/dangling", "etc/file-link", "etc/os-release", "bin/tool", "usr/pipe", "etc/none/x",
         "etc/a.conf/x", "usr/bin", "usr/bin/twin", "bin")  # fmt: skip
QUESTIONS = ("exists", "is_dir", "is_file", "is_symlink", "is_fifo", "is_char_device", "is_block_device", "is_absolute")


@pytest.mark.parametrize("name", NAMES)
def test_questions_have_the_answers_of_pathlib(both: tuple[imagepeel.RootfsPath, Path], name: str) -> None:
    ours, theirs = both[0] / name, both[1] / name
    assert {verb: getattr(ours, verb)() for verb in QUESTIONS} == {verb: getattr(theirs, verb)() for verb in QUESTIONS}


@pytest.mark.parametrize("verb", ["stat", "lstat", "read_bytes", "read_text", "iterdir", "readlink"])
@pytest.mark.parametrize("name", NAMES)
def test_verbs_return_or_raise_what_pathlib_does(both: tuple[imagepeel.RootfsPath, Path], name: str, verb: str) -> None:
    ours, theirs = both[0] / name, both[1] / name
    if verb.startswith("read_") and theirs.is_fifo():
        with pytest.raises(imagepeel.NotFound):
            getattr(ours, verb)()
        return
    expected = answer(theirs, verb, both[1])
    found = answer(ours, verb, both[1])
    if isinstance(expected, OSError):
        assert isinstance(found, imagepeel.NotFound)
        # `OSError` itself is what Python has no class for, such as EINVAL.
        if type(expected) is not OSError:
            assert isinstance(found, type(expected))
            assert found.errno == expected.errno
    else:
        assert found == expected


def answer(path: Path | imagepeel.RootfsPath, verb: str, root: Path) -> object:
    try:
        value = getattr(path, verb)()
        if verb == "iterdir":
            return sorted(str(each).removeprefix(str(root)) for each in value)
        if verb in ("stat", "lstat"):
            owner = (value.st_uid, value.st_gid) if os.geteuid() == 0 else None
            sized = 0 if stat.S_ISDIR(value.st_mode) else value.st_size
            names = 0 if stat.S_ISDIR(value.st_mode) else value.st_nlink
            when = None if str(path).rstrip("/") in ("", str(root)) else (int(value.st_mtime), value.st_mtime_ns)
            return value.st_mode, owner, sized, names, when, value.st_rdev
        return str(value) if verb == "readlink" else value
    except (OSError, imagepeel.NotFound) as error:
        return error


def test_hardlinks_are_one_file(both: tuple[imagepeel.RootfsPath, Path]) -> None:
    for root in both:
        assert (root / "usr/bin/tool").samefile(root / "usr/bin/twin")
        assert (root / "bin/tool").samefile(root / "usr/bin/tool")
        assert not (root / "usr/bin/tool").samefile(root / "etc/a.conf")
        assert (root / "usr/bin/tool").stat().st_ino == (root / "usr/bin/twin").stat().st_ino


PATTERNS = ("*", "etc/*.conf", "**/*.conf", "etc/**/*.conf", "bin/*", "bin/tool", "etc/link/*", "*/[a-b].conf",
            "none/*",            "etc/a.conf/*", "etc/none", "etc/?.conf", "etc/link", "etc/[!a]*")  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_glob_finds_what_pathlib_finds(both: tuple[imagepeel.RootfsPath, Path], pattern: str) -> None:
    ours, root = both
    expected = sorted("/" + str(path.relative_to(root)) for path in root.glob(pattern))
    assert sorted(map(str, ours.glob(pattern))) == expected
    rootfs_glob = [str(path) for path in ours.joinpath().parent.glob(pattern)]
    assert sorted(rootfs_glob) == expected
    below = sorted("/" + str(path.relative_to(root)) for path in (root / "etc").rglob(pattern.rpartition("/")[2]))
    assert sorted(map(str, (ours / "etc").rglob(pattern.rpartition("/")[2]))) == below


PURE = ("/", "/a", "/a/b.tar.gz", "/a/.profile", "/a/b.", "/a//b/./c", "/a/../b", "/x/..hidden.txt", "/etc/os-release")


@pytest.mark.parametrize("path", PURE)
def test_parts_of_a_path_are_those_of_pathlib(both: tuple[imagepeel.RootfsPath, Path], path: str) -> None:
    ours, theirs = both[0] / path, PurePosixPath(path)
    for name in ("name", "stem", "suffix", "suffixes", "parts"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert (str(ours), ours.as_posix()) == (str(theirs), theirs.as_posix())
    assert str(ours.parent) == str(theirs.parent)
    assert [str(each) for each in ours.parents] == [str(each) for each in theirs.parents]


@pytest.mark.parametrize("path", PURE)
@pytest.mark.parametrize(
    "verb,argument",
    [
        ("with_suffix", ".txt"), ("with_suffix", ""), ("with_suffix", "txt"), ("with_suffix", "."),
        ("with_name", "new"), ("with_name", ""), ("with_name", "a/b"), ("with_stem", "new"),
        ("relative_to", "/a"), ("relative_to", "/"), ("relative_to", "/other"), ("is_relative_to", "/a"),
        ("joinpath", "more"), ("joinpath", "/absolute"), ("match", "*.gz"), ("match", "a/*"), ("match", "/a/*"),
    ],
)  # fmt: skip
def test_changes_of_a_path_are_those_of_pathlib(
    both: tuple[imagepeel.RootfsPath, Path], path: str, verb: str, argument: str
) -> None:
    def change(value: imagepeel.RootfsPath | PurePosixPath) -> object:
        try:
            changed = getattr(value, verb)(argument)
        except ValueError:
            return ValueError
        return changed if isinstance(changed, bool) else str(changed)

    assert change(both[0] / path) == change(PurePosixPath(path))


def test_a_relative_path_leads_back(both: tuple[imagepeel.RootfsPath, Path]) -> None:
    root = both[0]
    path = root / "etc" / "conf.d" / "b.conf"
    way = path.relative_to(root / "etc")
    assert way == PurePosixPath("conf.d/b.conf")
    assert root / "etc" / way == path and path.is_relative_to("/etc") and not path.is_relative_to("/et")
    odd = root / b"etc/\xff"
    assert os.fsencode(str(odd)) == b"/etc/\xff" and root / odd.relative_to(root) == odd


def test_an_image_is_read_only(both: tuple[imagepeel.RootfsPath, Path]) -> None:
    with pytest.raises(imagepeel.UsageError):
        (both[0] / "etc/os-release").open("w")
    assert not hasattr(both[0], "__fspath__")


def test_rows_for_data_frames(both: tuple[imagepeel.RootfsPath, Path]) -> None:
    ours, root = both
    rows = {row["path"]: row for row in ours.to_dicts(recursive=True)}
    walked = [Path(top) / name for top, dirs, files in os.walk(root) for name in (*dirs, *files)]
    assert sorted(rows) == sorted("/" + str(path.relative_to(root)) for path in walked)
    for path in walked:
        row, real = rows["/" + str(path.relative_to(root))], path.lstat()
        assert row["mode"] == f"{stat.S_IMODE(real.st_mode) if not path.is_symlink() else 0o777:04o}"
        assert row["mtime"] == datetime.fromtimestamp(real.st_mtime, UTC)
        assert (row["layer"], row["label"]) == (0, "L1")
        assert row["target"] == (os.readlink(path) if path.is_symlink() else "")
    direct = [row["path"] for row in ours.to_dicts()]
    assert direct == sorted("/" + path.name for path in root.iterdir())
    assert [row["path"] for row in (ours / "bin").to_dicts(recursive=True)] == ["/bin/tool", "/bin/twin"]
    with pytest.raises(NotADirectoryError):
        (ours / "etc/os-release").to_dicts(recursive=True)


# ---- one layer ----------------------------------------------------------------------------------------------------


def test_a_path_of_one_layer_is_what_its_tar_says(shop: imagepeel.Archive) -> None:
    image = shop.image()
    seen = 0
    for layer in image.layers:
        data = layer.content.pread(0, layer.content_size)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                path, name = layer / member.name, os.path.basename(member.name)
                if name.startswith(".wh."):
                    assert not path.exists() and not (path.parent / name.removeprefix(".wh.")).exists()
                    continue
                assert path.exists(follow_symlinks=False), (layer, member.name)
                where = path.lstat().where
                assert where.layer == layer.index
                if member.isreg():
                    file = tar.extractfile(member)
                    assert file is not None and path.read_bytes() == file.read()
                    assert where.layer_offset == member.offset
                    seen += 1
    assert seen > 5


def test_a_removed_file_is_read_from_the_layer_that_ships_it(shop: imagepeel.Archive) -> None:
    image = shop["shop:1.4"]
    assert not (image.rootfs / "srv/shop/.env").exists()
    having = [layer for layer in image.layers if (layer / "srv/shop/.env").exists()]
    assert [layer.label for layer in having] == ["L4"]
    assert b"PASSWORD" in (having[0] / "srv/shop/.env").read_bytes()
    with pytest.raises(FileNotFoundError):
        (image.layers[0] / "srv/shop/.env").read_bytes()
    with pytest.raises(TypeError, match="layer / path"):
        image.layers[3].open("/srv/shop/.env")  # type: ignore[arg-type]
    assert isinstance(image.layers[0], imagepeel.Layer)


def test_a_layer_that_cannot_be_unpacked_alone_shows_the_rest(tmp_path: Path) -> None:
    first = forge.layer(forge.file("a", "one"))
    second = forge.layer(forge.hardlink("b", "a"), forge.file("c", "three"), forge.whiteout("a"))
    with imagepeel.open(forge.write(forge.image(first, second, names="x:1"), tmp_path / "x.tar")) as archive:
        layer = archive.image().layers[1]
        assert [str(path) for path in layer.rootfs.glob("*")] == ["/c"]
        assert (layer / "c").read_text() == "three"


def test_a_layer_that_is_not_there_says_so(tmp_path: Path) -> None:
    gone = forge.layer(forge.file("a", "1"), missing=True)
    with imagepeel.open(forge.write(forge.image(gone, names="x:1"), tmp_path / "x.tar", kind="oci-archive")) as archive:
        layer = archive.image().layers[0]
        with pytest.raises(imagepeel.MissingBlob):
            layer / "etc"


def test_images_with_views_of_layers_can_be_copied(shop: imagepeel.Archive) -> None:
    image = shop.image()
    (image.layers[3] / "srv").exists()
    assert copy.copy(image).layers == image.layers


# ---- verbs --------------------------------------------------------------------------------------------------------


def test_trace_tells_the_life_of_a_path(shop: imagepeel.Archive) -> None:
    image = shop.image()
    life = image.trace("srv/shop/.env", receipts=True).lives[-1]
    assert [(event.kind, event.label) for event in life.events] == [("added", "L4"), ("removed", "L5")]
    assert all(event.receipt is not None for event in life.events)
    with pytest.raises(FileNotFoundError):
        image.trace("/no/such/path")
    with pytest.raises(imagepeel.UsageError):
        image.trace("/etc", view="none")


def test_diff_names_what_differs(tmp_path: Path) -> None:
    base = forge.layer(forge.file("same", "1"), forge.file("old", "1"), forge.file("text", "one\n"))
    top = forge.layer(forge.file("new", "2"), forge.whiteout("old"), forge.file("text", "two\n"))
    one = forge.write(forge.image(base, names="x:1"), tmp_path / "one.tar")
    two = forge.write(forge.image(base, top, names="x:2"), tmp_path / "two.tar")
    with imagepeel.open(one) as a, imagepeel.open(two) as b:
        found = a.image().diff(b.image(), texts=True)
        assert {(row.path, row.kind) for row in found.paths} == {
            ("/new", "added"),
            ("/old", "removed"),
            ("/text", "changed"),
        }
        lines = next(row.text for row in found.paths if row.path == "/text")
        assert lines is not None and {"-one", "+two"} <= set(lines)
        assert found.different and not a.image().diff(a.image()).different
        assert [row.path for row in b.image().diff(a.image(), "/new").paths] == ["/new"]


def test_du_adds_up(shop: imagepeel.Archive) -> None:
    image = shop.image()
    found = image.du("usr", depth=2)
    walked = [node.size for _, node in image.rootfs.walk("/usr") if node.kind == "file" and node.nlink == 1]
    assert found.path == "/usr" and found.total.stored == sum(walked)
    assert image.du(files=3).largest[0].stored == max(row["size"] for row in image.rootfs.to_dicts(recursive=True))


def test_views_say_where_engines_disagree(shop: imagepeel.Archive, forge_archive: Make) -> None:
    assert shop.image().views().agree
    found = shop.image().views(["runtime", "podman"])
    assert found.views == ("runtime", "podman")


def test_dockerfile_is_text_and_masks(shop: imagepeel.Archive) -> None:
    words = str(shop.image().dockerfile())
    assert "RUN rm .env" in words.splitlines() and 'ENTRYPOINT ["entrypoint.sh"]' in words.splitlines()
    secret = forge.image(forge.layer(), names="s:1", env=["API_TOKEN=abcdefghijklmnop1234"])
    with imagepeel.open(io.BytesIO(forge.to_bytes(secret))) as archive:
        image = archive.image()
        assert "abcdefghijklmnop1234" not in str(image.dockerfile())


def test_extract_and_flatten_write_the_same_files(shop: imagepeel.Archive, tmp_path: Path) -> None:
    image = shop.image()
    report = image.extract(tmp_path / "out")
    flat = image.flatten(tmp_path / "flat.tar")
    assert flat.sha256 == hashlib.sha256((tmp_path / "flat.tar").read_bytes()).hexdigest()
    buffer = io.BytesIO()
    assert image.flatten(buffer).sha256 == flat.sha256 and buffer.getvalue() == (tmp_path / "flat.tar").read_bytes()
    with tarfile.open(tmp_path / "flat.tar") as tar:
        for member in tar:
            if member.isreg():
                file = tar.extractfile(member)
                assert file is not None and (tmp_path / "out" / member.name).read_bytes() == file.read()
    assert report.files == sum(path.is_file() and not path.is_symlink() for path in (tmp_path / "out").rglob("*")) - (
        report.hardlinks
    )
    with pytest.raises(imagepeel.UsageError):
        image.extract(tmp_path / "out")


def test_process_takes_names_or_one_value(shop: imagepeel.Archive) -> None:
    image = shop.image()
    named = image.process(engine="podman", args=["--help"], user="0:0")
    one = image.process(imagepeel.ProcessOptions(engine="podman", args=("--help",), user="0:0"))
    assert named == one and named.argv[-1] == "--help" and named.user.uid == 0
    assert image.process(args="sh").argv[-1] == "sh"
    with pytest.raises(imagepeel.UsageError):
        image.process(imagepeel.ProcessOptions(), engine="podman")
    with pytest.raises(TypeError):
        image.process(engin="podman")  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", list(Outcome))
def test_only_a_start_that_succeeds_is_true(kind: Outcome) -> None:
    assert bool(imagepeel.Verdict(kind=kind)) is (kind == "RUNS")


def test_the_story_prints_itself(shop: imagepeel.Archive) -> None:
    image = shop.image()
    words = str(image.explain())
    assert "\x1b" not in words
    plain = " ".join(words.split())
    for chapter in image.explain().chapters:
        assert chapter.title in plain
    assert str(image.operators_manual()) == str(image.operations())
    assert image.layers[0].digest is not None and "shop:1.4" in plain


def test_errors_survive_pickling() -> None:
    for kind in (imagepeel.PathNotFound, imagepeel.NotADirectory, imagepeel.IsADirectory, imagepeel.NotFound):
        error = kind("what", imagepeel.Location(path="/x"), "hint")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.what, again.where, again.hint, str(again)) == (
            kind, "what", error.where, "hint", "what (path /x)",
        )  # fmt: skip
        assert getattr(again, "errno", None) == getattr(error, "errno", None)


def test_paths_sort_by_bytes(both: tuple[imagepeel.RootfsPath, Path]) -> None:
    root = both[0]
    paths = sorted([root / "b", root / "a/b", root / "a"])
    assert all(os.fsencode(str(a)) < os.fsencode(str(b)) for a, b in itertools.pairwise(paths))
