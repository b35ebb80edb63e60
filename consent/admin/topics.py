"""What staff see of topics beyond their settings: what customers read, how consent went, and what a basis asks for."""

from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from consent import overview
from consent.admin.parts import Bars, bars
from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, State, Topic
from consent.page import unasked
from consent.wordings import Wordings, channel_name
from foundation import clock, wording
from foundation.pages import Part, Prose, Table


class TopicFilter(admin.SimpleListFilter):
    """Decisions about one topic, and those about everything at once."""

    title, parameter_name = "topic", "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(EVERYTHING, "Everything"), *Topic.objects.order_by("name").values_list("slug", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(topic=self.value()) if self.value() else queryset


def over_time(topic: str = "", source: str = "", *, title: str) -> Part:
    """Decisions of the last half year, week by week."""
    weeks = overview.weeks(clock.now(), topic=topic, source=source)
    return Bars(
        title=title,
        note="Decisions as they were written down, not people: who says yes, no and yes again counts three times.",
        bars=bars({_week(monday): counted for monday, counted in weeks.items()}),
        empty="Nobody decided anything here in the last half year.",
    )


def _week(monday: date) -> str:
    return f"{monday.day} {monday:%b %Y}"


def by_way(topic: str) -> Part:
    """How the decisions about a topic came about."""
    return Table(
        title="How it came about",
        note="In the last half year.",
        headers=["How", "Yes", "No, or ran out"],
        rows=[
            (ConsentRecord.Source(way.source).label, wording.amount(way.yes), wording.amount(way.no))
            for way in overview.ways(clock.now(), topic=topic)
        ],
        empty="Nobody decided anything here in the last half year.",
    )


def read_by_customers(topic: Topic) -> Part:
    """What stands on the preference page, language by language, and what a yes keeps."""
    return Table(
        title="What customers read",
        note="On their preference page, word for word. Your own words are shown as you wrote them, in every language.",
        headers=["Language", "They read", "What is kept of a yes"],
        rows=[_in_language(topic, code, name) for code, name in settings.LANGUAGES],
        empty="The pages speak no language.",
    )


def _in_language(topic: Topic, code: str, name: str) -> tuple[object, ...]:
    with translation.override(code):
        words = Wordings({topic.slug: topic})
        why = gettext("Why: %(purpose)s") % {"purpose": topic.purpose}
        lines = [topic.description, why]
        if topic.transactional:
            lines.append(gettext("Without these you could not use the product."))
        else:
            answers = f"{gettext('Yes')} / {gettext('No')}"
            lines += [f"{channel_name(channel)}: {answers}. {unasked(topic)}" for channel in topic.channels]
        read = format_html('<div lang="{}"><strong>{}</strong>{}</div>', code, topic.name, _paragraphs(lines))
        kept = [words.of_choice(topic.slug, channel, State.GRANTED) for channel in topic.channels]
        return (
            name,
            read,
            format_html('<div lang="{}">{}</div>', code, _paragraphs([] if topic.transactional else kept)),
        )


def _paragraphs(lines: list[str]) -> SafeString:
    return format_html_join("", "<p>{}</p>", ((line,) for line in lines))


def guidance(topic: Topic) -> Part:
    """What its legal basis asks for, in short."""
    return Prose(
        title="What this basis asks for",
        note="A reminder, and no legal advice: what is right for you, those who advise you know.",
        aside=True,
        text=BASES[topic.basis],
    )


BASES: dict[str, str] = {
    Topic.Basis.CONSENT: (
        "They must have said yes, freely, to just this, after they read what it is; a box that was ticked beforehand is"
        " no yes. It must be as easy to take back, and you must be able to prove it: the ledger does. Most marketing by"
        " email and text message in the EU needs it."
    ),
    Topic.Basis.SOFT_OPT_IN: (
        "For the email address of a customer, got when they bought from you, to tell of similar things of your own;"
        " only if they could say no when they gave it, and can in every message. Not for addresses that you bought or"
        " collected."
    ),
    Topic.Basis.CONTRACT: (
        "Only what they need for what they bought or asked for: invoices, changes, security. An offer in such a message"
        " makes it marketing."
    ),
    Topic.Basis.LEGAL_OBLIGATION: (
        "Only what a law makes you tell them, such as a recall or a breach of their data. Name the law in the purpose."
    ),
    Topic.Basis.LEGITIMATE_INTEREST: (
        "Your interest must weigh more than theirs to be left alone, and you must have written down why. They can"
        " object, and then it ends. In the EU it rarely carries marketing by email."
    ),
}
"""By basis, for who chooses one."""
