"""Rules of the family `start`."""
