"""From a layer blob to a changeset: one pass that decompresses, hashes and indexes, and what history says of it.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
