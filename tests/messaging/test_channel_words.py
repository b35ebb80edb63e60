"""Every channel reads well where people choose: on the preference page, and at the end of a mail, in every language."""

from datetime import datetime
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from consent import links
from consent.models import Topic
from consent.wordings import channel_name
from foundation.wording import spoken
from messaging import foot
from messaging.delivery import CHANNELS, label
from profiles.models import Profile

LANGUAGES = [code for code, _ in settings.LANGUAGES]
FOR_PEOPLE = ("email", "sms", "in_app", "web_push")


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_every_channel_of_a_topic_in_words(
    language: str, ada: Profile, client: Client, now: datetime
) -> None:
    Topic.objects.create(
        slug="care", name="Care", description="Help.", purpose="To help.", channels=[one.key for one in CHANNELS]
    )
    address = links.preferences_url(ada, now).removeprefix(settings.BASE_URL)
    page = unescape(client.get(address, headers={"Accept-Language": language}).content.decode())
    with translation.override(language):
        names = {one.key: channel_name(one.key) for one in CHANNELS}
    assert [key for key, name in names.items() if name not in page] == []
    assert len(set(names.values())) == len(names)
    assert [key for key, name in names.items() if name == spoken(key) and key not in ("email",)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_end_of_a_mail_names_the_channels_of_people_in_their_language(language: str) -> None:
    named = {key: foot.of(language).channels.get(key, label(key)) for key in FOR_PEOPLE}
    if language != "en":
        assert all(named[key] != label(key) for key in FOR_PEOPLE)
    assert all(named.values())
