"""Which packages an image has: the databases of dpkg, apk, rpm, pip and npm, joined with layers and bytes.

One module a family reads the bytes of its databases (`registry.py` lists them); `databases.py` finds them in the layers
with the time they live, and `inventory.py` joins records, files and layers.  Nothing here is executed, fetched or
written.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
