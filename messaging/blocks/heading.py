"""A line that stands out."""

from messaging.building import BLOCKS, Block, Writer


@BLOCKS.register
class Heading(Block):
    key = "heading"
    label = "Heading"
    icon = "title"
    place = 10
    shapes = {"text": "line"}
    fields = {"text": "the words of the heading"}

    def mjml(self, write: Writer) -> str:
        words = write.rich(self.values["text"])
        style = 'font-size="24px" font-weight="700" line-height="1.3"'
        return f'<mj-text {style} padding="16px 24px 8px"><h1 style="{_PLAIN}">{words}</h1></mj-text>'

    def web(self, write: Writer) -> str:
        return f"<h2>{write.rich(self.values['text'])}</h2>"

    def text(self) -> str:
        return str(self.values["text"]).strip()


_PLAIN = "font-size:inherit;font-weight:inherit;line-height:inherit;margin:0"
