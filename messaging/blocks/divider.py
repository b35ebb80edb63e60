"""A line between two parts."""

from messaging.building import BLOCKS, Block, Writer


@BLOCKS.register
class Divider(Block):
    key = "divider"
    label = "Divider"
    icon = "horizontal_rule"
    is_said = False
    place = 70
    fields = {}

    def mjml(self, write: Writer) -> str:
        return '<mj-divider border-width="1px" border-color="#e5e7eb" padding="16px 24px" />'

    def web(self, write: Writer) -> str:
        return "<hr>"

    def text(self) -> str:
        return "----"
