"""What the base of load tools leaves to each of them."""

from __future__ import annotations

import io
from pathlib import Path

import imagepeel
from imagepeel import forge
from imagepeel.loading import reference
from imagepeel.loading.answer import STORE
from imagepeel.loading.registry import TOOLS
from imagepeel.loading.tool import LoadTool


def test_every_load_tool_says_what_its_base_leaves_to_it() -> None:
    left = {
        name
        for name, function in vars(LoadTool).items()
        if hasattr(function, "__code__") and "NotImplementedError" in function.__code__.co_names
    }
    assert left == {"judge", "judge_file", "judge_image"}
    for tool in TOOLS:
        for name in left:
            assert getattr(type(tool), name) is not getattr(LoadTool, name), f"{type(tool).__name__}.{name}"


def texts(*entries: forge.Entry) -> dict[str, str]:
    """What each tool prints about an image of one layer with these entries."""
    data = forge.to_bytes(forge.image(forge.layer(*entries), names="demo:1"), "docker-archive")
    with imagepeel.open(io.BytesIO(data)) as archive:
        return {answer.label: answer.text for answer in archive.image().loadable()}


def test_the_path_of_a_hardlink_may_hold_what_stands_between_paths() -> None:
    said = texts(forge.directory("a b"), forge.hardlink("a b/new", "a /old"))
    assert f"link {STORE}/a /old {STORE}/a b/new: no such file or directory" in said["containerd@2"]
    assert "processing tar file(no such file or directory)" in said["buildah@1.28"]


def test_a_symlink_that_cannot_be_made_is_no_hardlink() -> None:
    said = texts(forge.symlink("link x", ""))  # buildah 1.28.2 printed the sentence with the call
    assert "processing tar file(symlink  /link x: no such file or directory)" in said["buildah@1.28"]


def test_why_a_name_is_none_is_a_value() -> None:
    assert reference.parse("shop/App:1") == reference.Invalid(cause="repository name must be lowercase")
    assert reference.parse("Shop: the: name") == reference.Invalid()
    assert reference.Invalid().words == "invalid reference format"


def test_podman_6_says_that_it_copies(tmp_path: Path) -> None:
    """container-libs common/libimage/pull.go, copyFromDefault; 4.3.1 was run and has no such words."""
    path = tmp_path / "layout.tar"
    fault = forge.Fault(kind="config-missing")
    path.write_bytes(
        forge.to_bytes(forge.image(forge.layer(forge.file("a", b"x")), names="demo:1", faults=[fault]), "oci-archive")
    )
    with imagepeel.open(path) as archive:
        said = {answer.label: answer.text for answer in archive.image().loadable()}
    assert "oci-archive: parsing image configuration: open" in said["podman@4.3"]
    assert "oci-archive: unable to perform copy: parsing image configuration: open" in said["podman@6.1"]
