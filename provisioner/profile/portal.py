"""The landing page that leads people to the services.

Every description here is also the text of the JSON Schema and of ``docs/profile.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from provisioner.profile import values
from provisioner.profile.fields import (
    Colour,
    ControllerPath,
    EmailAddress,
    HostName,
    HttpsUrl,
    Label,
    Part,
)


class Colours(Part):
    """The page's colours; for people who prefer a dark page, it has one that follows from these."""

    accent: Colour = Field(
        "#1d4f7c",
        description="Band, links and icons, as `#rrggbb`; its contrast with the background must be 4.5 at least.",
    )
    background: Colour = Field("#ffffff", description="The page, as `#rrggbb`; text on it is nearly black.")


class Links(Part):
    """Pages of the organisation that the portal leads to."""

    imprint: HttpsUrl | None = Field(None, description="Who is behind the page (colofon).")
    privacy: HttpsUrl | None = Field(None, description="What happens with personal data (GDPR, article 13).")
    accessibility: HttpsUrl | None = Field(
        None,
        description="The accessibility statement that the Besluit digitale toegankelijkheid overheid asks for.",
    )
    security: HttpsUrl | None = Field(
        None, description="How vulnerabilities are reported and dealt with; also the policy in security.txt."
    )


class Portal(Part):
    """A static page that leads to the services, and a security.txt that renews itself."""

    hostname: HostName | None = Field(
        None, description="Name under which people reach it; otherwise `organisation.domain`."
    )
    host: Label | None = Field(None, description="Key of the host that serves it; not needed with one host.")
    languages: Annotated[
        tuple[Literal["nl", "en"], ...], Field(min_length=1), AfterValidator(values.refuse_repetition)
    ] = Field(("nl", "en"), description="Languages of the page, the first one first.")
    logo_file: ControllerPath | None = Field(
        None,
        description="The organisation's logo on the controller, SVG or PNG; otherwise its name is shown.",
    )
    colours: Colours = Field(
        default_factory=lambda: Colours.model_validate({}), description="The page's colours."
    )
    links: Links = Field(
        default_factory=lambda: Links.model_validate({}),
        description="Pages that an organisation has to show.",
    )
    security_contact: EmailAddress | None = Field(
        None, description="Where vulnerabilities are reported; otherwise `organisation.contact`."
    )
