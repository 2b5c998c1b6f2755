"""`imagepeel start` from the command line and from Python: images by name, what is unknown, and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge

Run = Callable[..., Any]

POD = """apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: web
    image: IMAGE
    args: [serve]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return forge.write(forge.build("shop"), tmp_path / "shop.tar")


def pod(tmp_path: Path, image: str, more: str = "") -> Path:
    file = tmp_path / "pod.yaml"
    file.write_text(POD.replace("IMAGE", image) + more)
    return file


def starts(run_cli: Run, *words: object, exit_code: int = 0) -> list[dict[str, Any]]:
    done = run_cli("start", *words, "--json")
    assert done.exit_code == exit_code, done.stderr
    return json.loads(done.stdout)["result"]["starts"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("image", ["shop:1.4", "docker.io/library/shop:1.4", "docker.io/shop:1.4"])
def test_an_image_is_found_by_its_own_name(image: str, run_cli: Run, shop: Path, tmp_path: Path) -> None:
    (start,) = starts(run_cli, "--pod", pod(tmp_path, image), "--image", shop)
    assert start["verdict"]["kind"] == "RUNS"
    assert (start["archive"], start["number"]) == (str(shop), 1)


def test_a_name_of_the_deployment_wins(run_cli: Run, shop: Path, tmp_path: Path) -> None:
    file = pod(tmp_path, "registry.example/other:9")
    for name in ("web", "registry.example/other:9"):
        (start,) = starts(run_cli, "--pod", file, "--image", f"{name}={shop}")
        assert start["verdict"]["kind"] == "RUNS"


@pytest.mark.parametrize("image", ["registry.example/shop:1.4", "shop:1.5", "shop", "app:1.4"])
def test_an_image_that_was_not_given_is_unknown_with_its_name(
    image: str, run_cli: Run, shop: Path, tmp_path: Path
) -> None:
    (start,) = starts(run_cli, "--pod", pod(tmp_path, image), "--image", shop)
    assert (start["verdict"]["kind"], start["verdict"]["reason"]) == ("UNKNOWN", f"the image {image} was not given")


def test_a_folder_and_an_archive_with_many(run_cli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    pair = [forge.image(forge.layer(forge.file("bin/x", name)), names=f"{name}:1", cmd=["/bin/x"]) for name in "ab"]
    forge.write(pair, folder / "two.tar")
    forge.write(forge.build("shop"), folder / "shop.tar")
    (folder / "notes.txt").write_text("no image\n")
    with imagepeel.open(folder / "two.tar") as archive:
        names = [image.names[0] for image in archive.images()]
    text = POD.replace("IMAGE", "shop:1.4") + "".join(
        f"  - {{name: c{n}, image: '{x}'}}\n" for n, x in enumerate(names)
    )
    file = tmp_path / "pod.yaml"
    file.write_text(text)
    found = starts(run_cli, "--pod", file, "--images", folder)
    assert [start["archive"].rsplit("/", 1)[-1] for start in found] == ["shop.tar", *["two.tar"] * len(names)]
    assert [start["number"] for start in found[1:]] == list(range(1, len(names) + 1))


def test_exit_codes(run_cli: Run, shop: Path, tmp_path: Path) -> None:
    good, unknown = pod(tmp_path, "shop:1.4"), tmp_path / "unknown.yaml"
    unknown.write_text(POD.replace("IMAGE", "nope:1"))
    assert run_cli("start", "--pod", good, "--image", shop, "--exit-code").exit_code == 0
    assert run_cli("start", "--pod", unknown, "--image", shop, "--exit-code").exit_code == 1
    assert run_cli("start", "--pod", unknown, "--image", shop).exit_code == 0
    assert run_cli("start", "--pod", good, "--image", shop, "--psa", "restricted", "--exit-code").exit_code == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "give one deployment"),
        (("--pod", "{pod}", "--compose", "{pod}"), 2, "give one deployment"),
        (("--pod", "{pod}", "--", "docker", "run", "x"), 2, "give one deployment"),
        (("--pod", "/nowhere.yaml"), 14, "there is no file"),
        (("--pod", "/"), 2, "is a directory"),
        (("--pod", "{bad}"), 11, "line 2, column 4"),
        (("--compose", "{pod}"), 10, "no compose file"),
        (("--pod", "{pod}", "--image", "=x"), 2, "names no archive"),
        (("--pod", "{pod}", "--images", "/nowhere"), 14, "there is no folder"),
        (("--pod", "{pod}", "--cluster", "nobody"), 2, "no engine"),
        (("--pod", "{pod}", "-e", "A=1"), 2, "env is about"),
        (("--", "docker", "run", "--nope", "x"), 2, "no flag --nope"),
    ],
)
def test_bad_input_is_one_clear_error(
    words: tuple[str, ...], code: int, says: str, run_cli: Run, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: Pod\n  x: y: z\n")
    named = {"{pod}": str(pod(tmp_path, "x")), "{bad}": str(bad)}
    done = run_cli("start", *(named.get(word, word) for word in words))
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_the_program_hidden_by_a_mount_is_named(run_cli: Run, shop: Path, tmp_path: Path) -> None:
    mounts = "    volumeMounts: [{name: d, mountPath: /usr/local/bin}]\n  volumes: [{name: d, emptyDir: {}}]\n"
    (start,) = starts(run_cli, "--pod", pod(tmp_path, "shop:1.4", mounts), "--image", shop)
    assert start["verdict"]["kind"] == "FAILS"
    assert start["covered_by"]["what"] == "the empty directory d"
    assert start["covered_by"]["place"]["line"] == 9
    assert start["evidence"]["layer_offset"] > 0, "where the image has what is hidden"


def test_python_has_all_of_it(shop: Path, tmp_path: Path) -> None:
    file = pod(tmp_path, "shop:1.4")
    by_name = imagepeel.start(pod=file, images={"web": shop}, engine="k8s@1.36")
    assert by_name and by_name.starts[0].execve.startswith("execve(")
    with imagepeel.open(shop) as archive:
        assert imagepeel.start(pod=file, images=[archive]).ok
        assert imagepeel.start(docker_run=["-u", "0", "shop:1.4", "serve"], images=[archive.image()]).ok
    assert not imagepeel.start(pod=file)
    with pytest.raises(imagepeel.UsageError):
        imagepeel.start()


def test_operate_answers_from_the_deployment(run_cli: Run, shop: Path, tmp_path: Path) -> None:
    more = (
        "    ports: [{containerPort: 8080, name: http}]\n    readinessProbe: {httpGet: {port: 8080}}\n"
        "    resources: {limits: {memory: 64Mi}}\n    volumeMounts: [{name: d, mountPath: /data}]\n"
        "  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]\n"
    )
    file = pod(tmp_path, "shop:1.4", more)
    done = run_cli("operate", "--pod", file)
    assert done.exit_code == 0
    told = done.stdout
    for said in ("8080/tcp (http)", "readinessProbe by httpGet", "/data is kept in the claim d", "memory 64Mi"):
        assert said in told
    assert "Who owns it, and whom does one call at night?" in told, "what it does not say stays a question"
    both = run_cli("operate", shop, "--pod", file).stdout
    assert "Should this run in production?" in both and "8080/tcp (http)" in both
    assert run_cli("operate").exit_code == 2


def test_events_say_what_the_kubelet_says(run_cli: Run, shop: Path, tmp_path: Path) -> None:
    """Texts as public logs of clusters quote them."""
    more = (
        "    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n"
        "    readinessProbe: {exec: {command: [curl]}}\n"
        "  - {name: root, image: 'shop:1.4', securityContext: {runAsNonRoot: true, runAsUser: 0}}\n"
        "  initContainers: [{name: first, image: 'shop:1.4', command: [/nope]}]\n"
    )
    done = run_cli(
        "start", "--pod", pod(tmp_path, "shop:1.4", more), "--image", shop, "--cluster", "k8s@1.32", "--json"
    )
    result = json.loads(done.stdout)["result"]
    reads = {(start["container"], start["what"]): start["reads"] for start in result["starts"]}
    assert 'if it is missing: Warning  Failed  Error: secret "s" not found' in reads["web", ""]
    assert "if it has no such key: Warning  Failed  Error: couldn't find key k in Secret default/s" in reads["web", ""]
    assert reads["web", "readinessProbe"][0].startswith(
        "Warning  Unhealthy  Readiness probe errored: rpc error: code ="
    )
    told = 'container\'s runAsUser breaks non-root policy (pod: "p_default(<uid>)", container: root)'
    assert reads["root", ""][0] == f"Warning  Failed  Error: {told}"
    assert result["notes"] == ["first has to end well before the next one starts: web and root wait (PodInitializing)"]


def test_a_capability_that_nobody_knows_is_said_with_its_line(run_cli: Run, shop: Path, tmp_path: Path) -> None:
    more = "    securityContext: {capabilities: {add: [NOPE]}}\n"
    done = run_cli("start", "--pod", pod(tmp_path, "shop:1.4", more), "--image", shop)
    assert done.exit_code == 11
    assert "line 6, column 5" in done.stderr and "'NOPE'" in done.stderr
