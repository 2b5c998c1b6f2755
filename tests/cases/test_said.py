"""What is said: exit codes, masked secrets, evidence and fixes of the cases that once said something else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Case = Callable[[str, str], Path]
Make = Callable[..., Path]
Run = Callable[..., Any]


@pytest.mark.parametrize("command", ["explain", "images", "trace", "waste", "operate", "process", "wtf", "layers"])
def test_c01_the_first_line_is_enough(command: str, case: Case) -> None:
    """bug-reports C01, real-images 7, users H1."""
    words = [sys.executable, "-m", "imagepeel", command, str(case("real-images", "groups.tar"))]
    shell = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", shell, "-", *words, *(["/etc/group"] if command == "trace" else [])],
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


# ---- an image that runtimes refuse ------------------------------------------------------------------------------


def refused() -> forge.ImageSpec:
    """`a` is a file, and the same layer has a file below it: containerd answers `not a directory`."""
    return forge.image(
        forge.layer(forge.file("a", b"x" * 700), forge.file("kept", b"k" * 300), forge.file("twice", b"1" * 50)),
        forge.layer(forge.file("twice", b"2" * 60), forge.file("a", b""), forge.file("a/b", b"y" * 100)),
        names="refused:1",
    )


def test_waste_and_find_answer_about_a_refused_image(run_cli: Run, forge_archive: Make) -> None:
    """real-images 8, users G2: it is a result, so the code is 0."""
    archive = forge_archive(refused(), name="refused.tar")
    for words in (["waste"], ["waste", "--json"], ["find", "--removed"], ["find", "--removed", "--json"], ["du"]):
        done = run_cli(words[0], archive, *words[1:])
        assert done.exit_code == 0, done.stderr
        assert "a runtime refuses to unpack this image at layer L2" in done.stderr
        assert "command line" not in done.stderr


def test_what_a_refused_image_hides_is_not_given_a_cause(forge_archive: Make) -> None:
    import imagepeel

    with imagepeel.open(forge_archive(refused(), name="refused.tar")) as archive:
        waste = archive.image().waste()
        assert waste.files == 700 + 300 + 50 + 100 + 60
        hidden = {(item.path, item.layer): item.cause for item in waste.items}
        assert hidden["/twice", 0] == "unattributed"
        assert set(hidden.values()) == {"unattributed"}
        for layer in waste.layers:
            assert sum(layer.content.values()) == layer.content_size


def test_a_damaged_layer_ends_waste_and_find_with_11(case: Case, run_cli: Run) -> None:
    archive = case("bug-reports", "f12-truncated.tar.gz")
    for words in (["waste"], ["find", "--removed"]):
        assert run_cli(words[0], archive, *words[1:]).exit_code == 11


def test_a_view_without_layers_is_still_a_wrong_question(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("find", forge_archive("shop"), "--removed", "--view", "sequential")
    assert done.exit_code == 2
    assert "keeps no tree of a single layer" in done.stderr


# ---- one masking ------------------------------------------------------------------------------------------------

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzAB"
GITHUB = f"ghp_{ALPHABET[:36]}"
BEARER = (ALPHABET * 2)[3:67]
STRIPE = f"sk_live_{ALPHABET[5:35]}"
SECRETS = {
    "a token in Env": GITHUB,
    "a password in Env": "hunter2-in-env",
    "the password of a URL": "Hunter2InUrl",
    "a label": "hunter2-in-label",
    "curl -u": "Sup3rS3cretPw99",
    "a bearer token": BEARER,
    "a build argument": "hunter2-as-argument",
    "an option of the command": "hunter2-as-option",
    "a key in a text": STRIPE,
}


def leaking(extra: str = "") -> forge.ImageSpec:
    from imagepeel.findings.rules.examples import EXAMPLES

    sound = EXAMPLES["SECRET-IN-ENV"].good()
    assert isinstance(sound, forge.ImageSpec)
    import msgspec

    steps = (
        *sound.layers,
        forge.layer(forge.file("app/config.py", f"KEY = '{STRIPE}'\n"),
                    created_by=f"RUN /bin/sh -c git clone https://{GITHUB}@github.com/a/b && curl -u "
                       f"admin:Sup3rS3cretPw99 https://example.org{extra} # buildkit"),
        forge.layer(forge.file("app/more", extra or "x"),
                    created_by="RUN |1 NPM_PASSWORD=hunter2-as-argument /bin/sh -c "
                               f"curl -H 'Authorization: Bearer {BEARER}' x"),
    )  # fmt: skip
    return msgspec.structs.replace(
        sound,
        layers=steps,
        config={
            **sound.config,
            "Env": [*sound.config["Env"], f"API_TOKEN={GITHUB}", f"DB_PASSWORD=hunter2-in-env{extra}",
                    "DATABASE_URL=postgres://app:Hunter2InUrl@db/app"],
            "Labels": {"api.secret": f"hunter2-in-label{extra}"},
            "Cmd": ["/bin/hello", "--token", "hunter2-as-option"],
        },
    )  # fmt: skip


FORMS = ([], ["--json"], ["--markdown"], ["--html", "-"])
SHOWING = (
    "explain",
    "layers",
    "images",
    "wtf",
    "process",
    "start",
    "operate",
    "dockerfile",
    "du",
    "slim",
    "waste",
    "packages",
    "anatomy",
    "views",
    "diff",
    "blame",
    "log",
    "survey",
    "lineage",
)


def outputs(run_cli: Run, command: str, archive: Path, other: Path, *more: str) -> dict[str, str]:
    """What a command writes in each of its forms, on both streams."""
    words: list[Any] = [command, archive]
    if command == "diff":
        words.append(other)
    words += {
        "blame": ["/etc/passwd"],
        "log": ["-p", "--layer", "1"],
        "survey": ["--out", archive.parent / f"{archive.name}-facts"],
    }.get(command, [])
    if command in ("explain", "process", "wtf"):
        words += ["--receipts"]
    forms = [["--format", form] for form in ("text", "json", "sarif", "junit", "gitlab", "github", "markdown")]
    told = {}
    for form in forms if command == "check" else FORMS:
        done = run_cli(*words, *form, *more)
        assert done.exit_code in (0, 1), (form, done.stderr)
        told[" ".join(form)] = done.stdout + done.stderr
    return told


@pytest.mark.parametrize("command", [*SHOWING, "check"])
def test_no_output_shows_a_secret(command: str, run_cli: Run, forge_archive: Make) -> None:
    """users G1, E7."""
    archive = forge_archive(leaking(), name="leaking.tar")
    other = forge_archive(leaking("2"), name="leaking-too.tar")
    for form, told in outputs(run_cli, command, archive, other).items():
        shown = [what for what, secret in SECRETS.items() if secret in told]
        assert not shown, (command, form, shown)


def test_every_output_shows_secrets_on_request(run_cli: Run, forge_archive: Make) -> None:
    archive = forge_archive(leaking(), name="leaking.tar")
    other = forge_archive(leaking("2"), name="leaking-too.tar")
    for command in ("explain", "process", "dockerfile", "diff"):
        for form, told in outputs(run_cli, command, archive, other, "--show-secrets").items():
            wanted = "hunter2-in-env" if command in ("process", "diff") else GITHUB
            assert wanted in told, (command, form)


def test_cards_and_stories_mask_and_the_library_can_show(forge_archive: Make) -> None:
    import imagepeel

    with imagepeel.open(forge_archive(leaking(), name="leaking.tar")) as archive:
        image = archive.image()
        values = [image, image.process(), image.findings(), image.explain(), image.config, *image.layers]
        for value in values:
            bundle = value._repr_mimebundle_()
            told = "".join(bundle.values()) + repr(value) + str(value)
            assert not [what for what, secret in SECRETS.items() if secret in told], type(value)
        assert "hunter2-in-env" not in str(image.explain())
        with imagepeel.show_secrets():
            assert "hunter2-in-env" in "".join(image.process()._repr_mimebundle_().values())


def test_what_is_in_history_and_in_texts_is_found(run_cli: Run, forge_archive: Make) -> None:
    """users E7: curl's password, a bearer token, a provider's key in a text."""
    told = run_cli("wtf", forge_archive(leaking(), name="leaking.tar"), "--json").stdout
    for words in (
        "password of curl Sup3",
        "bearer token",
        "/app/config.py holds a Stripe live key",
        "password of a URL",
    ):
        assert words in told


def test_a_history_line_begins_no_workflow_command(case: Case, run_cli: Run) -> None:
    """users G3."""
    done = run_cli("dockerfile", case("robustness", "dockerfile_workflow_command.tar.gz"))
    assert not [line for line in done.stdout.splitlines() if line.lstrip().startswith("::")]


# ---- findings: evidence, fixes, one line for what all have ------------------------------------------------------


def findings_of(run_cli: Run, archive: Path) -> dict[str, dict[str, Any]]:
    told = json.loads(run_cli("wtf", archive, "--json").stdout)
    return {finding["rule"]: finding for finding in told["result"]["findings"]}


def test_the_bytes_of_a_cache_are_proved_by_the_largest_of_them(run_cli: Run, forge_archive: Make) -> None:
    """users A2: 146 MB are not proved by a lock file of 0 bytes in the base layer."""
    from imagepeel.forge.specimens import add, noise, sound

    archives = forge.directory("var/cache/apt/archives")
    cache = (forge.directory("var"), forge.directory("var/cache"), forge.directory("var/cache/apt"), archives)
    spec = sound(
        add(*cache, forge.file("var/cache/apt/archives/lock", "")),
        add(archives, forge.file("var/cache/apt/archives/a.deb", noise("a", 100_000)),
            forge.file("var/cache/apt/archives/big.deb", noise("b", 900_000))),
    )  # fmt: skip
    finding = findings_of(run_cli, forge_archive(spec, name="cache.tar"))["BUILD-DEBRIS"]
    place = finding["locations"][0]
    assert (place["path"], place["layer"]) == ("/var/cache/apt/archives/big.deb", 2)
    assert [part["label"] for part in finding["figures"][0]["parts"]] == ["in L3", "in L2"]


def test_w03_a_capability_is_set_where_the_file_is_brought(case: Case, run_cli: Run) -> None:
    """bug-reports W03: COPY has no option for a capability."""
    finding = findings_of(run_cli, case("bug-reports", "w03-setcap-copy.tar"))["METADATA-COPY"]
    assert "setcap" in finding["fix"] and "--chmod" not in finding["fix"]
    assert finding["dockerfile"] == []


def test_p04_the_directory_is_opened_and_not_the_program(case: Case, run_cli: Run) -> None:
    """bug-reports P04: the program has mode 0755, /root has 0700."""
    found = findings_of(run_cli, case("bug-reports", "p04-venv-in-root-home.tar"))
    said = [finding for finding in found.values() if finding["severity"] == "high"]
    assert said and all("/root" in finding["fix"] and "python" not in finding["fix"] for finding in said)


def test_s8_a_lastlog_of_zeros_is_told_before_it_fills_a_disk(run_cli: Run, forge_archive: Make) -> None:
    """bug-reports S8, W04: 64 MB of zeros; it is told from 1 MB on."""
    from imagepeel.forge.specimens import holding

    log = forge.directory("var"), forge.directory("var/log")
    spec = holding(*log, forge.file("var/log/lastlog", bytes(8 << 20)))
    finding = findings_of(run_cli, forge_archive(spec, name="lastlog.tar"))["SPARSE-MONSTER"]
    assert finding["severity"] == "low"
    assert "8,388,608 bytes" in finding["message"]
    used = holding(*log, forge.file("var/log/lastlog", b"\1" * (2 << 20)))
    assert "SPARSE-MONSTER" not in findings_of(run_cli, forge_archive(used, name="used.tar"))


def test_what_every_distribution_has_is_one_line(run_cli: Run, forge_archive: Make) -> None:
    """users D7: device nodes below /dev and names that differ in case, in however many layers."""
    from imagepeel.forge.entry import device
    from imagepeel.forge.specimens import add, sound

    spec = sound(
        add(forge.directory("dev"), device("dev/null", 1, 3), forge.file("One", "1"), forge.file("one", "1")),
        add(forge.directory("dev"), device("dev/zero", 1, 5), forge.file("Two", "2"), forge.file("two", "2")),
    )
    lines = run_cli("wtf", forge_archive(spec, name="debian.tar")).stdout.splitlines()
    for rule, words in (("CASE-COLLISION", "2 names differ"), ("DEVICE-NODE", "2 device nodes below /dev")):
        mine = [line for line in lines if rule in line]
        assert len([line for line in mine if line.startswith("info")]) == 1
        assert words in mine[0]
    assert len([line for line in lines if line.startswith(("info", "low", "medium", "high"))]) == 2


def test_s4_only_containerd_refuses_what_other_stores_load(run_cli: Run, forge_archive: Make) -> None:
    """bug-reports S4, L02: Docker's own store and podman load it, also as root."""
    archive = forge_archive("link-below")
    told = findings_of(run_cli, archive)
    assert "rootful" not in str(told)
    assert "ROOTLESS-DIFFERS" not in told
    finding = told["LINK-ACROSS-LAYERS"]
    assert finding["message"].startswith("containerd cannot unpack layer")
    assert any(line.endswith("(rootless containerd, vfs, btrfs, zfs) take it") for line in finding["details"])


# ---- an archive that something was done to ----------------------------------------------------------------------


def test_f01_text_of_powershell_is_named_as_that(case: Case, run_cli: Run) -> None:
    """bug-reports F01: the mark and the zeros prove it, and `docker save` alone would end in the same file."""
    for command in ("explain", "images", "check", "process"):
        done = run_cli(command, case("bug-reports", "f01-powershell.tar"))
        assert done.exit_code == 10
        assert done.stdout == ""
        words = " ".join(done.stderr.split())
        assert "text in UTF-16, as PowerShell's `>` writes" in words
        assert "starts with ff fe" in words
        assert "docker save -o FILE IMAGE" in words


@pytest.mark.parametrize("name", ["manifest-missing.tar", "config-missing.tar"])
def test_what_is_missing_has_a_place(name: str, case: Case, run_cli: Run) -> None:
    finding = findings_of(run_cli, case("real-images", name))["MISSING-PARTS"]
    place = finding["locations"][0]
    assert place.get("member") or place.get("pointer"), place


def test_other_bytes_of_another_size_are_one_finding(run_cli: Run, forge_archive: Make) -> None:
    """real-images 4: a size that is wrong beside a right digest is told as that, one beside a wrong digest is not."""
    from imagepeel.forge.image import Fault
    from imagepeel.forge.specimens import sound

    spec = sound(faults=[Fault(kind="config-bytes"), Fault(kind="config-size", value=1)])
    found = findings_of(run_cli, forge_archive(spec, name="other.tar", kind="oci-archive"))
    assert "WRONG-DIGEST" in found and "WRONG-SIZE" not in found
    assert "bytes are stated and" in found["WRONG-DIGEST"]["message"]


# ---- recipes, links and paths of the bug reports ----------------------------------------------------------------


def test_d03_dialects_of_classic_builders(case: Case, run_cli: Run) -> None:
    """bug-reports D03: `STOPSIGNAL [SIGTERM]` is one word in a list, and the step tells the intervals."""
    told = run_cli("dockerfile", case("bug-reports", "d03-mixed-history.tar")).stdout
    assert "STOPSIGNAL SIGTERM\n" in told
    assert "[SIGTERM]" not in told and "the config has 'SIGTERM'" not in told
    assert "HEALTHCHECK --interval=30s --timeout=3s --retries=3 CMD curl -f http://localhost/ || exit 1\n" in told
    assert "not told" not in told


@pytest.mark.parametrize(
    ("struct", "options"),
    [
        ('"0s" "0s" "0s" "0s" \'\\x00\'', ""),
        ('"1m30s" "10s" "0s" \'\\n\'', "--interval=1m30s --timeout=10s --retries=10 "),
        ('"0s" "0s" "5s" "2s" \'!\'', "--start-period=5s --start-interval=2s --retries=33 "),
        ('"0s" "0s" "0s" \'\\\'\'', "--retries=39 "),
    ],
)
def test_d03_the_step_tells_the_intervals(struct: str, options: str, run_cli: Run, forge_archive: Make) -> None:
    """Go's `%q` of the struct: times, then the number of retries as a character."""
    from imagepeel.forge.specimens import BASE_STEP, sound, step

    line = f'/bin/sh -c #(nop)  HEALTHCHECK &{{["CMD-SHELL" "true"] {struct}}}'
    spec = sound(history=[BASE_STEP, step(line, True)], healthcheck={"Test": ["CMD-SHELL", "true"]})
    told = run_cli("dockerfile", forge_archive(spec, name="health.tar")).stdout
    assert f"HEALTHCHECK {options}CMD true\n" in told


def test_l05_a_whiteout_that_is_a_hardlink_is_a_whiteout(case: Case, run_cli: Run) -> None:
    """bug-reports L05: docker 20.10, 28 (both stores), ctr and podman load it, and the file is gone."""
    archive = case("bug-reports", "l05-hardlink-whiteout.tar")
    told = run_cli("views", archive).stdout
    assert "XLINK" not in told and "refuse" not in told
    assert "show the same filesystem" in told
    assert run_cli("ls", archive, "/tmp/RPM-GPG-KEY-kojiv2").exit_code != 0
    assert "LINK-ACROSS-LAYERS" not in findings_of(run_cli, archive)


def test_p04_a_closed_directory_of_path_is_what_is_opened(run_cli: Run, forge_archive: Make) -> None:
    """bug-reports P04 on its other path: the search in PATH passes over what lies in a closed directory."""
    from imagepeel.forge import programs
    from imagepeel.forge.specimens import add, sound

    tool = add(
        forge.directory("root", 0o700),
        forge.directory("root/bin"),
        forge.file("root/bin/tool", programs.hello(), 0o755),
    )
    spec = sound(tool, entrypoint=["tool"], env=["PATH=/usr/bin:/root/bin"])
    archive = forge_archive(spec, name="closed.tar")
    finding = findings_of(run_cli, archive)["PATH-SKIPS-FILE"]
    assert finding["fix"] == "chmod a+x /root"
    assert "/root may not be searched by this user" in finding["message"]
    assert finding["dockerfile"] == ["RUN chmod a+x /root"]
    opened = sound(
        add(forge.directory("root", 0o711), forge.directory("root/bin"),
            forge.file("root/bin/tool", programs.hello(), 0o755)),
        entrypoint=["tool"], env=["PATH=/usr/bin:/root/bin"],
    )  # fmt: skip
    assert "PATH-SKIPS-FILE" not in findings_of(run_cli, forge_archive(opened, name="opened.tar"))


# ---- what an engine without root cannot keep --------------------------------------------------------------------


def test_l14_a_file_capability_is_named(case: Case, run_cli: Run) -> None:
    """bug-reports L14: a rootless pull failed in `lsetxattr security.capability`."""
    finding = findings_of(run_cli, case("bug-reports", "l14-cap.tar"))["ROOTLESS-DROPS"]
    assert finding["severity"] == "info"
    assert "file capabilities" in finding["message"] and finding["locations"][0]["path"] in finding["message"]


def test_every_kind_that_needs_root_is_named(run_cli: Run, forge_archive: Make) -> None:
    """Measured as nobody in a user namespace: mknod and chown beyond the map fail; fifos and set-uid bits are kept."""
    from imagepeel.forge.entry import device, fifo
    from imagepeel.forge.specimens import NET_BIND_SERVICE, file_capability, holding

    spec = holding(
        forge.file("bin/ping", "x", 0o755, xattrs={"security.capability": file_capability(NET_BIND_SERVICE)}),
        forge.file("marked", "x", xattrs={"trusted.note": "x"}), forge.file("shut", "x", 0),
        device("disk", 8, 0, block=True), forge.file("far", "x", uid=70_000), fifo("pipe"),
        forge.file("su", "x", 0o4755),
    )  # fmt: skip
    found = findings_of(run_cli, forge_archive(spec, name="kinds.tar"))
    told = found["ROOTLESS-DROPS"]["message"]
    for words in ("1 path with file capabilities (/bin/ping)", "1 path with trusted attributes (/marked)",
                  "1 path of mode 000 (/shut)"):  # fmt: skip
        assert words in told
    assert "an engine without root leaves them out" in found["DEVICE-NODE"]["message"]
    assert "/far" in found["ROOTLESS-IDS"]["message"]
    assert not any("/pipe" in finding["message"] for finding in found.values())


# ---- identity: the ids of an image, and two files of one image --------------------------------------------------


def ways(run_cli: Run, first: Path, second: Path) -> dict[str, dict[str, Any]]:
    told = json.loads(run_cli("diff", first, second, "--json").stdout)["result"]
    assert told["different"] is False
    return {fact["what"]: fact for fact in told["files"]["facts"]}


def repacked(archive: Path, target: Path, *options: str, names: list[str] | None = None) -> Path:
    """The members of an archive in a tar that GNU tar writes."""
    folder = target.parent / (target.name + ".d")
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    listed = subprocess.run(["tar", "-tf", str(archive)], capture_output=True, text=True, check=True).stdout.split()
    words = ["tar", "-c", "--no-recursion", "--format=ustar", *options, "-f", str(target), "-C", str(folder)]
    subprocess.run([*words, *(names or listed)], check=True)
    return target


def test_f15_two_files_of_one_image_differ_in_what_is_told(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """bug-reports F15: times, order, owners of members; the image is the same, so --exit-code is 0."""
    archive = forge_archive("shop")
    plain = ("--mtime=@0", "--owner=0", "--group=0", "--numeric-owner")
    first = repacked(archive, tmp_path / "one.tar", *plain)
    names = subprocess.run(["tar", "-tf", str(first)], capture_output=True, text=True, check=True).stdout.split()
    cases = {
        "time": repacked(archive, tmp_path / "times.tar", "--mtime=@1000000000", *plain[1:]),
        "owner": repacked(archive, tmp_path / "owners.tar", "--mtime=@0", "--owner=me:1000", "--group=us:1000"),
        "order": repacked(archive, tmp_path / "order.tar", *plain, names=names[::-1]),
        "end": repacked(archive, tmp_path / "end.tar", "-b64", *plain),
        "framing": repacked(archive, tmp_path / "gnu.tar", "--format=gnu", *plain),
    }
    for way, second in cases.items():
        assert set(ways(run_cli, first, second)) - {"end"} == {way} - {"end"}, way
    times = ways(run_cli, first, cases["time"])["time"]
    assert (times["before"], times["after"], times["count"]) == ("1970-01-01 00:00", "2001-09-09 01:46", len(names))
    assert ways(run_cli, first, cases["owner"])["owner"]["after"] == "1000:1000 (me:us)"
    assert "end" in ways(run_cli, first, cases["end"])
    assert run_cli("diff", first, cases["time"], "--exit-code").exit_code == 0
    told = run_cli("diff", first, cases["time"]).stdout
    assert "Files: all that differs" in told
    assert f"times of {len(names)} members, such as" in told
    assert ways(run_cli, first, first) == {}
    assert "Files: the same members, headers and documents" in run_cli("diff", first, first).stdout


def test_f15_links_that_became_copies(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    archive = forge_archive("shop")
    plain = ("--mtime=@0", "--owner=0", "--group=0", "--numeric-owner")
    first = repacked(archive, tmp_path / "one.tar", *plain)
    folder = tmp_path / "one.tar.d"
    layers = sorted(folder.glob("*/layer.tar"))
    extra = folder / "again.tar"
    extra.symlink_to(layers[0].relative_to(folder))
    listed = subprocess.run(["tar", "-tf", str(first)], capture_output=True, text=True, check=True).stdout.split()
    words = ["tar", "-c", "--no-recursion", "--format=ustar", *plain, "-C", str(folder)]
    for name, options in (("links.tar", []), ("copies.tar", ["--dereference"])):
        subprocess.run([*words, *options, "-f", str(tmp_path / name), *listed, "again.tar"], check=True)
    link = ways(run_cli, tmp_path / "links.tar", tmp_path / "copies.tar")["link"]
    assert link["member"] == "again.tar" and link["count"] == 1
    assert link["before"].startswith("symlink to ") and link["after"] in (
        "file",
        f"hardlink to {layers[0].relative_to(folder)}",
    )


def test_f17_the_three_ids_have_the_engines_that_show_them(run_cli: Run, forge_archive: Make) -> None:
    """bug-reports F17: Docker 28 and podman showed the config's digest, Docker's containerd store the index's."""
    from imagepeel.forge.layout import index
    from imagepeel.forge.specimens import sound

    archive = forge_archive(
        index(sound(), sound(architecture="arm64"), names="demo:1"), name="two.tar", kind="oci-archive"
    )
    rows = json.loads(run_cli("images", archive, "--json").stdout)["result"]["images"]
    listed = json.loads(
        subprocess.run(["tar", "-xOf", str(archive), "index.json"], capture_output=True, check=True).stdout
    )
    target = listed["manifests"][0]["digest"]
    assert [row["index_digest"] for row in rows] == [target, target]
    told = " ".join(run_cli("images", archive).stdout.split())
    for row in rows:
        short = [row[key].removeprefix("sha256:")[:12] for key in ("image_id", "index_digest", "digest")]
        assert (
            f"is {short[0]} (its config) to Docker's own store, podman and CRI-O, and {short[1]} (its index) to "
            f"Docker's containerd store, ctr and nerdctl, which pull it as {short[2]} (its manifest)"
        ) in told
    story = " ".join(run_cli("explain", archive, "--image", "#1").stdout.split())
    assert f"containerd store and ctr show the digest of the index: {target.removeprefix('sha256:')[:12]}" in story
    alone = forge_archive(sound(), name="alone.tar", kind="oci-archive")
    row = json.loads(run_cli("images", alone, "--json").stdout)["result"]["images"][0]
    assert row["index_digest"] is None
    assert "(its manifest) to Docker's containerd store" in " ".join(run_cli("images", alone).stdout.split())


def test_s2_a_path_of_4_kb_is_shortened_for_people_and_whole_in_json(run_cli: Run, forge_archive: Make) -> None:
    """bug-reports S2: it filled 30 lines of wtf and 9 kB of one error."""
    from imagepeel.forge.specimens import add, sound

    path = "/" + "/".join(["d" * 200] * 20) + "/f"
    spec = sound(add(forge.file(path[1:], "x", uid=1_200_345)), entrypoint=[path])
    archive = forge_archive(spec, name="long.tar")
    for words in (["wtf", archive], ["process", archive, "--verbose"], ["check", archive], ["explain", archive]):
        told = run_cli(*words).stdout
        prose = "\n".join(line for line in told.splitlines() if "tar -x" not in line and 'execve("' not in line)
        assert f"...({len(path):,}" in told, words
        assert max(map(len, prose.split())) < 500 or words[0] in ("process", "explain"), words
    failed = run_cli("cat", archive, "/not" + path)
    assert failed.exit_code != 0 and len(failed.stderr) < 1000
    assert path in run_cli("wtf", archive, "--json").stdout
    assert path in run_cli("process", archive, "--json").stdout


# ---- masking: more of it, in every output -----------------------------------------------------------------------

MORE = {
    "curl with a joined option": ("RUN curl -uadmin:J0inedS3cret77 https://example.org/x", "J0inedS3cret77"),
    "curl --user": ("RUN curl --user=admin:L0ngS3cret7788 https://example.org/x", "L0ngS3cret7788"),
    "a bearer token of wget": (
        f"RUN wget --header='Authorization: Bearer {(ALPHABET * 2)[5:69]}' https://example.org", (ALPHABET * 2)[5:69]
    ),
    "the password of a URL": ("RUN pip install -i https://me:UrlS3cret778@pypi.example.org/simple x", "UrlS3cret778"),
    "a Stripe key": (f"RUN echo {STRIPE} > /key", STRIPE),
}  # fmt: skip


@pytest.mark.parametrize("what", MORE)
def test_no_output_shows_what_stands_in_history(what: str, run_cli: Run, forge_archive: Make) -> None:
    """users G1, E7: history lines in every command that shows them, and in the cards of a notebook."""
    import imagepeel
    from imagepeel.forge.specimens import add, sound

    line, secret = MORE[what]
    archive = forge_archive(sound(add(forge.file("x", "x"), by=line)), name=f"{what.replace(' ', '-')}.tar")
    for command in ("explain", "layers", "dockerfile", "wtf", "waste", "operate"):
        for form in ([], ["--json"], ["--markdown"], ["--html", "-"]):
            done = run_cli(command, archive, *form)
            assert secret not in done.stdout + done.stderr, (command, form)
    with imagepeel.open(archive) as opened:
        image = opened.image()
        for value in (image, *image.layers, image.findings(), image.explain(), image.dockerfile()):
            shown = "".join(map(str, value._repr_mimebundle_().values())) if hasattr(value, "_repr_mimebundle_") else ""
            assert secret not in shown + repr(value) + str(value), type(value)


# ---- words for people -------------------------------------------------------------------------------------------


def test_a_receipt_measures_what_the_claim_counts(case: Case, run_cli: Run) -> None:
    """real-images 11: `The layer ships 512 bytes` stood above a command that prints 1000000."""
    told = run_cli("explain", case("real-images", "sparse.tar")).stdout
    below = told.partition("The layer ships 512 bytes of file content")[2]
    assert below and "awk" not in below.split("\n\n")[0]


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ("shop:1.4", "docker save shop:1.4 | imagepeel explain -"),
        ("library/alpine", "docker save library/alpine | imagepeel explain -"),
        ("containers-storage:alpine", "buildah push alpine docker-archive:image.tar; then open image.tar"),
        ("missing.tar", "check the path"),
        ("./nothing", "check the path"),
    ],
)
def test_h3_the_name_of_an_image_gets_a_way(given: str, way: str, run_cli: Run, tmp_path: Path) -> None:
    """users H3."""
    done = run_cli("explain", given, cwd=tmp_path)
    assert done.exit_code != 0
    hint = next(line for line in done.stderr.splitlines() if line.startswith("try:"))
    assert hint.endswith(way)
