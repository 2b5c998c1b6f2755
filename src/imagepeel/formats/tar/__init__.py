"""Tar as container runtimes read it: the rules of Go's archive/tar, with exact offsets and nothing hidden.

`header` reads one 512-byte block, `pax` and `sparse` the extensions, `table` keeps the entries of one layer in
columns, `scanner` is the push parser that fills a table in one pass.
"""
