"""What somebody said."""

from messaging.building import BLOCKS, Block, Writer, unmarked


@BLOCKS.register
class Quote(Block):
    key = "quote"
    label = "Quote"
    icon = "format_quote"
    place = 60
    shapes = {"by": "line"}
    fields = {"text": "what was said", "by": "who said it"}
    optional = frozenset({"by"})

    def mjml(self, write: Writer) -> str:
        by = self.values.get("by")
        said = write.rich(self.values["text"])
        said += f'<br /><span style="color:#6b7280">{write.plain(by)}</span>' if by else ""
        line = write.liquid("{{ brand.colour }}")
        return f'<mj-text><div style="border-left:3px solid {line};padding-left:16px">{said}</div></mj-text>'

    def web(self, write: Writer) -> str:
        by = self.values.get("by")
        who = f"<br>{write.plain(by)}" if by else ""
        return f"<blockquote>{write.rich(self.values['text'])}{who}</blockquote>"

    def text(self) -> str:
        by = self.values.get("by")
        return "\n".join(f"> {line}" for line in unmarked(self.values["text"]).splitlines()) + (
            f"\n> {by}" if by else ""
        )
