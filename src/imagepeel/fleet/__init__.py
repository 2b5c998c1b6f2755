"""Many images at once: their facts as tables, each layer read once, on any `concurrent.futures.Executor`.

`run.py` leads, `tasks.py` is what workers do, `parts.py` writes what they found, `state.py` remembers what is done.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
