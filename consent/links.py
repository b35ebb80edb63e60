"""Where a person can go: the addresses of their pages, always from BASE_URL and never from a request's Host."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from consent import tokens
from consent.models import Preference
from foundation import clock
from profiles.models import Profile


def preferences_url(profile: Profile, now: datetime | None = None) -> str:
    """The person's preference page; works for 90 days."""
    epoch = Preference.objects.filter(profile=profile).values_list("token_epoch", flat=True).first() or 0
    token = tokens.make("preferences", profile=profile.id, epoch=epoch, at=now or clock.now())
    return settings.BASE_URL + reverse("consent:preferences", args=[token])


def unsubscribe_url(profile: Profile, topic: str, channel: str, message: UUID | None) -> str:
    """Stops one topic on one channel (topic "": all of the channel's marketing), for ever; asks nobody anything."""
    token = tokens.make("unsubscribe", profile=profile.id, topic=topic, channel=channel, message=message)
    return settings.BASE_URL + reverse("consent:unsubscribe", args=[token])
