"""What the API answers about the server itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..api import OK, Answer, Api, Request, route
from ..contract import MOST_USERS, WARN_FROM_USERS, ApiError, invalid
from ..people import LOCAL
from ..plugins import installed, is_active

_SECRETS = (
    "LdapSettings.BindPassword", "FileSettings.PublicLinkSalt", "FileSettings.AmazonS3SecretAccessKey",
    "EmailSettings.SMTPPassword", "GitLabSettings.Secret", "GoogleSettings.Secret", "Office365Settings.Secret",
    "OpenIdSettings.Secret", "SqlSettings.DataSource", "SqlSettings.AtRestEncryptKey",
    "ElasticsearchSettings.Password", "ServiceSettings.SplitKey", "CacheSettings.RedisPassword",
)  # fmt: skip
_HIDDEN = "*" * 32


@route("GET /api/v4/system/ping")
def ping(api: Api, request: Request) -> Answer:
    content: dict[str, Any] = {"status": "OK", "ActiveSearchBackend": "database"}
    content |= dict.fromkeys(
        ("AndroidLatestVersion", "AndroidMinVersion", "IosLatestVersion", "IosMinVersion"), ""
    )
    if request.query.get("get_server_status") == "true":
        content |= api.health()
        if "UNHEALTHY" in content.values():
            content["status"] = "UNHEALTHY"
    fine = content["status"] == "OK" or request.query.get("use_rest_semantics") == "true"
    return Answer(content, 200 if fine else 500)


@route("GET /api/v4/config")
def get_config(api: Api, request: Request) -> Answer:
    request.require(request.who is LOCAL, "sysconsole_read")
    settings = api.configuration.as_json()
    if request.session is not LOCAL:
        for name in _SECRETS:
            section, key = name.split(".")
            if settings[section].get(key):
                settings[section][key] = _HIDDEN
    return Answer(settings)


@route("PUT /api/v4/config", "PUT /api/v4/config/patch")
def change_config(api: Api, request: Request) -> Answer:
    request.require(request.who is LOCAL, "sysconsole_write")
    if not isinstance(request.body, dict):
        raise invalid("config")
    api.configuration.change(request.body)
    return Answer(api.configuration.as_json())


@route("POST /api/v4/config/reload")
def reload_config(api: Api, request: Request) -> Answer:
    request.require(request.who is LOCAL, "reload_config")
    api.configuration.reload()
    return OK


@route("GET /api/v4/config/client")
def get_client_config(api: Api, request: Request) -> Answer:
    if request.query.get("format") != "old":
        raise ApiError(
            "api.config.client.old_format.app_error",
            501,
            "New format for the client configuration is not supported.",
        )
    return Answer(api.client_configuration(request.session))


@route("GET /api/v4/config/environment")
def get_config_environment(api: Api, request: Request) -> Answer:
    request.require(request.who is LOCAL, "sysconsole_read")
    return Answer(api.configuration.locked())


@route("GET /api/v4/license/client")
def get_client_license(api: Api, request: Request) -> Answer:
    if request.query.get("format") != "old":
        raise ApiError(
            "api.license.client.old_format.app_error",
            400,
            "New format for the client license is not supported.",
        )
    return Answer({"IsLicensed": "false"})


@route("GET /api/v4/limits/server")
def get_limits(api: Api, request: Request) -> Answer:
    request.require(False, "sysconsole_read_user_management_users")
    return Answer(
        {
            "maxUsersLimit": WARN_FROM_USERS or 0,
            "maxUsersHardLimit": MOST_USERS,
            "activeUserCount": api.people.count_active(),
        }
    )


@route("GET /api/v4/plugins")
def list_plugins(api: Api, request: Request) -> Answer:
    request.require(False, "sysconsole_read_plugins")
    if not api.configuration["PluginSettings.Enable"]:
        raise ApiError("app.plugin.disabled.app_error", 501, "Plugins have been disabled.")
    sides: dict[str, list[Any]] = {"active": [], "inactive": []}
    for manifest in installed(Path(api.configuration["PluginSettings.Directory"])):
        sides["active" if is_active(api.configuration, manifest) else "inactive"].append(manifest)
    return Answer(sides)
