"""A member of staff puts somebody on the journey."""

from journeys.kinds import Trigger, triggers


@triggers.register
class Manual(Trigger):
    key = "manual"
    label = "A member of staff"
    icon = "front_hand"
    about = "A colleague puts people on it."
    example = {"kind": "manual"}

    def sentence(self) -> str:
        return "a member of staff puts somebody on it"
