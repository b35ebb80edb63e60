"""What a person's download tells of who they are and what they did."""

from typing import Any

from foundation import registry
from profiles.models import Event, Identifier, Profile


@registry.export.join
def export(profile: Profile) -> dict[str, Any]:
    """Sections `profile`, `known_as` and `events`, the newest last."""
    return {
        "profile": {
            "id": str(profile.id),
            "external_id": profile.external_id,
            **{name: _plain(getattr(profile, name)) for name in Profile.COLUMNS},
            "attributes": profile.attributes,
            "attribute_times": profile.attribute_times,
            "account": profile.account.external_id if profile.account else None,
            "first_seen_at": _plain(profile.first_seen_at),
            "last_seen_at": _plain(profile.last_seen_at),
        },
        "known_as": [
            {"kind": name.kind, "value": name.value, "since": _plain(name.created_at)}
            for name in Identifier.objects.filter(profile=profile).order_by("created_at", "id")
        ],
        "events": [
            {
                "message_id": event.message_id,
                "name": event.type.name,
                "occurred_at": _plain(event.occurred_at),
                "received_at": _plain(event.received_at),
                "properties": event.properties,
            }
            for event in Event.objects.filter(profile=profile).select_related("type").order_by("occurred_at", "id")
        ],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
