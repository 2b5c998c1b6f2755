"""Survey a fleet on Ray, whose workers stand behind a `concurrent.futures.Executor` of a few lines.

python examples/survey_on_ray.py archives/ facts/
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import ray

import imagepeel


class RayExecutor(Executor):
    """Each call is a task of Ray; its future is Ray's own."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return ray.remote(_call).remote(fn, args, kwargs).future()


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)


if __name__ == "__main__":
    ray.init()
    result = imagepeel.survey(sys.argv[1], out=sys.argv[2], executor=RayExecutor())
    print(result)
