"""The rules of the family `attacks` and their examples."""
