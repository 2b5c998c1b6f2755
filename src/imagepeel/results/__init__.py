"""The JSON of each command as types, and the functions that fill them."""
