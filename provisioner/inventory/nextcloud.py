"""Nextcloud's variables."""

from __future__ import annotations

from typing import Any

from provisioner.inventory import platform
from provisioner.inventory.model import ReleaseRef
from provisioner.inventory.references import secret
from provisioner.profile import people
from provisioner.profile.model import Profile
from provisioner.profile.services import NextcloudService


def variables(profile: Profile, service: NextcloudService, release: ReleaseRef) -> dict[str, Any]:
    """Return the variables of the role ``nextcloud``."""
    organisation = profile.organisation
    language = organisation.language
    return {
        "nextcloud_hostname": service.hostname,
        "nextcloud_version": release.version,
        "nextcloud_archive_path": release.archive_path,
        "nextcloud_archive_sha256": release.sha256,
        "nextcloud_admin_user": people.ADMINISTRATOR,
        "nextcloud_admin_password": secret("nextcloud_admin_password"),
        "nextcloud_data_dir": service.data_directory,
        "nextcloud_default_language": language,
        "nextcloud_default_locale": language if "_" in language else f"{language}_{organisation.country}",
        "nextcloud_default_phone_region": organisation.country,
        "nextcloud_default_timezone": organisation.timezone,
        "nextcloud_maintenance_window_start": service.maintenance_window_start,
        "nextcloud_trashbin_days": service.trashbin_days,
        "nextcloud_activity_days": service.activity_days,
        "nextcloud_log_days": service.log_days,
        "nextcloud_upload_limit": service.upload_limit,
        "nextcloud_trusted_proxies": list(service.trusted_proxies),
        "nextcloud_apps_enabled": list(service.apps_enabled),
        "nextcloud_apps_disabled": list(service.apps_disabled),
        "nextcloud_settings": dict(service.settings),
        "nextcloud_secret_settings": {key: secret(name) for key, name in service.secret_settings.items()},
        **platform.database(profile, "nextcloud"),
        **platform.cache(profile, "nextcloud"),
    }
