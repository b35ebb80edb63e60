"""Teams of staff: who owns segments and journeys, and is given tasks."""

import re

from django.db import transaction

from foundation.errors import Invalid
from staff import audit
from staff.models import Team

_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")


def save(slug: str, *, name: str) -> Team:
    """Makes a team without members, or renames one; who is in it stays."""
    if not isinstance(slug, str) or not _SLUG.match(slug) or len(slug) > 50:
        raise Invalid.at("slug", "must be lower-case letters, digits and dashes, at most 50")
    if not isinstance(name, str) or not name.strip() or len(name) > 100:
        raise Invalid.at("name", "must be a name of 1 to 100 characters")
    with transaction.atomic():
        team, made = Team.objects.get_or_create(slug=slug, defaults={"name": name.strip()})
        if made or team.name != name.strip():
            team.name = name.strip()
            team.save(update_fields=["name"])
            audit.record("team.saved", "team", slug, f"{'Made' if made else 'Renamed'} the team {team.name}.")
    return team
