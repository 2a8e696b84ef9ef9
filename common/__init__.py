"""Shared foundations of all packages; nothing here knows about vehicles."""
