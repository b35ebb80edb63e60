"""What the customer's page says of journeys: which they are in the middle of."""

from consent import shaping
from foundation import registry
from journeys.models import Enrollment, EnrollmentState
from profiles.models import Profile

_SHOWN = 5


@registry.panels.join
def panel(profile: Profile, place: str) -> list[str]:
    """The journeys that they are on; only where nobody but they themselves reads it."""
    if place != "data":
        return []
    rows = Enrollment.objects.filter(profile=profile, state=EnrollmentState.ACTIVE).order_by("-entered_at", "id")
    names = dict.fromkeys(rows.values_list("journey__name", flat=True)[:_SHOWN])
    return [html] if (html := shaping.ways(list(names))) else []
