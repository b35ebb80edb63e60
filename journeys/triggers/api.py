"""A program puts somebody on the journey."""

from journeys.kinds import Trigger, triggers


@triggers.register
class Api(Trigger):
    key = "api"
    label = "A call of the API"
    icon = "api"
    about = "Your own program puts people on it."
    example = {"kind": "api"}

    def sentence(self) -> str:
        return "the API puts somebody on it"
