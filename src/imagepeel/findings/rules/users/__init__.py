"""Rules of the family `users`."""
