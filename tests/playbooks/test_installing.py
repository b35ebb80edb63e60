"""Every playbook of the library can be installed, again without effect, and says where it is wrong."""

from datetime import datetime

import pytest

from foundation.errors import Invalid
from journeys.models import Journey, JourneyVersion
from journeys.testing.models import JourneyTest
from messaging.models import TemplateVersion
from playbooks import files, installing
from segments.models import Segment, SegmentVersion
from staff.models import AuditEntry

TINY = """
name: Tiny
what: One segment.
segments:
  - slug: everybody
    name: Everybody
    definition: {all: []}
"""


@pytest.mark.django_db
@pytest.mark.parametrize("slug", files.slugs())
def test_a_playbook_of_the_library_is_installed_live_passes_its_tests_and_changes_nothing_again(
    slug: str, now: datetime
) -> None:
    def everything() -> list[int]:
        return [model.objects.count() for model in (SegmentVersion, JourneyVersion, TemplateVersion, AuditEntry)]

    playbook = files.load(slug)
    installing.install(playbook, now=now)
    assert set(Segment.objects.filter(status="live").values_list("slug", flat=True)) == {
        row["slug"] for row in playbook.segments
    }
    assert set(Journey.objects.filter(status="live").values_list("slug", flat=True)) == {
        row["slug"] for row in playbook.journeys
    }
    passed = JourneyTest.objects.filter(result="passed").values_list("name", flat=True)
    assert sorted(passed) == sorted(test["name"] for _, test in playbook.tests)
    assert len(passed) >= 2 or slug in ("music-shop", "web-shop")
    before = everything()
    installing.install(files.load(slug), now=now)
    assert everything() == before


@pytest.mark.django_db
def test_without_publishing_its_journeys_are_drafts(now: datetime):
    installing.install(files.load("web-shop"), now=now, publish=False)
    assert set(Journey.objects.values_list("status", flat=True)) == {"draft"}


@pytest.mark.django_db
def test_what_is_wrong_is_named_with_its_place_and_nothing_is_saved(now: datetime):
    text = (
        TINY
        + "  - slug: wrong\n    name: Wrong\n    definition: {kind: event, name: x, count: {op: about, value: 3}}\n"
    )
    with pytest.raises(Invalid) as caught:
        installing.install(files.read("tiny", text), now=now)
    assert caught.value.problems[0].path.startswith("tiny.segments.wrong.definition.count.op")
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a list", "must hold"),
        ("name: [", "no YAML"),
        ("name: x\nwidgets: []", "widgets"),
        ("name: x\nsegments: [{name: without a slug}]", "each with a slug"),
        ("name: x\nsegments: 5", "segments"),
    ],
)
def test_a_file_that_is_no_playbook_says_why(text: str, said: str):
    with pytest.raises(Invalid, match=said):
        files.read("mine", text)


def test_a_playbook_that_is_not_there_names_those_that_are():
    with pytest.raises(Invalid, match="music-shop, onboarding"):
        files.load("nowhere")
