"""sovstack: one profile file in, one working, verified, sovereign collaboration suite out."""

__version__ = "0.1.0"
