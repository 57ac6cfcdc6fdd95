"""What one value of a profile must look like; each check returns the value in its normal form.

A check raises ``MalformedValue`` with what is wanted; the reader adds file, line and the value's name.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from provisioner.profile.characters import describe

_EXPRESSION = re.compile(r"\{[{%#]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
# Officially assigned codes of ISO 3166-1 alpha-2.
_ISO_3166 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT
BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH
ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT
HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS
LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI
NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG
SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG
UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ISO_3166.split())
_UNFIT_PLACES = {
    "is lost when the host restarts": "dev|run|var/run|var/lock",
    "is hidden from services (ProtectHome, PrivateTmp)": "home|root|tmp|var/tmp",
    "is a place of the system": "bin|boot|etc|lib|lib64|proc|sbin|sys|usr",
    "is a place of the program itself": "opt/nextcloud|opt/mattermost|srv/portal",
}
_SSH_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


class MalformedValue(ValueError):
    """A value is not of the form that is wanted.

    Attributes:
        message: What is wrong; it follows the value, if that is shown.
        hint: How to mend it.
        confidential: Whether the value is perhaps a secret that was put in the wrong place.
    """

    def __init__(self, message: str, hint: str = "", *, confidential: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.confidential = confidential


def check_text(text: str) -> str:
    """One line of text, without blanks at its ends."""
    if "\n" in text or not text.strip():
        raise MalformedValue("must be one line of text")
    refuse_expressions(text)
    return text.strip()


def check_settings(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Free settings: names with values of any depth, in which no text is an expression."""
    refuse_expressions(settings)
    return settings


def refuse_expressions(value: object) -> None:
    """Refuse what Ansible would evaluate when it reads the value as a variable."""
    if isinstance(value, Mapping):
        for item in value.items():
            refuse_expressions(item)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_expressions(item)
    elif isinstance(value, str) and (found := _EXPRESSION.search(value)):
        raise MalformedValue(
            f"holds {found.group()}, which Ansible would evaluate", "Write the value itself."
        )


def check_host_name(text: str) -> str:
    """A fully qualified host name in ASCII (RFC 1123), in lower case."""
    if foreign := next((character for character in text if not character.isascii()), None):
        raise MalformedValue(
            f"holds {describe(foreign)}, and host names are ASCII",
            "Type the name anew; write an internationalised name in its xn-- form.",
        )
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise MalformedValue(
            "is not a host name: letters, digits and hyphens, in parts of at most 63 between dots"
        )
    if len(labels) < 2 or labels[-1].isdigit():
        raise MalformedValue(
            "is not a full host name", "Write the name with its domain, such as cloud.zonnedael.example."
        )
    return name


def check_label(text: str) -> str:
    """A short name of a host inside the profile: a DNS label in lower case that begins with a letter."""
    if not (_LABEL.match(text) and text[0].isalpha()):
        raise MalformedValue(
            "is not a short name",
            "Use at most 63 lower-case letters, digits and hyphens, beginning with a letter.",
        )
    if text in {"all", "ungrouped", "localhost"}:
        raise MalformedValue(
            f"is a name that Ansible keeps for itself: {text}", "Choose another, such as main."
        )
    return text


def check_ip_address(text: str) -> str:
    """An IPv4 or IPv6 address, in its shortest form."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise MalformedValue(
            "is not an IPv4 or IPv6 address", "Write it as 192.0.2.10 or 2001:db8::10."
        ) from None
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise MalformedValue("is not the address of one machine")
    return address.compressed


def check_ip_network(text: str) -> str:
    """An IPv4 or IPv6 network in CIDR form; a bare address is a network of one."""
    try:
        return ipaddress.ip_network(text, strict=True).compressed
    except ValueError as error:
        if "host bits" in str(error):
            network = ipaddress.ip_network(text, strict=False).compressed
            raise MalformedValue(
                "names an address inside a network", f"Write {network} for the network."
            ) from None
        raise MalformedValue("is not a network", "Write it as 192.0.2.0/24 or 2001:db8::/32.") from None


def check_name_or_address(text: str) -> str:
    """A host name or an address."""
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError:
        return check_host_name(text)


def check_country(text: str) -> str:
    """An ISO 3166-1 alpha-2 code in upper case."""
    code = text.upper()
    if code not in COUNTRIES:
        names = {
            "EU": "is not a country",
            "UK": "is not an ISO code; Great Britain is GB",
            "EL": "is not an ISO code; Greece is GR",
        }
        raise MalformedValue(
            names.get(code, "is not a country code"), "Use two letters of ISO 3166-1, such as NL, BE or DE."
        )
    return code


def check_email_address(text: str) -> str:
    """An e-mail address of the plain form ``local@domain``."""
    local, _, domain = text.rpartition("@")
    if not re.fullmatch(r"[A-Za-z0-9._%+-]{1,64}", local):
        raise MalformedValue("is not an e-mail address", "Write it as ict@zonnedael.example.")
    try:
        return f"{local}@{check_host_name(domain)}"
    except MalformedValue as error:
        raise MalformedValue(f"has a domain that {error.message}", error.hint) from None


def check_https_url(text: str) -> str:
    """An https URL without user, query or fragment."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise MalformedValue(
            "is not a URL", "Write it as https://mirror.zonnedael.example/releases."
        ) from None
    if parts.scheme != "https" or not parts.hostname or re.search(r"[\s\x00-\x1f]", text):
        raise MalformedValue("must be a URL that begins with https://")
    if parts.username or parts.password:
        hint = "Take it out; a profile holds no secrets."
        raise MalformedValue("holds a user or password", hint, confidential=True)
    if parts.query or parts.fragment:
        raise MalformedValue("must not have a query or fragment")
    check_name_or_address(parts.hostname)
    refuse_expressions(text)
    return text


def check_time_zone(text: str) -> str:
    """The shape of an IANA time zone name; whether it exists is looked up by the reader."""
    if text != "UTC" and not re.fullmatch(r"[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z0-9_+-]+){1,2}", text):
        raise MalformedValue("is not a time zone", "Write its IANA name, such as Europe/Amsterdam.")
    return text


def check_language(text: str) -> str:
    """A language code, with a country where the language has several."""
    if not re.fullmatch(r"[a-z]{2,3}(?:_[A-Z]{2})?", text):
        raise MalformedValue("is not a language code", "Write it as nl, fy or de_DE.")
    return text


def check_user_name(text: str) -> str:
    """A Unix log-in name."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text):
        raise MalformedValue("is not a Unix user name", "Use lower-case letters, digits, - and _.")
    return text


def check_ssh_public_key(text: str) -> str:
    """An OpenSSH public key, without its comment."""
    parts = text.split()
    if len(parts) >= 2 and parts[0] in _SSH_KEY_TYPES:
        try:
            blob = base64.b64decode(parts[1], validate=True)
        except ValueError:  # not base64, or not even ASCII
            blob = b""
        kind = parts[0].encode()
        if blob.startswith(len(kind).to_bytes(4, "big") + kind) and len(blob) > len(kind) + 8:
            return f"{parts[0]} {parts[1]}"
    raise MalformedValue(
        "is not an SSH public key", "Copy /etc/ssh/ssh_host_ed25519_key.pub of the host: ssh-ed25519 AAAA..."
    )


def check_variable_name(text: str) -> str:
    """The name of an environment variable."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", text):
        hint = "Write the name, not the password."
        raise MalformedValue("is not the name of an environment variable", hint, confidential=True)
    return text


def check_release_version(text: str) -> str:
    """A release's whole number."""
    if not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,5}){1,3}", text):
        raise MalformedValue("is not a release number", "Write it whole, such as 34.0.1.")
    return text


def check_host_path(text: str) -> str:
    """An absolute path on a host, without dots or characters that need quoting."""
    if not re.fullmatch(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){2,}", text):
        raise MalformedValue("is not a usable path", "Write an absolute path such as /srv/nextcloud/data.")
    for what, places in _UNFIT_PLACES.items():
        if re.match(f"/(?:{places})/", f"{text}/"):
            raise MalformedValue(what, "Use a folder of its own below /srv, such as /srv/nextcloud/data.")
    return text


def check_app_name(text: str) -> str:
    """The name of an application's app, as in its ``appinfo/info.xml``."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,79}", text):
        raise MalformedValue("is not the name of an app", "Use lower-case letters, digits and _.")
    return text


def check_secret_name(text: str) -> str:
    """A name under ``stack_secrets`` in ``secrets.yml``."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+", text) or len(text) > 80:
        hint = "Write a name with _ in it, such as nextcloud_mail_password; the secret itself goes into secrets.yml."
        raise MalformedValue("is not the name of a secret", hint, confidential=True)
    return text


def check_size(text: str) -> str:
    """A size as PHP and nginx both read it."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}[MG]", text):
        raise MalformedValue("is not a size", "Write it in M or G, such as 512M or 16G.")
    return text


def check_sha256(text: str) -> str:
    """A SHA-256 in hexadecimal."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise MalformedValue("is not a SHA-256", "Write its 64 hexadecimal digits, as sha256sum prints them.")
    return text.lower()


def check_colour(text: str) -> str:
    """A colour as six hexadecimal digits, in lower case."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise MalformedValue("is not a colour", 'Write it in quotes as "#rrggbb", such as "#1d4f7c".')
    return text.lower()


def refuse_repetition(items: tuple[str, ...]) -> tuple[str, ...]:
    """A list in which nothing stands twice."""
    if twice := next((item for item in items if items.count(item) > 1), None):
        raise MalformedValue(f"holds {twice} twice", "Keep one.")
    return items


def refuse_bool(value: object) -> object:
    """Keep ``true`` from being taken for 1."""
    if isinstance(value, bool):
        raise MalformedValue("must be a number")
    return value
