"""Contrast as WCAG 2.2 computes it, and the dark page that follows from the light one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioner.profile import colours
from provisioner.profile.model import Profile
from provisioner.profile.portal import Colours, Portal

ROLE = Path(__file__).parents[3] / "roles" / "portal"
COLOURS = st.binary(min_size=3, max_size=3).map(lambda channels: f"#{channels.hex()}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        # Of the understanding documents of WCAG, and of everyone's experience: the first grey that fails.
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert colours.contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert colours.contrast(other, one) == colours.contrast(one, other)


@given(COLOURS)
def test_every_accent_can_be_read_on_the_dark_page(accent: str) -> None:
    palette = colours.paint(accent, "#ffffff")
    assert colours.contrast(palette.dark_accent, palette.dark_background) >= colours.LEAST_CONTRAST
    assert colours.contrast(palette.dark_text, palette.dark_background) >= colours.LEAST_CONTRAST


def test_an_accent_that_can_be_read_there_stays() -> None:
    assert colours.paint("#f2b632", "#ffffff").dark_accent == "#f2b632"


def test_the_role_has_the_colours_of_a_profile_that_names_none() -> None:
    plain = Colours.model_validate({})
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())["portal_colours"]
    assert defaults == vars(colours.paint(plain.accent, plain.background))
    assert colours.contrast(plain.accent, plain.background) >= colours.LEAST_CONTRAST


def test_the_role_has_the_texts_of_every_language() -> None:
    texts = {path.stem: yaml.safe_load(path.read_text()) for path in (ROLE / "files/languages").glob("*.yml")}
    schema = Profile.model_json_schema()["$defs"]["Portal"]["properties"]["languages"]
    assert set(texts) == set(schema["items"]["enum"])
    purposes = set(Profile.model_json_schema()["$defs"]["Services"]["properties"])
    links = set(Profile.model_json_schema()["$defs"]["Links"]["properties"])
    shapes = {
        language: {key: set(value) if isinstance(value, dict) else None for key, value in said.items()}
        for language, said in texts.items()
    }
    assert all(shape == shapes["nl"] for shape in shapes.values())
    assert purposes <= shapes["nl"]["services"]
    assert links == shapes["nl"]["links"]
    assert all(said["title"].count("%s") == 1 for said in texts.values())
    assert Portal.model_validate({}).languages == ("nl", "en")
