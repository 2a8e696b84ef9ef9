"""The base of every stage's settings."""

from common.settings import Settings

__all__ = ["Settings"]
