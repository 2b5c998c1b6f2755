"""Image archives as they lie on disk: sources of bytes, decompression, members, archive kinds, choice of an image.

The only code that opens what people name.  Start with `opened.open_archive`; it never writes, and it follows no path of
an image on the host.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
