"""Where a person can go: the addresses of their pages, always from BASE_URL and never from a request's Host."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from consent import tokens
from consent.models import Preference
from foundation import clock, registry
from profiles import merging
from profiles.models import Profile


def preferences_url(profile: Profile, now: datetime | None = None) -> str:
    """The person's preference page; works for 90 days."""
    token = tokens.make("preferences", profile=profile.id, epoch=_epoch(profile), at=now or clock.now())
    return settings.BASE_URL + reverse("consent:preferences", args=[token])


def less_url(profile: Profile, now: datetime) -> str:
    """The same page without data, to turn down and off only: for who came by a link that never expires."""
    token = tokens.make("less", profile=profile.id, epoch=_epoch(profile), at=now)
    return settings.BASE_URL + reverse("consent:preferences", args=[token])


def unsubscribe_url(profile: Profile, topic: str, channel: str, message: UUID | None) -> str:
    """Stops one topic on one channel (topic "": all of the channel's marketing), for ever; asks nobody anything."""
    token = tokens.make("unsubscribe", profile=profile.id, topic=topic, channel=channel, message=message)
    return settings.BASE_URL + reverse("consent:unsubscribe", args=[token])


def list_unsubscribe(url: str) -> str:
    """What the header List-Unsubscribe says: the address that stops a topic, and for old programs a mail that does.

    The mail bears the token in its subject: in an address there is no room for it.
    """
    if not settings.UNSUBSCRIBE_ADDRESS:
        return f"<{url}>"
    token = url.rstrip("/").rpartition("/")[2]
    return f"<{url}>, <mailto:{settings.UNSUBSCRIBE_ADDRESS}?subject=unsubscribe%20{token}>"


def inert_urls(topic: str, channel: str) -> dict[str, str]:
    """For tests, previews and copies: `preferences` and `unsubscribe` that look the same and change nothing."""
    token = tokens.make("inert", topic=topic, channel=channel)
    return {
        name: settings.BASE_URL + reverse(f"consent:{name}", args=[token]) for name in ("preferences", "unsubscribe")
    }


def profile_of(id: UUID) -> Profile | None:
    """Whose link it is today: a link outlives the merge of the person that it was made for. None if they are gone."""
    if (found := Profile.objects.filter(id=id).first()) is not None:
        return found
    return Profile.objects.filter(id__in=merging.whoever([id]).values()).first()


@registry.links.join
def for_api(profiles: Sequence[Profile]) -> dict[Any, dict[str, str]]:
    """Each person's page, for those who ask for the person over the API."""
    now = clock.now()
    epochs = dict(Preference.objects.filter(profile__in=profiles).values_list("profile", "token_epoch"))
    return {
        profile.id: {
            "preferences_url": settings.BASE_URL
            + reverse(
                "consent:preferences",
                args=[tokens.make("preferences", profile=profile.id, epoch=epochs.get(profile.id, 0), at=now)],
            )
        }
        for profile in profiles
    }


def _epoch(profile: Profile) -> int:
    return Preference.objects.filter(profile=profile).values_list("token_epoch", flat=True).first() or 0
