"""Pure byte formats: bytes in, values out, no I/O.  Each module is one format and names the rules it follows.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
