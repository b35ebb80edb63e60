"""A paragraph, or several."""

from messaging.building import BLOCKS, Block, Writer, unmarked


@BLOCKS.register
class Text(Block):
    key = "text"
    label = "Text"
    icon = "notes"
    place = 20
    fields = {"text": "what it says, with **strong** and *stressed* words and [links](https://example.com) if need be"}

    def mjml(self, write: Writer) -> str:
        return f"<mj-text>{write.rich(self.values['text'])}</mj-text>"

    def web(self, write: Writer) -> str:
        return f"<p>{write.rich(self.values['text'])}</p>"

    def text(self) -> str:
        return unmarked(self.values["text"])
