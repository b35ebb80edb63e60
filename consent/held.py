"""What is held about a person, told to them: in full by a fresh link, else masked, since mails are passed on."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Count, Min, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from consent.models import Preference
from consent.wordings import day
from foundation.wording import spoken
from profiles.models import EventDay, Profile

_SHOWN = 12


class Held(NamedTuple):
    """One line: what it is, and what of it is shown."""

    name: str
    value: str


def about(profile: Profile, *, masked: bool) -> list[Held]:
    """What is known, line by line; what is not known is left out."""
    hide = mask if masked else str
    return [
        *(Held(name, hide(value)) for name, value in _columns(profile) if value),
        *_behaviour(profile),
        *_attributes(profile, masked),
    ]


def mask(value: str) -> str:
    """`j***@e***.com` of an address, `+***56` of a number, `J***` of all else: to know it by, not to learn it."""
    local, at, domain = value.rpartition("@")
    if at and local:
        name, dot, top = domain.rpartition(".")
        return f"{local[0]}***@{name[:1] or domain[:1]}***{dot}{top if dot else ''}"
    if value.startswith("+") and len(value) > 6:
        return f"+***{value[-2:]}"
    return f"{value[:1]}***"


def _columns(profile: Profile) -> Iterator[tuple[str, str | None]]:
    yield _("Email address"), profile.email
    yield _("Telephone"), profile.phone
    yield _("Name"), " ".join(filter(None, (profile.first_name, profile.last_name)))
    yield _("Company"), str(profile.account) if profile.account else None
    wishes = Preference.objects.filter(profile=profile).first()
    yield _("Your date of birth"), wishes.born_on.isoformat() if wishes and wishes.born_on else None


def _behaviour(profile: Profile) -> Iterator[Held]:
    found = EventDay.objects.filter(profile=profile).aggregate(
        times=Sum("n"), kinds=Count("type", distinct=True), since=Min("first_at")
    )
    if found["times"]:
        times = ngettext("%d thing you did", "%d things you did", found["times"]) % found["times"]
        kinds = ngettext("of %d kind", "of %d kinds", found["kinds"]) % found["kinds"]
        said = _("%(times)s, %(kinds)s, since %(day)s") % {"times": times, "kinds": kinds, "day": day(found["since"])}
        yield Held(_("In the product"), said)


def _attributes(profile: Profile, masked: bool) -> Iterator[Held]:
    names = sorted(profile.attributes)
    if not names:
        return
    told = [
        spoken(name) if masked else f"{spoken(name)}: {_plain(profile.attributes[name])}" for name in names[:_SHOWN]
    ]
    more = [_("and %d more") % (len(names) - _SHOWN)] if len(names) > _SHOWN else []
    yield Held(_("What the product knows"), "; ".join([*told, *more]))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    text = str(value) if not isinstance(value, dict | list) else _("several values")
    return text if len(text) <= 60 else f"{text[:60]}…"
