"""A tree of inodes: what a layer adds to it, how the kernel merges trees, how a path is resolved in one.

Start with `inode`.
"""
