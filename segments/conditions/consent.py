"""What somebody said about being written to."""

from dataclasses import dataclass

from foundation import wording
from segments import fields
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question

_SAID = {
    "granted": "agreed to",
    "denied": "declined",
    "expired": "no longer agree, since it ran out, to",
    "unset": "never said yes or no to",
}


@KINDS.register
@dataclass(frozen=True)
class Consent(Leaf):
    """Compares the state for a topic and a channel as of `at`: the choice's own, else that of a wider refusal."""

    key = "consent"
    label = "What they agreed to"
    group = "Who they are"
    icon = "how_to_reg"
    example = {"kind": "consent", "topic": "product-news", "channel": "email", "state": "granted"}

    topic: str = fields.asks(fields.name, look=Look("Topic", of="topic"))
    channel: str = fields.asks(fields.name, look=Look("Channel", of="channel", before="by"))
    state: str = fields.asks(
        fields.choice("granted", "denied", "expired", "unset"), look=Look("What they said", words=_SAID, place=-1)
    )

    def answer(self, q: Question) -> Answer:
        at, topic, channel = q.moment(q.at), q.bind(self.topic, "text"), q.bind(self.channel, "text")
        # What stands since before `at` stood then, too; else the ledger says what did.
        then = (
            f"CASE WHEN c.state = 'granted' AND c.expires_at <= {at} THEN 'expired'"
            f" WHEN c.since <= {at} THEN c.state ELSE (SELECT r.state FROM consent_subject s"
            " JOIN consent_consentrecord r ON r.subject_ref = s.ref"
            " WHERE s.profile_id = c.profile_id AND r.topic = c.topic AND r.channel = c.channel"
            f" AND r.occurred_at <= {at} ORDER BY r.recorded_at DESC, r.seq DESC LIMIT 1) END"
        )
        wider = (
            f"c.topic = '*' AND c.channel IN ({channel}, '*')"
            f" AND NOT EXISTS (SELECT FROM consent_topic t WHERE t.slug = {topic} AND t.transactional)"
        )
        states = (
            f"SELECT c.profile_id, c.topic, c.channel, {then} AS state FROM consent_consentstate c"
            f" WHERE ((c.topic = {topic} AND c.channel = {channel}) OR ({wider})){q.only('c.profile_id')}"
        )
        table = q.table(
            "SELECT x.profile_id AS key, (array_agg(x.state ORDER BY x.topic = '*', x.channel = '*'))[1] AS state"
            f" FROM ({states}) x WHERE x.state = 'denied' OR (x.state IN ('granted', 'expired') AND x.topic <> '*')"
            " GROUP BY 1"
        )
        if self.state == "unset":
            return Answer(f"({table}.state IS NULL)", (f"{table}.state",))
        return Answer(f"({table}.state = {q.bind(self.state, 'text')}) IS TRUE", (f"{table}.state",))

    def changes(self, q: Question) -> list[str]:
        # Of two decisions of one moment the later one counts from an instant after it.
        at = q.moment(q.at)
        table = q.table(
            "SELECT c.profile_id AS key, min(m.at) AS since FROM consent_consentstate c"
            " CROSS JOIN LATERAL (VALUES (c.since), (c.expires_at)) AS m(at)"
            f" WHERE m.at > {at}{q.only('c.profile_id')} GROUP BY 1"
        )
        return [f"{table}.since"]

    def clause(self) -> str:
        return f"who {_SAID[self.state]} “{wording.spoken(self.topic)}” by {self.channel}"

    def refers(self) -> list[tuple[str, str, str]]:
        return [("topic", self.topic, "topic")]

    def needs(self) -> Needs:
        # What the ledger says was decided: the choice itself, or one of everything.
        said = {(self.topic, self.channel), ("*", self.channel), ("*", "*")}
        return Needs(attributes=frozenset(f"consent.{t}.{c}" for t, c in said), consent=True, time=True)

    def tell(self, *found: str | None) -> str:
        return {"granted": "agreed", "denied": "declined", "expired": "it ran out"}.get(found[0] or "", "never said")
