"""Who is left out by what they asked for: the restricted, and those who object."""

from datetime import datetime

from consent import limits, states
from profiles.models import Profile


def test_CO04_CO10_people_are_filtered_by_what_limits_them(
    ada: Profile, ben: Profile, cleo: Profile, now: datetime
) -> None:
    limits.restrict(ben, now=now)
    limits.object_all(cleo, now=now)
    assert list(Profile.objects.filter(id__in=states.restricted())) == [ben]
    assert list(Profile.objects.filter(id__in=states.objecting())) == [cleo]
    left = Profile.objects.exclude(id__in=states.restricted()).exclude(id__in=states.objecting())
    assert list(left) == [ada]
    limits.lift(ben, "restricted", now=now)
    assert not states.restricted().exists()
