"""Whom a link to the preference page lets in, and how far: to choose less, or more, or to see and take their data."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.utils import timezone, translation

from consent import links, preferences, tokens
from consent.models import Preference
from profiles.models import Profile

# A mail may be passed on, and lies in an inbox for years. To turn something on, and to see, take or erase data, needs
# a link that was made within this time; to turn down and off, any will do.
FRESH = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Visit:
    """`full`: shows data, if masked; `fresh`: shows it plainly and may do all; `over`: tells of a new link only."""

    profile: Profile
    preference: Preference
    full: bool
    fresh: bool
    over: bool = False


def by(token: str, now: datetime) -> Visit | None:
    """The visit that a token allows; None where it is not one of ours, or nobody's any more."""
    kept = tokens.read_at_any_age("preferences", token)
    values = kept or tokens.read("less", token, now=now)
    profile = links.profile_of(values["profile"]) if values else None
    if values is None or profile is None:
        return None
    preference = preferences.of([profile.id])[profile.id]
    late = kept is not None and tokens.read("preferences", token, now=now) is None
    return Visit(
        profile,
        preference,
        full=kept is not None,
        fresh=kept is not None and now <= values["at"] + FRESH,
        over=values["epoch"] < preference.token_epoch or late,
    )


@contextmanager
def speaking_to(request: HttpRequest, profile: Profile | None, preference: Preference | None) -> Iterator[None]:
    """Within the block, texts are in the person's language and days in their time zone."""
    language = language_of(profile, preference) if profile and preference else None
    zone = preferences.zone_of(profile, preference) if profile and preference else timezone.get_default_timezone()
    with translation.override(language or translation.get_language_from_request(request)), timezone.override(zone):
        yield


def language_of(profile: Profile, preference: Preference) -> str | None:
    """The language that they chose, else that of their profile; None if it is none of ours."""
    asked = (preference.language, profile.locale)
    return next((code for name in asked if name and (code := _known(name))), None)


def _known(name: str) -> str | None:
    try:
        return translation.get_supported_language_variant(name.replace("_", "-").lower())
    except LookupError:
        return None
