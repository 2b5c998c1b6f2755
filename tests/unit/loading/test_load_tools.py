"""What the base of load tools leaves to each of them."""

from __future__ import annotations

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
