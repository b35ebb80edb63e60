"""How a template reads with nobody in particular: what a person would fill in stands there by its name."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from django.conf import settings

from consent import links
from messaging import brands, dynamic, feedback, foot, liquid
from messaging.liquid import Program, Unsayable
from messaging.models import Template, TemplateVersion
from messaging.rendering import Rendered, brand_values


def of(template: Template, version: TemplateVersion) -> Rendered:
    """The version as people would read it, with links that change nothing."""
    brand, topic = brands.current(), template.topic
    addresses = links.inert_urls(topic.slug, template.channel)
    addresses["feedback"] = feedback.inert_url(topic.slug, template.channel)
    if topic.transactional:
        del addresses["unsubscribe"]
    values: dict[str, object] = {
        **{root: {} for root in ("profile", "account", "event", "data")},
        "links": addresses,
        "brand": brand_values(brand),
        "topic": {"name": topic.name},
        "why": foot.why(topic, template.channel, brand.name),
        "words": foot.words(),
        "shown": dynamic.everything(version),
    }
    return Rendered(
        subject=_filled(version.subject, values),
        html=_filled(version.html, values, html=True),
        text=_filled(version.text, values),
    )


def _filled(source: str, values: Mapping[str, object], *, html: bool = False) -> str:
    try:
        program = Program(source, html=html, naming=True)
        return program.fill(values, zone=ZoneInfo(settings.PROJECT_TIME_ZONE), ends_at=liquid.end())
    except Unsayable as unsayable:
        return f"This cannot be shown: {unsayable}."
