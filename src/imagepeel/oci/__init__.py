"""OCI and Docker documents as values: bytes in, frozen values out, no I/O.

Each module is one document of the image-spec (or of `docker save`) and names the text it follows.  Reading is as
tolerant as the most tolerant engine; whatever a stricter one refuses is recorded as an anomaly.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
