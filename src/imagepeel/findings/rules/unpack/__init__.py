"""Rules of the family `unpack`."""
