"""The kinds of values that a profile is made of, and what all its parts have in common.

A validator looks at one value; whatever needs two values is a rule (``rules.py``). Paths on the controller become
absolute here: ``~`` is the home directory, anything else is relative to the profile's folder.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    ValidationInfo,
    model_validator,
)

from provisioner.profile import chat_values, values


def _controller_path(text: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder", ".")
    # In os.path, because the result stays text and nothing here touches a file.
    path = os.path.join(folder, os.path.expanduser(values.check_text(text)))  # noqa: PTH111, PTH118
    return values.check_text(os.path.abspath(path))  # noqa: PTH100


def _format(name: str) -> Any:  # noqa: ANN401  pydantic's own declaration
    """Return a JSON Schema format, for editors; the validator beside it decides."""
    return Field(json_schema_extra={"format": name})


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(values.check_text)]
HostName = Annotated[str, _format("hostname"), AfterValidator(values.check_host_name)]
Label = Annotated[str, _format("label"), AfterValidator(values.check_label)]
IpAddress = Annotated[str, _format("address"), AfterValidator(values.check_ip_address)]
IpNetwork = Annotated[str, _format("network"), AfterValidator(values.check_ip_network)]
NameOrAddress = Annotated[str, _format("host name or address"), AfterValidator(values.check_name_or_address)]
CountryCode = Annotated[str, _format("country code"), AfterValidator(values.check_country)]
EmailAddress = Annotated[str, _format("email"), AfterValidator(values.check_email_address)]
HttpsUrl = Annotated[str, _format("uri"), AfterValidator(values.check_https_url)]
TimeZone = Annotated[str, _format("time zone"), AfterValidator(values.check_time_zone)]
Language = Annotated[str, _format("language code"), AfterValidator(values.check_language)]
UserName = Annotated[str, _format("user name"), AfterValidator(values.check_user_name)]
SshHostKey = Annotated[str, _format("SSH public key"), AfterValidator(values.check_ssh_public_key)]
VariableName = Annotated[str, _format("variable name"), AfterValidator(values.check_variable_name)]
ReleaseVersion = Annotated[str, _format("release number"), AfterValidator(values.check_release_version)]
HostPath = Annotated[str, _format("path on the host"), AfterValidator(values.check_host_path)]
ControllerPath = Annotated[
    str, Field(max_length=1024), _format("path on the controller"), AfterValidator(_controller_path)
]
AppName = Annotated[str, _format("app name"), AfterValidator(values.check_app_name)]
SecretName = Annotated[str, _format("secret name"), AfterValidator(values.check_secret_name)]
UploadSize = Annotated[str, _format("size"), AfterValidator(values.check_size)]
Days = Annotated[StrictInt, Field(ge=1, le=3650)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
MediaPort = Annotated[StrictInt, Field(ge=1024, le=49151)]  # above begin the ports that TURN relays from
Settings = Annotated[Mapping[str, Any], AfterValidator(values.check_settings)]
DisplayName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(values.check_text)]
SiteName = Annotated[str, Field(min_length=1), AfterValidator(chat_values.check_site_name)]
TeamName = Annotated[str, _format("team name"), AfterValidator(chat_values.check_team_name)]
PersonName = Annotated[str, _format("log-in name"), AfterValidator(chat_values.check_person_name)]
ChannelName = Annotated[str, _format("channel name"), AfterValidator(chat_values.check_channel_name)]
PluginId = Annotated[str, _format("plugin id"), AfterValidator(chat_values.check_plugin_id)]
PluginVersion = Annotated[str, _format("plugin version"), AfterValidator(chat_values.check_plugin_version)]
Sha256 = Annotated[str, _format("SHA-256"), AfterValidator(values.check_sha256)]
SettingName = Annotated[str, _format("setting"), AfterValidator(chat_values.check_setting_name)]
Colour = Annotated[str, _format("colour"), AfterValidator(values.check_colour)]
MattermostSettings = Annotated[Mapping[SettingName, Any], AfterValidator(values.check_settings)]


class Part(BaseModel):
    """A mapping of the profile: frozen, without unknown keys."""

    # A number becomes text where text is wanted (the name 112): the document reader keeps it exact.
    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: object) -> object:
        # A key with nothing behind it, or with everything under it commented out, is a key that is not given.
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}
