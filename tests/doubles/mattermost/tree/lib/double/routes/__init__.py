"""The routes that are played; importing them registers them."""

from . import channels, posts, system, teams, users

__all__ = ["channels", "posts", "system", "teams", "users"]
