"""What a form may offer: segments, templates, journeys and teams by their names, and values from the catalogue."""

from functools import cached_property

from foundation.wording import spoken
from journeys.models import Journey
from messaging import delivery
from messaging.models import Template
from segments.editor.controls import Option
from segments.editor.known import Known as Conditions
from segments.models import Segment
from staff.models import Team

Groups = list[tuple[str, list[Option]]]
_MOST = 500


class Known(Conditions):
    """What one panel may suggest, each list looked up once; for conditions of a journey, too."""

    in_journey = True

    def attributes(self) -> list[Option]:
        return self.options("attribute")

    def picks(self, of: str, value: str = "") -> Groups:
        """What can be chosen of a kind, under headings; what is chosen already always stands among it."""
        match of:
            case "segment":
                return _with(value, [("", self.options("segment"))])
            case "template":
                return _with(value, self._templates)
            case "journey":
                return _with(value, [("", [Option(slug, name) for slug, name in self._journeys])])
            case "team":
                return _with(value, [("", [Option(slug, name) for slug, name in self._teams])])
        return _with(value, [])

    @cached_property
    def static(self) -> set[str]:
        """Segments that are filled by hand."""
        return set(Segment.objects.filter(kind=Segment.Kind.STATIC).values_list("slug", flat=True))

    @cached_property
    def _templates(self) -> Groups:
        rows = Template.objects.filter(version__isnull=False, archived=False, one_off=False).order_by("channel", "name")
        groups: dict[str, list[Option]] = {}
        for row in rows[:_MOST]:
            groups.setdefault(delivery.label(row.channel).capitalize(), []).append(Option(row.slug, row.name))
        return list(groups.items())

    @cached_property
    def _journeys(self) -> list[tuple[str, str]]:
        return list(Journey.objects.order_by("name").values_list("slug", "name")[:_MOST])

    @cached_property
    def _teams(self) -> list[tuple[str, str]]:
        return list(Team.objects.order_by("name").values_list("slug", "name")[:_MOST])


def _with(value: str, groups: Groups) -> Groups:
    if value and not any(option.value == value for _, options in groups for option in options):
        return [("", [Option(value, f"{spoken(value)} (gone)")]), *groups]
    return groups
