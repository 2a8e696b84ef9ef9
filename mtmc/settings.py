"""The base of every stage's settings."""

from evaluation.settings import Settings

__all__ = ["Settings"]
