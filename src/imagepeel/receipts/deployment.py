"""How a person sees a line of a deployment's file."""

from __future__ import annotations

from imagepeel.evidence import Receipt
from imagepeel.receipts.quoting import file_word


def line_receipt(file: str, line: int) -> Receipt | None:
    """Return the command that prints a line of a file; None for standard input, which is gone."""
    if not line or not file or file in ("-", "standard input"):
        return None
    return Receipt(command=f"sed -n {line}p {file_word(file)}", shows="the line of the deployment")
