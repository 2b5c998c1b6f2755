"""Limits of the gate: what is spent, which step is to blame, and what is not known is no pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.findings.budget import Bound, Budget, read_bound, read_size, spent
from imagepeel.findings.rules.examples import find_example

Run = Callable[..., Any]
Make = Callable[..., Path]
F = forge.file
RULES = "BUDGET-SIZE,BUDGET-WASTE,BUDGET-LAYERS,BUDGET-GROWTH"


def grown() -> forge.ImageSpec:
    return forge.image(
        forge.layer(F("a", b"x" * 50_000), created_by="COPY a /a # buildkit"),
        forge.layer(F("b", b"y" * 20_000), created_by="COPY b /b # buildkit"),
        forge.layer(F("a", b"z" * 30_000), created_by="COPY z /a # buildkit"),
        names="new:1",
        entrypoint=["/a"],
    )


def old() -> forge.ImageSpec:
    return forge.image(forge.layer(F("a", b"x" * 50_000), created_by="COPY a /a # buildkit"), names="old:1")


def budgets(run_cli: Run, archive: Path, *words: Any) -> dict[str, Any]:
    done = run_cli("check", archive, "--json", *words)
    assert done.exit_code in (0, 1), done.stderr
    return {one["measure"]: one for one in json.loads(done.stdout)["result"]["budgets"]}


def failing(run_cli: Run, archive: Path, *words: Any) -> set[str]:
    done = run_cli("check", archive, "--json", "--select", RULES, *words)
    found = {one["rule"] for one in json.loads(done.stdout)["result"]["new"]}
    assert done.exit_code == (1 if found else 0)
    return found


def test_each_limit_fails_above_it_and_passes_at_it(run_cli: Run, forge_archive: Make) -> None:
    archive, before = forge_archive(grown(), name="new.tar"), forge_archive(old(), name="old.tar")
    wide = ("--max-size", "1MB", "--max-waste", "90%", "--max-layers", "9")
    spent = budgets(run_cli, archive, *wide, "--against", before)
    size, growth = spent["size"]["used"], spent["growth"]["used"]
    # GNU tar's blocks of 10 kB are no part of it: headers, contents padded to 512, and two end blocks for each layer.
    padded = [-(-count // 512) * 512 for count in (50_000, 20_000, 30_000)]
    assert size == sum(padded) + 3 * (512 + 1024) and growth == size - (padded[0] + 512 + 1024)
    assert spent["waste"]["used"] == 50_000 and spent["layers"]["used"] == 3
    for option, at in (("--max-size", size), ("--max-waste", 50_000), ("--max-layers", 3)):
        rule = "BUDGET-" + option.removeprefix("--max-").upper()
        assert failing(run_cli, archive, option, at) == set()
        assert failing(run_cli, archive, option, at - 1) == {rule}
    assert failing(run_cli, archive, "--against", before, "--max-growth", growth) == set()
    assert failing(run_cli, archive, "--against", before, "--max-growth", growth - 1) == {"BUDGET-GROWTH"}


def test_the_step_to_blame(run_cli: Run, forge_archive: Make) -> None:
    archive, before = forge_archive(grown(), name="new.tar"), forge_archive(old(), name="old.tar")
    limits = ("--max-size", "1", "--max-waste", "0%", "--against", before, "--max-growth", "1%")
    spent = budgets(run_cli, archive, *limits)
    assert {name: one.get("blame") for name, one in spent.items()} == {"size": 2, "waste": 2, "growth": 2}
    told = run_cli("check", archive, *limits).stdout
    assert told.count("come with L3 (COPY z /a)") == 3
    assert budgets(run_cli, archive, "--max-size", "1")["size"]["blame"] == 0


def test_room_below_the_limit_of_engines(run_cli: Run, forge_archive: Make) -> None:
    tall = forge.image(*(forge.layer(F(f"f{n}", b"")) for n in range(120)), names="t:1", entrypoint=["/f0"])
    told = run_cli("check", forge_archive(tall, name="tall.tar"), "--max-layers", "100").stdout
    assert "120 of 100 layers" in told and "docker takes 125: 5 left" in told


def test_what_is_missing_is_no_pass(run_cli: Run, forge_archive: Make) -> None:
    missing = forge_archive("missing-blob")
    done = run_cli("check", missing, "--max-size", "1GB", "--max-layers", "9")
    assert done.exit_code == 1 and "at least" in done.stdout and "not known" in done.stdout
    done = run_cli("check", forge_archive("hello"), "--against", missing, "--max-growth", "1MB")
    assert done.exit_code == 14 and "how much the image has grown is not known" in done.stderr


def test_limits_stand_in_the_settings_too(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    (tmp_path / "imagepeel.toml").write_text('[check]\nmax-size = "1kB"\nmax-layers = 0\n')
    done = run_cli("check", forge_archive("hello"), cwd=tmp_path)
    assert done.exit_code == 1 and "BUDGET-SIZE" in done.stdout and "BUDGET-LAYERS" in done.stdout
    wider = ("--max-size", "1MB", "--max-layers", "2")
    assert run_cli("check", forge_archive("hello"), *wider, cwd=tmp_path).exit_code == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--max-size", "much"], "--max-size is 'much', which is no size"),
        (["--max-waste", "5 percent"], "neither a size nor a part"),
        (["--max-growth", "5%"], "--max-growth needs the image to compare with"),
        (["--max-layers", "-1"], "-1"),
        (["--against", "nowhere.tar"], "nowhere.tar"),
    ],
)
def test_a_limit_that_is_none_is_one_error(words: list[str], error: str, run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("check", forge_archive("hello"), *words)
    assert done.exit_code != 0 and error in done.stderr and not done.stdout


def test_sizes_and_parts() -> None:
    assert read_size("1.5MB", "x") == 1_500_000 and read_bound("2 %", "x") == Bound(part=0.02)
    assert read_bound("0.5%", "x").of(1000) == 5 and read_bound("7", "x").of(1000) == 7
    for word in ("", "%", "12345%", "-1%", "1e3%", "x" * 5000):
        with pytest.raises(UsageError):
            read_bound(word, "x")


@pytest.mark.parametrize("rule", RULES.split(","))
def test_the_commands_of_a_page_show_its_rule(rule: str, run_cli: Run, tmp_path: Path) -> None:
    example = find_example(rule)
    for words in (["demo.tar"], ["--repaired", "good.tar"]):
        assert run_cli("wtf", "--reproduce", rule, *words, cwd=tmp_path).exit_code == 0
    bad = run_cli("check", "demo.tar", *example.options.split(), cwd=tmp_path)
    assert bad.exit_code == 1 and rule in bad.stdout
    assert run_cli("check", "good.tar", *example.options.split(), cwd=tmp_path).exit_code == 0


@pytest.mark.parametrize("name", ["shop", "pantry", "zoo", "resurrect", "link-below", "hello"])
def test_waste_is_that_of_the_account(name: str, forge_archive: Make) -> None:
    """The limit counts in the columns what `waste` tells file by file."""
    with imagepeel.open(forge_archive(name)) as archive:
        image = archive.image()
        waste = image.waste()
        (one,) = spent(image, Budget(waste=Bound(part=0.5)))
    assert (one.used, one.limit) == (waste.unreachable, waste.files // 2)


def test_the_growth_of_all_steps_adds_up_and_names_what_grew(run_cli: Run, forge_archive: Make) -> None:
    """A step that is there again with more bytes has grown by the difference; classic builders write a sum into it."""

    def version(name: str, copied: int, digit: str, *more: forge.LayerSpec) -> Path:
        base = forge.layer(F("base", b"b" * 90_000), created_by="RUN make base # buildkit")
        line = f"/bin/sh -c #(nop) COPY file:{digit * 64} in /srv "
        copy = forge.layer(F("srv", b"s" * copied), created_by=line)
        return forge_archive(forge.image(base, copy, *more, names="i:1", entrypoint=["/srv"]), name=name)

    gone = forge.layer(F("gone", b"g" * 5_000), created_by="RUN old # buildkit")
    fresh = forge.layer(F("fresh", b"f" * 30_000), created_by="RUN new # buildkit")
    before, after = version("before.tar", 10_240, "a", gone), version("after.tar", 51_200, "b", fresh)
    growth = budgets(run_cli, after, "--against", before)["growth"]
    padded = 30_208 + 512 + 1024
    assert [
        (step["layer"], step["before"] is None, step["after"] is None, step["grown"]) for step in growth["steps"]
    ] == [
        (1, False, False, 51_200 - 10_240),
        (2, True, False, padded),
        (None, False, True, -(5_120 + 512 + 1024)),
    ]
    assert sum(step["grown"] for step in growth["steps"]) == growth["used"] and growth["blame"] == 1
    told = run_cli("check", after, "--against", before, "--format", "markdown").stdout
    assert "growth by step" in told and "| L2 | COPY" in told.replace("`", "")
    same = budgets(run_cli, after, "--against", after)["growth"]
    assert same["used"] == 0 and same.get("steps", []) == [] and same.get("blame") is None
