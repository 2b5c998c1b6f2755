"""Rules of the family `state`."""
