"""The portal's variables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from provisioner.profile import colours
from provisioner.profile.model import Profile
from provisioner.profile.portal import Portal


def variables(profile: Profile, portal: Portal) -> dict[str, Any]:
    """Return the variables of the role ``portal``."""
    return {
        "portal_hostname": next(site.hostname for site in profile.sites() if site.name == "portal"),
        "portal_organisation": profile.organisation.name,
        "portal_languages": list(portal.languages),
        "portal_services": [
            {"purpose": purpose, "hostname": service.hostname}
            for purpose, service in profile.services.placed()
        ],
        "portal_links": portal.links.model_dump(exclude_none=True),
        "portal_logo_path": portal.logo_file or "",
        "portal_colours": asdict(colours.paint(portal.colours.accent, portal.colours.background)),
        "portal_security_contact": f"mailto:{portal.security_contact or profile.organisation.contact}",
    }
