"""What a shell script starts in the end: expansion, builtins, and the walk to the last exec."""
