"""The filesystem that a runtime will see: inodes, layer uppers, the overlay merge, path resolution, views.

`tree` knows inodes and the kernel's merge, `engines` plays extractors through, `view` joins them into a `Rootfs`, and
the other modules ask questions of it: who brought a path, what is unreachable, how two of them differ.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
