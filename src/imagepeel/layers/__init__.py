"""From a layer blob to a changeset: one pass that decompresses, hashes and indexes, and what history says of it."""
