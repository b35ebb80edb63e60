"""The one thing to do."""

from messaging.building import BLOCKS, Block, Writer


@BLOCKS.register
class Button(Block):
    key = "button"
    label = "Button"
    icon = "smart_button"
    place = 30
    shapes = {"text": "line", "href": "address"}
    fields = {"text": "what it says", "href": "where it leads, such as https://example.com/start"}

    def mjml(self, write: Writer) -> str:
        return (
            f'<mj-button href="{write.href(self.values["href"])}" align="left" padding="12px 24px" border-radius="6px"'
            f' font-size="16px" font-weight="600" inner-padding="12px 20px" color="#ffffff"'
            f' background-color="{write.liquid("{{ brand.colour }}")}">{write.plain(self.values["text"])}</mj-button>'
        )

    def web(self, write: Writer) -> str:
        href, words = write.href(self.values["href"]), write.plain(self.values["text"])
        return f'<p><a class="button" href="{href}">{words}</a></p>'

    def text(self) -> str:
        return f"{self.values['text']}: {self.values['href'].strip()}"
