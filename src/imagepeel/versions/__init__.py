"""The versions of a path over all layers that an archive ships: their content, their lines, and how each differs.

Start with `versions`, which asks the life of a path for its versions; `lines` compares texts, `patch` writes patches.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
