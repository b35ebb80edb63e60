"""Chance that falls as a test needs it."""

from itertools import count

from messaging.holdouts import periods
from messaging.holdouts.models import Holdout
from profiles.models import Profile


def stand(holdout: Holdout, *people: tuple[Profile, bool]) -> None:
    """Gives the holdout a salt by which each of these people is held out, or is not."""
    for n in count():
        holdout.salt = f"salt-{n}"
        if all(periods.drawn(holdout, one.id) is held for one, held in people):
            holdout.save()
            return
