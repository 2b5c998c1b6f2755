"""The lines that two texts share: whole and in order, as many as difflib finds, and bounded on hostile texts."""

from __future__ import annotations

import difflib
import random

import pytest

from imagepeel.masking import masked, masked_lines
from imagepeel.versions.lines import Matches, Work, hunks, matches, split
from imagepeel.versions.shown import Shown, margin_of


def applied(found: Matches, old: list[bytes], new: list[bytes]) -> list[bytes]:
    """The new text, made of the old one and the hunks as a program that patches does it."""
    out: list[bytes] = []
    at = 0
    for hunk in hunks(found, len(old), len(new)):
        out += old[at : hunk.old[0]]
        assert len(out) == hunk.new[0]
        for sign, start, end in hunk.runs:
            out += new[start:end] if sign == "+" else old[start:end] if sign == " " else []
        at = hunk.old[1]
    return out + old[at:]


@pytest.mark.parametrize("seed", range(40))
def test_runs_are_equal_lines_in_order(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        words = [b"%d\n" % number for number in range(chance.choice([2, 4, 30]))]
        old = [chance.choice(words) for _ in range(chance.randrange(14))]
        new = [chance.choice(words) for _ in range(chance.randrange(14))]
        if chance.random() < 0.5:
            new = [line for line in old if chance.random() < 0.8]
        found = matches(old, new)
        assert found.exact
        a = b = 0
        for one, two, count in found.runs:
            assert one >= a and two >= b and count > 0
            assert old[one : one + count] == new[two : two + count]
            a, b = one + count, two + count
        assert applied(found, old, new) == new


@pytest.mark.parametrize("seed", range(20))
def test_a_few_edits_are_found_as_few(seed: int) -> None:
    """difflib's longest blocks are not always the fewest edits: never fewer than ours."""
    chance = random.Random(seed)
    old = [b"%d\n" % chance.randrange(20) for _ in range(60)]
    new = [line for line in old if chance.random() < 0.9] + [b"more\n"]
    ours = sum(count for _, _, count in matches(old, new).runs)
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    assert ours >= sum(block.size for block in blocks)


def test_large_texts_with_anchors_are_compared_whole() -> None:
    chance = random.Random(1)
    old = [b"line %d\n" % number for number in range(20_000)]
    new = [line if chance.random() < 0.97 else b"new %d\n" % number for number, line in enumerate(old)]
    found = matches(old, new)
    assert found.exact
    assert sum(count for _, _, count in found.runs) == sum(one == two for one, two in zip(old, new, strict=True))


@pytest.mark.parametrize("words", [[b"}\n", b"\n", b"x\n"], [b"\n"], [b"%d\n" % number for number in range(9000)]])
def test_hostile_texts_spend_what_is_given_and_no_more(words: list[bytes]) -> None:
    chance = random.Random(2)
    work = Work(200_000)
    for _ in range(20):
        old = [chance.choice(words) for _ in range(9000)]
        new = [chance.choice(words) for _ in range(8000)]
        found = matches(old, new, work)
        assert applied(found, old, new) == new
    assert work.left > -50_000


def test_lines_end_at_newlines_only() -> None:
    assert split(b"a\rb\r\nc\x0b\x0c\x85d\n\ne") == [b"a\rb\r\n", b"c\x0b\x0c\x85d\n", b"\n", b"e"]
    assert split(b"") == []
    assert split(b"a\x0bb\n") == [b"a\x0bb\n"]


def test_masked_lines_are_those_of_the_whole_text() -> None:
    lines = ["user=x", "password=hunter2hunter2", "curl -u me:secretsecret https://x", "plain"]
    assert masked_lines(lines) == masked("\n".join(lines)).split("\n")


def test_a_part_is_masked_by_what_stands_around_it() -> None:
    text = "\n".join(["-----BEGIN PRIVATE KEY-----", *["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + str(n) for n in range(99)],
                      "-----END PRIVATE KEY-----", ""]).encode()  # fmt: skip
    lines = split(text)
    shown = Shown(lines, margin_of(text))
    for at in range(1, 99, 7):
        (line,) = shown.part(at, at + 1)
        assert "gkqhkiG9w0" not in line
