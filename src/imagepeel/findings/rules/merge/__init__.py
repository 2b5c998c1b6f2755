"""Rules of the family `merge`."""
