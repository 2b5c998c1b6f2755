"""Rules of the family `archive`."""
