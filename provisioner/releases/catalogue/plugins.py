"""Plugins of Mattermost: releases that no data here knows, because every organisation chooses its own.

Nobody says where a plugin is had, and no vendor's signature is looked for: a profile says its id, its version and its
digest.
"""

from __future__ import annotations

from provisioner.releases.catalogue import Digest, Release, Vendor

#: What the cache and the reports call them.
APPLICATION = "mattermost-plugin"
_UNKNOWN = "unknown: its maker says"
_SUFFIX = ".tar.gz"


def make_release(plugin: str, version: str, sha256: str | None = None) -> Release:
    """Return a plugin as a release; ``sha256`` is the digest that the profile names, where it does."""
    return Release(
        application=APPLICATION,
        product=f"Mattermost plugin {plugin}",
        version=version,
        edition="",
        licence=_UNKNOWN,
        vendor=Vendor(_UNKNOWN, ""),
        url=f"{plugin}-{version}{_SUFFIX}",
        signature_url="",
        signing_key=None,
        code_signing=None,
        digest=Digest(sha256, "the profile") if sha256 else None,
        needs={},
        upgrades_from=frozenset(),
        end_of_life=None,
        plugin=plugin,
    )


def id_of(file_name: str, version: str) -> str:
    """Return the id of the plugin that an archive in the cache is named after."""
    return file_name.removesuffix(f"-{version}{_SUFFIX}")
