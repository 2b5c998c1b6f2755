"""ls, tree and cat against GNU tar and against what was forged."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Run = Callable[..., Any]
Make = Callable[..., Path]
LISTED = re.compile(r"^(.{10}) +(\S+) +(\d+) +(\d+) +(\d+(?:, \d+)?) +(\S+ \S+) +(L\d+|-) +(.*)$")
TARRED = re.compile(r"^(.{10}) (\d+)/(\d+) +(\d+(?:,\d+)?) (\S+ \S+) (.*)$")


def layer_tar(path: Path, number: int, tmp_path: Path) -> Path:
    """The tar of one layer of a docker-archive, taken out by GNU tar alone."""
    manifest = json.loads(
        subprocess.run(["tar", "-xOf", path, "manifest.json"], capture_output=True, check=True).stdout
    )
    member = manifest[0]["Layers"][number - 1]
    out = tmp_path / f"layer{number}.tar"
    out.write_bytes(subprocess.run(["tar", "-xOf", path, member], capture_output=True, check=True).stdout)
    return out


def tar_listing(layer: Path) -> list[tuple[str, ...]]:
    """(mode, uid, gid, size or device, minute, path, target) of each member as GNU tar sees it."""
    env = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    words = ["tar", "--numeric-owner", "--quoting-style=literal", "-tvf", str(layer)]
    out = subprocess.run(words, capture_output=True, check=True, env=env).stdout.decode("utf-8", "backslashreplace")
    rows = []
    for line in out.splitlines():
        found = TARRED.match(line)
        assert found, line
        mode, uid, gid, size, when, rest = found.groups()
        name, arrow, target = rest.partition(" -> ")
        if not arrow:
            name, arrow, target = rest.partition(" link to ")
        rows.append((mode, uid, gid, size.replace(",", ", "), when, "/" + name.strip("/"), target))
    return rows


def our_listing(stdout: str) -> list[tuple[str, ...]]:
    rows = []
    for line in stdout.splitlines():
        found = LISTED.match(line)
        assert found, line
        mode, _, uid, gid, size, when, _, rest = found.groups()
        name, arrow, target = rest.partition(" -> ")
        if not arrow:
            name, arrow, target = rest.partition(" link to ")
        rows.append((mode, uid, gid, size, when, name, target))
    return rows


@pytest.mark.judge
@pytest.mark.parametrize(("image", "layers"), [("shop", 8), ("zoo", 1), ("mirror", 1)])
def test_a_layer_is_listed_as_gnu_tar_lists_it(image: str, layers: int, run_cli: Run, forge_archive: Make,
                                               tmp_path: Path) -> None:  # fmt: skip
    path = forge_archive(image)
    for number in range(1, layers + 1):
        ours = run_cli("ls", "-lR", "--layer", number, path).stdout
        lines = [line for line in ours.splitlines() if "[" not in line]
        theirs = [row for row in tar_listing(layer_tar(path, number, tmp_path)) if "/.wh." not in row[5]]
        assert our_listing("\n".join(lines)) == [row for row in theirs if row[5] != "/"]
        assert len(ours.splitlines()) - len(lines) == len(tar_listing(layer_tar(path, number, tmp_path))) - len(theirs)


def test_the_merged_tree_of_shop_is_what_its_steps_say(run_cli: Run, forge_archive: Make) -> None:
    names = run_cli("ls", "-R", forge_archive("shop")).stdout.splitlines()
    assert "/srv/shop/bin/serve" in names
    assert "/srv/shop/.env" not in names
    assert "/var/cache/packages/.keep" in names
    assert [name for name in names if name.startswith("/var/cache/packages/")] == ["/var/cache/packages/.keep"]
    assert names == sorted(names, key=lambda name: name.split("/"))


def test_long_lines_name_the_layer_that_gives_each_file(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("ls", "-l", forge_archive("shop"), "/etc").stdout
    origin = {line.split()[-1]: line.split()[-2] for line in out.splitlines()}
    assert origin == {"os-release": "L1", "passwd": "L2", "group": "L2"}


def test_a_whiteout_is_told_in_words(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    assert run_cli("ls", "--layer", "L5", path, "/srv/shop").stdout == ".env  [removed by L5: a whiteout]\n"
    assert "removed by L5" in run_cli("tree", "--layer", "5", path).stdout
    raw = run_cli("ls", "-0R", "--layer", "5", path).stdout_bytes
    assert raw.split(b"\0")[-2] == b"srv/shop/.wh..env"


def test_an_opaque_whiteout_is_told_in_words(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(forge.file("data/old", "1")),
        forge.layer(forge.directory("data"), forge.opaque("data"), forge.file("data/new", "2")),
        names="opaque:1",
    )
    path = forge.write(spec, tmp_path / "opaque.tar")
    assert "hides what lower layers have" in run_cli("ls", "--layer", "2", path, "/data").stdout
    drawn = run_cli("tree", "--layer", "2", path).stdout.splitlines()
    assert drawn[2].startswith("    ├── *  [L2 hides what lower layers have in here")
    assert run_cli("ls", path, "/data").stdout == "new\n"
    lines = [json.loads(line) for line in run_cli("ls", "-R", "--json", "--layer", "2", path).stdout.splitlines()]
    hide = next(line for line in lines if line.get("action") == "hide")
    assert (hide["path"], hide["raw_name"]) == ("/data", "data/.wh..wh..opq")


def test_a_layer_marks_directories_that_only_their_content_shows(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("ls", "-l", "--layer", "1", forge_archive("zoo"), "/").stdout
    implied = [line for line in out.splitlines() if "[implied" in line]
    assert len(implied) == 1 and "a-directory-with-a-rather-long-name" in implied[0]


def test_a_directory_that_no_entry_describes_is_marked(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("ls", "-l", forge_archive("zoo")).stdout
    line = next(line for line in out.splitlines() if "a-directory" in line)
    assert "[implied: no tar entry describes it]" in line
    assert "when unpacked" in line


def test_a_ghost_is_marked_and_cannot_be_read(run_cli: Run, tmp_path: Path) -> None:
    # A 0:0 device is what overlayfs takes for a whiteout: in a directory of one layer the name still shows.
    spec = forge.image(forge.layer(forge.directory("d"), forge.device("d/gone", 0, 0)), names="ghost:1")
    path = forge.write(spec, tmp_path / "ghost.tar")
    assert "gone  [ghost: listed, but it cannot be opened]" in run_cli("ls", path, "/d").stdout
    assert run_cli("ls", "-l", path, "/d").stdout.startswith("??????????")
    assert run_cli("cat", path, "/d/gone").exit_code == 14


def test_a_symlink_to_a_directory_is_followed_inside_the_image(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(
            forge.file("real/inside", "x"), forge.symlink("link", "/real"), forge.symlink("out", "/etc/hostname")
        ),
        names="link:1",
    )
    path = forge.write(spec, tmp_path / "link.tar")
    assert run_cli("ls", path, "/link").stdout == "inside\n"
    assert run_cli("ls", "-R", path, "link/").stdout == "/real/inside\n"
    dangling = run_cli("ls", "-l", path, "/out")
    assert dangling.stdout.endswith("out -> /etc/hostname\n")
    assert run_cli("cat", path, "/out").exit_code == 14


def test_paths_need_no_leading_slash_and_dots_stay_inside(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    plain = run_cli("ls", path, "/etc").stdout
    assert run_cli("ls", path, "etc").stdout == plain
    assert run_cli("ls", path, "../../etc/../etc/.").stdout == plain
    assert run_cli("ls", path, "/README").stdout == "README\n"


def test_null_listing_gives_exact_bytes(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("zoo")
    names = run_cli("ls", "-0R", path).stdout_bytes.split(b"\0")
    assert b"/latin1-\xe9" in names
    assert names[-1] == b""
    assert "latin1-\\xe9" in run_cli("ls", path).stdout


def test_human_sizes(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("ls", "-lh", forge_archive("shop"), "/srv/shop").stdout
    assert re.search(r"\b300 kB .*catalog\.bin", out)
    assert re.search(r"\b11\.6 kB .*index\.html", out)


def test_content_labels_are_only_words(run_cli: Run, forge_archive: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagepeel.interop.magic_label.libmagic", lambda: None)
    monkeypatch.setattr("imagepeel.interop.magic_label._label.cache_clear", lambda: None, raising=False)
    from imagepeel.interop import magic_label

    magic_label._label.cache_clear()
    out = run_cli("ls", "--kind", forge_archive("shop"), "/usr/local/bin").stdout
    assert out == "entrypoint.sh  script for /bin/sh\n"
    magic_label._label.cache_clear()


# ---- tree -------------------------------------------------------------------------------------------------------


def test_the_tree_draws_what_ls_lists(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    drawn = run_cli("tree", path).stdout.splitlines()
    names = [re.sub(r"^[│├└─ ]*", "", line).split("  ")[0].split(" -> ")[0] for line in drawn[1:-2]]
    assert names == [line.rpartition("/")[2] for line in run_cli("ls", "-R", path).stdout.splitlines()]
    assert drawn[0] == "/"
    assert drawn[-1] == "14 directories, 13 other names"


def test_tree_depth_and_directories(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    assert run_cli("tree", "--depth", "1", "--dirs", path).stdout.splitlines() == [
        "/", "├── bin", "├── etc", "├── root", "├── srv", "├── tmp", "├── usr", "└── var", "",
        "7 directories, 0 other names",
    ]  # fmt: skip
    deep = run_cli("tree", "--depth", "2", path, "/srv").stdout.splitlines()
    assert deep[:3] == ["/srv", "└── shop", "    ├── bin"]
    assert not any("serve" in line for line in deep)


def test_tree_of_a_file_is_an_error_with_its_place(run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("tree", forge_archive("shop"), "/README")
    assert result.exit_code == 14
    assert "not a directory" in result.stderr


def test_the_tree_is_drawn_with_ascii_where_the_encoding_is_small(forge_archive: Make) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "imagepeel", "tree", str(forge_archive("zoo"))], capture_output=True, env=env, check=True
    )
    assert b"|-- caf" in done.stdout
    assert done.stdout.isascii()


# ---- cat --------------------------------------------------------------------------------------------------------


@pytest.mark.judge
def test_cat_writes_the_bytes_that_tar_writes(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    path = forge_archive("shop")
    layer = layer_tar(path, 4, tmp_path)
    for name in ("srv/shop/catalog.bin", "srv/shop/.env", "srv/shop/index.html"):
        theirs = subprocess.run(["tar", "-xOf", layer, name], capture_output=True, check=True).stdout
        assert run_cli("cat", "--layer", "4", path, "/" + name).stdout_bytes == theirs
    merged = subprocess.run(["tar", "-xOf", layer_tar(path, 6, tmp_path), "srv/shop/catalog.bin"],
                            capture_output=True, check=True).stdout  # fmt: skip
    assert run_cli("cat", path, "/srv/shop/catalog.bin").stdout_bytes == merged


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_cat_is_binary_clean_and_streams(run_cli: Run, tmp_path: Path, compression: str) -> None:
    content = hashlib.shake_256(b"seed").digest(5_000_000) + b"\r\n\0\x1b[31m\xff"
    spec = forge.image(forge.layer(forge.file("blob", content)), names="blob:1")
    path = forge.write(spec, tmp_path / "blob.tar", kind="oci-archive", compression=compression)
    assert run_cli("cat", path, "/blob").stdout_bytes == content


def test_cat_follows_links_inside_the_image_only(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("of the host")
    spec = forge.image(
        forge.layer(
            forge.file("usr/bin/tool", "of the image"),
            forge.symlink("bin", "usr/bin"),
            forge.symlink("absolute", "/usr/bin/tool"),
            forge.symlink("escape", "../../../../usr/bin/tool"),
            forge.symlink("host", str(tmp_path / "host")),
            forge.hardlink("twin", "usr/bin/tool"),
        ),
        names="links:1",
    )
    path = forge.write(spec, tmp_path / "links.tar")
    for name in ("/bin/tool", "/absolute", "/escape", "/twin"):
        assert run_cli("cat", path, name).stdout == "of the image"
    assert run_cli("cat", "--layer", "1", path, "/twin").stdout == "of the image"
    assert run_cli("cat", "--layer", "1", path, "/bin/tool").stdout == "of the image"
    assert run_cli("cat", path, "/host").exit_code == 14
    link = run_cli("cat", "--layer", "1", path, "/absolute")
    assert link.exit_code == 14 and "symlink to /usr/bin/tool" in link.stderr


def test_cat_names_the_layer_that_still_ships_a_removed_file(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    result = run_cli("cat", path, "/srv/shop/.env")
    assert result.exit_code == 14 and result.stdout == ""
    assert "run the same command with --layer 4" in result.stderr
    assert "SHOP_DB_PASSWORD=" in run_cli("cat", path, "/srv/shop/.env", "--layer", "4").stdout


def test_cat_says_the_same_when_a_parent_was_removed(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(forge.file("a/b/secret", "s")), forge.layer(forge.whiteout("a")), forge.layer(forge.file("z", "")),
        names="gone:1",
    )  # fmt: skip
    path = forge.write(spec, tmp_path / "gone.tar")
    result = run_cli("cat", path, "/a/b/secret")
    assert "removed by layer L2" in result.stderr and "--layer 1" in result.stderr


def test_cat_takes_the_last_of_repeated_entries_and_hardlinks_their_own(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(
            forge.file("name", "first"),
            forge.hardlink("linked", "name"),
            forge.file("name", "second"),
        ),
        names="twice:1",
    )
    path = forge.write(spec, tmp_path / "twice.tar")
    assert run_cli("cat", "--layer", "1", path, "/name").stdout == "second"
    assert run_cli("cat", "--layer", "1", path, "/linked").stdout == "first"
    assert run_cli("cat", path, "/linked", "/name").stdout == "firstsecond"


def test_cat_of_what_has_no_content_is_an_error(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("zoo")
    for name in ("/bin", "/dev/null", "/pipe"):
        result = run_cli("cat", path, name)
        assert result.exit_code == 14, name
        assert result.stdout == ""


def test_cat_of_a_sparse_file_fills_its_holes(run_cli: Run, forge_archive: Make) -> None:
    content = run_cli("cat", forge_archive("zoo"), "/sparse.img").stdout_bytes
    assert len(content) == 1 << 20
    assert content.strip(b"\0") == b"in the middle of nothing"
    assert content.index(b"in the middle") == 4096
