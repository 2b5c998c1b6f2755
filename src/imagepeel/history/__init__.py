"""The build steps of an image: what wrote a line of history, which step made which layer, the Dockerfile again.

Start with `builders`, the reader of `created_by`.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
