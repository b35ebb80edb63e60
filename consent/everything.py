"""Everything that is held about a person, gathered from all apps: as a document that programs can read, and people too.

The document's shape is published as a JSON Schema. Within one version of the format names may be added; none goes, and
none changes its meaning.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from consent import preferences, retention, visits, wordings
from foundation import registry
from profiles.models import Profile

FORMAT = "cairn.person/1"
SCHEMA = "consent/person.1.schema.json"  # under static/


def gather(profile: Profile, now: datetime) -> dict[str, Any]:
    """The document: what each app holds, and what is done with it, told in their language."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "schema": f"{settings.BASE_URL}{settings.STATIC_URL}{SCHEMA}",
        "made_at": now.isoformat(),
    }
    with translation.override(language_of(profile)):
        document["about"] = about()
    for part in registry.export.ask(profile):
        document |= part
    return document


def language_of(profile: Profile) -> str:
    """The language that the person is told in where no browser of theirs says one."""
    return visits.language_of(profile, preferences.of([profile.id])[profile.id]) or settings.LANGUAGE_CODE


def about() -> dict[str, Any]:
    """What the law wants told beside the data itself (GDPR, article 15(1)), in the language that is active now."""
    return {
        "responsible": wordings.contact(),
        "where_from": _("It comes from the product that you use, and from what you do with our messages."),
        "what_for": _("We use it to send what fits you, when it fits you, and to see what helps."),
        "who_gets_it": _(
            "Those who deliver our messages get your address for it, and systems of ours that work with this one what"
            " they need."
        ),
        "how_it_decides": _(
            "Rules that people wrote decide by it which groups you are in, and which messages fit you. Nothing else is"
            " decided so."
        ),
        "how_long": how_long(),
        "your_rights": _(
            "You can have it corrected, restricted, erased, and given to you as a file; you can object to"
            " marketing; and you can complain to your data protection authority."
        ),
    }


def how_long() -> list[str]:
    """For how long what is kept, as staff chose it, in sentences."""
    told = {
        "events": _("What you did is kept, one by one, for %d days, and then as counts alone."),
        "messages": _("What our messages said is kept for %d days."),
        "evidence": _("What proves that you agreed is kept for %d days after that ended."),
    }
    times = {key: retention.days(kind) for key, kind in retention.KINDS.items() if key in told}
    limited = [told[key] % days for key, days in times.items() if days is not None]
    return [*limited, _("All else is kept while we need it for this, or until you have it erased.")]
