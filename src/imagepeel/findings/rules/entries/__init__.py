"""Rules of the family `entries`."""
