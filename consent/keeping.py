"""What is kept for a time and is not messages: behaviour, and what proves consent. Those above add their own."""

from consent import forgetting
from consent.retention import Kept, keep
from profiles import retention

EVIDENCE_FOR = 3 * 366  # days after the end of what it proves: so long a claim can come

keep(
    Kept(
        key="events",
        label="What people did",
        what="Each single event, with its properties.",
        stays="How often and when somebody did what, by day: segments and figures go on counting by that.",
        least=90,
        default=None,
        count=retention.count_events,
        drop=retention.drop_events,
    )
)
keep(
    Kept(
        key="evidence",
        label="Evidence of consent",
        what="What proves a decision beyond the ledger (network, browser, form), so long after the consent has ended.",
        stays="The ledger, every decision with the words that were shown; evidence of consent that stands.",
        least=366,
        default=EVIDENCE_FOR,
        count=forgetting.count_evidence,
        drop=forgetting.drop_evidence,
    )
)
