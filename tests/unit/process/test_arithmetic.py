"""Arithmetic of shells; the values and faults are those of dash 0.5.12, bash 5.2 and busybox 1.35."""

from __future__ import annotations

import pytest

from imagepeel.process.shell.arithmetic import ArithmeticFails, evaluate

VALUES = {"A": "7", "EMPTY": "", "WORD": "many"}


def value_of(name: str) -> str | None:
    return None if name == "HIDDEN" else VALUES.get(name, "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-7/2", -3), ("-7%3", -1), ("010 + 1", 9), ("7 - 2 - 1", 4), ("2*(3+4)", 14), ("EMPTY + 1", 1), ("NOPE", 0),
        ("- -A", 7), ("-A / 2", -3), ("0", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dash", [True, False])
def test_values(text: str, value: int, dash: bool) -> None:
    assert evaluate(text, value_of, dash=dash) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [("1/0", "division"), ("1/0 x", "division"), ("4 % NOPE", "division"), ("5 + ", "primary"), ("1+*2", "primary"),
     ("08", "end"), ("1.5+1", "end"), ("2 x", "end")],
)  # fmt: skip
@pytest.mark.parametrize("dash", [True, False])
def test_faults(text: str, fault: str, dash: bool) -> None:
    with pytest.raises(ArithmeticFails) as found:
        evaluate(text, value_of, dash=dash)
    assert found.value.fault == fault


@pytest.mark.parametrize("text", ["HIDDEN + 1", "1 || 0", "A = 4", "0x10", "16#ff", "9" * 30, "1+" * 150 + "1", "WORD"])
def test_what_is_not_followed(text: str) -> None:
    assert evaluate(text, value_of, dash=False) is None


def test_dash_has_fewer_operators_and_takes_only_numbers() -> None:
    for text in ("2**3", "A++"):
        with pytest.raises(ArithmeticFails, match="primary"):
            evaluate(text, value_of, dash=True)
        assert evaluate(text, value_of, dash=False) is None
    with pytest.raises(ArithmeticFails, match="number"):
        evaluate("WORD", value_of, dash=True)
    assert evaluate("", value_of, dash=False) == 0
