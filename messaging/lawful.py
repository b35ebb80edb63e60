"""What the law of some countries asks of messages that nobody needs, before one is made: refused, and not held back."""

from collections.abc import Iterator

from django.conf import settings

from consent.models import Topic
from foundation.errors import Problem
from messaging import brands


def lacking(topic: Topic) -> Iterator[Problem]:
    """What mails of the topic must say and cannot yet, each by the field that is missing (CO-17)."""
    if topic.transactional or topic.jurisdiction != Topic.Jurisdiction.CANADA:
        return
    law = f"{topic.name} must keep to Canada's law (CASL)"
    if not brands.current().postal_address.strip():
        yield Problem("brand.postal_address", f"is missing, and {law}: say where you are, in the brand")
    if not settings.CONTACT.strip():
        told = "say in the setting CONTACT how people reach you beside the post: a telephone number, or an address of"
        yield Problem("contact", f"is missing, and {law}: {told} mail or of the web")
