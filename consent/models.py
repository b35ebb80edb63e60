"""What people agreed to hear: topics, the ledger of decisions, the state that follows, and who is never written to."""

import uuid

from django.db import models

from profiles.models import Profile


class Topic(models.Model):
    """A kind of message that a person can choose to get."""

    class Basis(models.TextChoices):
        CONSENT = "consent", "Consent"
        SOFT_OPT_IN = "soft_opt_in", "Existing customer (soft opt-in)"
        CONTRACT = "contract", "Contract"
        LEGAL_OBLIGATION = "legal_obligation", "Legal obligation"
        LEGITIMATE_INTEREST = "legitimate_interest", "Legitimate interest"

    class Jurisdiction(models.TextChoices):
        CANADA = "CA", "Canada (CASL)"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.TextField(help_text="What it is, in the customer's words.")
    purpose = models.TextField(help_text="Why it exists.")
    basis = models.CharField(max_length=30, choices=Basis, default=Basis.CONSENT)
    default = models.BooleanField(default=False, help_text="What the page offers; never a consent in itself.")
    transactional = models.BooleanField(
        default=False, help_text="Needed for what the person uses: goes on after stop-all."
    )
    double_opt_in = models.BooleanField(
        default=False, help_text="A yes on a page, on a form or by a program counts once it was confirmed by email."
    )
    valid_months = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How long a yes counts; empty: until it is taken back."
    )
    min_age = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="From what age on; empty: for everybody. Whose age is unknown gets nothing."
    )
    jurisdiction = models.CharField(
        max_length=2, choices=Jurisdiction, blank=True, default="", db_default="",
        help_text="The law that its mails must keep to beside that of everywhere, by the country's code.",
    )  # fmt: skip
    channels = models.JSONField(default=list, help_text="Channel keys it may use.")
    archived = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class Subject(models.Model):
    """The link from the ledger's opaque reference to a person. Erasure deletes it; the ledger stays.

    After a merge the survivor has several: new decisions go to the current one, the others keep what led there.
    """

    ref = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="subjects")
    began_with = models.UUIDField(editable=False, help_text="Whose chain it was at first: a merge can be taken back.")
    current = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["profile"], condition=models.Q(current=True), name="one_current_subject_a_person"
            )
        ]


class Wording(models.Model):
    """A text that people were shown when they decided: never changed, found by its digest."""

    digest = models.CharField(primary_key=True, max_length=64)
    text = models.TextField()
    locale = models.CharField(max_length=20)
    version = models.CharField(max_length=50)


class State(models.TextChoices):
    GRANTED = "granted", "Agreed"
    DENIED = "denied", "Declined"
    EXPIRED = "expired", "Ran out"


DECISIONS = (State.GRANTED, State.DENIED)
"""What somebody can say. That a yes ran out nobody says: time does."""


class ConsentRecord(models.Model):
    """One decision, for ever: append-only in the database, chained by hash. Only `consent.ledger` writes it."""

    class Source(models.TextChoices):
        PAGE = "page", "Preference page"
        API = "api", "API"
        IMPORT = "import", "Import"
        DOUBLE_OPT_IN = "double_opt_in", "Double opt-in"
        ONE_CLICK = "one_click", "One-click unsubscribe"
        STAFF = "staff", "Staff"
        MERGE = "merge", "Merge of two profiles"
        COMPLAINT = "complaint", "Complaint"
        JOURNEY = "journey", "Journey"
        REPLY = "reply", "Reply by message"
        EXPIRY = "expiry", "Passing of time"

    class Implied(models.TextChoices):
        PURCHASE = "purchase", "A purchase"
        INQUIRY = "inquiry", "An inquiry"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject_ref = models.UUIDField()
    seq = models.PositiveIntegerField()
    topic = models.CharField(max_length=50)
    channel = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State)
    source = models.CharField(max_length=20, choices=Source)
    actor = models.CharField(max_length=150)
    wording = models.CharField(max_length=64, blank=True, help_text="Digest of the wording that was shown.")
    locale = models.CharField(max_length=20, blank=True)
    message = models.UUIDField(null=True, blank=True, help_text="The message whose link it came by.")
    evidence = models.CharField(
        max_length=64, blank=True, help_text="Salted digest of the evidence, which can be erased."
    )
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Until when a yes counts; for ever if empty.")
    implied = models.CharField(
        max_length=10, choices=Implied, blank=True, default="", db_default="", help_text="By what, if nobody said it."
    )

    class Meta:
        verbose_name = "decision"
        constraints = [
            models.UniqueConstraint(fields=["subject_ref", "seq"], name="one_chain_a_subject"),
            models.CheckConstraint(
                condition=models.Q(expires_at=None) | models.Q(state="granted"), name="only_a_yes_runs_out"
            ),
            # What nobody said is worth only what proves it, and for a time.
            models.CheckConstraint(
                condition=models.Q(implied="")
                | (models.Q(state="granted", expires_at__isnull=False) & ~models.Q(evidence="")),
                name="implied_is_proven_and_runs_out",
            ),
        ]
        indexes = [models.Index(fields=["-recorded_at"], name="decisions_newest_first")]


class ConsentEvidence(models.Model):
    """What proves a decision beyond the record: erasable, and the record keeps only a salted digest of it."""

    record = models.UUIDField(primary_key=True)
    salt = models.CharField(max_length=64)
    data = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["recorded_at"], name="evidence_by_age")]


class Anchor(models.Model):
    """What the ends of all chains were at a moment, in one hash. Only `consent.anchoring` writes it."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    covers = models.DateTimeField(help_text="What was written down until then is in it.")
    chains = models.PositiveBigIntegerField()
    root = models.CharField(max_length=64)


class ConsentState(models.Model):
    """The state now, a projection of the ledger; `manage.py verify_ledger` rebuilds and compares."""

    id = models.BigAutoField(primary_key=True)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="consents")
    topic = models.CharField(max_length=50)
    channel = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State)
    record = models.UUIDField()
    since = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Until when a yes counts; for ever if empty.")

    class Meta:
        verbose_name = "choice"
        constraints = [models.UniqueConstraint(fields=["profile", "topic", "channel"], name="one_state_a_choice")]
        indexes = [
            models.Index(fields=["-since"], name="choices_newest_first"),
            models.Index(fields=["topic", "channel", "state"], name="who_chose_what"),
            # Few run out, and fewer are about to: the loop finds them here.
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state="granted", expires_at__isnull=False),
                name="choices_that_run_out",
            ),
        ]


class OptIn(models.Model):
    """What somebody asked for and is to confirm by email: no consent before that. Only `consent.optins` writes it."""

    class By(models.TextChoices):
        PAGE = "page", "Preference page"
        API = "api", "API"
        FORM = "form", "Sign-up form"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="opt_ins")
    choices = models.JSONField(help_text="Topics and channels, with the words that were shown.")
    by = models.CharField(max_length=10, choices=By)
    locale = models.CharField(max_length=20, blank=True)
    evidence = models.JSONField(default=dict)
    made_person = models.BooleanField(default=False, help_text="Nobody was known by this address before.")
    mails = models.PositiveSmallIntegerField(default=1)
    asked_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "opt-in", "opt-ins"
        indexes = [models.Index(fields=["asked_at"], name="opt_ins_by_age")]


class SignupForm(models.Model):
    """A page on which people ask to get topics. Only `consent.signups` writes it."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    topics = models.JSONField(default=list, help_text="Slugs of the topics that it offers, in order.")
    wordings = models.JSONField(default=dict, help_text="By language: title, text and button.")
    embed_on = models.JSONField(default=list, help_text="Origins whose pages may show it in a frame.")
    active = models.BooleanField(default=True)

    class Meta:
        verbose_name, verbose_name_plural = "sign-up form", "sign-up forms"

    def __str__(self) -> str:
        return self.name


class SentForm(models.Model):
    """What somebody sent by a form, until the loop has seen to it: whoever waits for the answer must not learn by its
    time whether the address is known. Only `consent.signups` writes it.
    """

    id = models.BigAutoField(primary_key=True)
    form = models.ForeignKey(SignupForm, on_delete=models.CASCADE, related_name="sent")
    address = models.CharField(max_length=254)
    shown = models.JSONField(help_text="By topic, the words that they agreed to.")
    button = models.TextField()
    locale = models.CharField(max_length=20)
    born_on = models.DateField(null=True)
    sent_at = models.DateTimeField()


class Attempt(models.Model):
    """Something that strangers may do so often only, by a keyed digest of where it came from. Gone after a day."""

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["digest", "at"], name="attempts_of_one"),
            models.Index(fields=["at"], name="attempts_by_age"),
        ]


class Limit(models.Model):
    """How far somebody may be dealt with at all, by the GDPR's words. Only `consent.limits` writes it."""

    class Kind(models.TextChoices):
        RESTRICTED = "restricted", "Restricted (article 18)"
        OBJECTED = "objected", "Objects to all marketing (article 21)"

    id = models.BigAutoField(primary_key=True)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="limits")
    kind = models.CharField(max_length=12, choices=Kind)
    since = models.DateTimeField()
    reason = models.TextField(blank=True, default="", db_default="", help_text="Why it was set.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["profile", "kind"], name="one_limit_a_kind")]
        indexes = [models.Index(fields=["kind", "profile"], name="limits_by_kind")]


class PrivacyRequest(models.Model):
    """Somebody's request under the GDPR, and what became of it. Only `consent.requests` writes it."""

    class Kind(models.TextChoices):
        ACCESS = "access", "See their data"
        PORTABILITY = "portability", "Take their data along"
        RECTIFICATION = "rectification", "Correct their data"
        RESTRICTION = "restriction", "Restrict what is done with it"
        OBJECTION = "objection", "Object to all marketing"
        ERASURE = "erasure", "Erase their data"

    class Via(models.TextChoices):
        PAGE = "page", "Their page"
        STAFF = "staff", "Staff"
        API = "api", "API"

    class Outcome(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # NULL once the person is erased: that a request was kept in time stays provable.
    profile = models.ForeignKey(Profile, null=True, on_delete=models.SET_NULL, related_name="privacy_requests")
    kind = models.CharField(max_length=15, choices=Kind)
    via = models.CharField(max_length=10, choices=Via)
    said = models.TextField(blank=True, help_text="In their words; erased with them.")
    identity = models.TextField(
        blank=True, default="", db_default="", help_text="How it was made sure that it is them; erased with them."
    )
    raised_at = models.DateTimeField()
    due_on = models.DateField()
    extended = models.TextField(blank=True, help_text="Why it takes longer; told to the person.")
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["profile", "kind"], condition=models.Q(closed_at=None), name="one_open_request_a_kind"
            )
        ]
        indexes = [models.Index(fields=["due_on", "id"], name="requests_by_due_day")]
        permissions = [("export_privacyrequest", "Can read and take out everything that is held about a person")]


class PrivacyStep(models.Model):
    """What was done about a request, and who did it."""

    id = models.BigAutoField(primary_key=True)
    request = models.ForeignKey(PrivacyRequest, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    what = models.TextField()
    said = models.TextField(blank=True, default="", db_default="", help_text="In whose words ever; erased with them.")


class RetentionRule(models.Model):
    """How long something is kept, where staff chose it. Only `consent.retention` writes it."""

    key = models.CharField(primary_key=True, max_length=30)
    days = models.PositiveIntegerField(null=True, help_text="Empty: for ever.")
    changed_at = models.DateTimeField()
    ran_at = models.DateTimeField(null=True)
    dropped = models.PositiveBigIntegerField(default=0, help_text="How much it has deleted in all.")

    class Meta:
        verbose_name = "retention rule"


class RefusedUpgrade(models.Model):
    """An attempt to turn a refusal into a consent without the person's own act."""

    id = models.BigAutoField(primary_key=True)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    topic = models.CharField(max_length=50)
    channel = models.CharField(max_length=20)
    source = models.CharField(max_length=20)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField()
    reason = models.TextField()


class Suppression(models.Model):
    """An address that must not be written to, as a keyed hash: it outlives the person's erasure."""

    class Scope(models.TextChoices):
        ALL = "all", "Everything"
        MARKETING = "marketing", "All but transactional"

    class Reason(models.TextChoices):
        HARD_BOUNCE = "hard_bounce", "The address does not exist"
        SOFT_BOUNCE = "soft_bounce", "Out of reach again and again"
        PROVIDER = "provider", "Kept from us by the mail provider"
        COMPLAINT = "complaint", "Marked as spam"
        MANUAL = "manual", "By hand"
        ERASED = "erased", "Erased"
        REVIEW = "review", "An answer of theirs is to be read"
        STOPPED = "stopped", "They said stop by text message"

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=20)
    address_hash = models.CharField(max_length=64)
    scope = models.CharField(max_length=10, choices=Scope)
    reason = models.CharField(max_length=20, choices=Reason)
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = "blocked address", "blocked addresses"
        constraints = [
            models.UniqueConstraint(fields=["channel", "address_hash", "reason"], name="one_suppression_a_reason")
        ]


class Reply(models.Model):
    """What somebody wrote back that no program understands, for staff to read. Only `consent.replies` writes it."""

    class Outcome(models.TextChoices):
        STOPPED = "stopped", "Taken as a no"
        NOTHING = "nothing", "Asked for nothing"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The same message may be delivered twice.
    digest = models.CharField(max_length=64, unique=True)
    channel = models.CharField(max_length=20)
    sender = models.CharField(max_length=320, help_text="As it says, which for a mail proves nothing.")
    said = models.TextField()
    received_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "answer to read", "answers to read"
        indexes = [
            models.Index(fields=["-received_at"], name="replies_newest_first"),
            models.Index(fields=["channel", "sender"], name="replies_of_an_address"),
        ]


class Preference(models.Model):
    """How a person likes to be written to. A wish, not a consent."""

    class Intensity(models.TextChoices):
        LESS = "less", "Less"
        NORMAL = "normal", "Normal"
        MORE = "more", "More"

    profile = models.OneToOneField(Profile, primary_key=True, on_delete=models.CASCADE, related_name="preference")
    intensity = models.CharField(max_length=10, choices=Intensity, default=Intensity.NORMAL)
    paused_until = models.DateTimeField(null=True, blank=True)
    hours_from = models.TimeField(null=True, blank=True)
    hours_to = models.TimeField(null=True, blank=True)
    # What they chose themselves; what the product sends about them stays on the profile, and counts where this is "".
    time_zone = models.CharField(max_length=64, blank=True, default="")
    language = models.CharField(max_length=20, blank=True, default="")
    born_on = models.DateField(null=True, blank=True, help_text="What they said themselves, to be let into a topic.")
    token_epoch = models.PositiveIntegerField(default=0, help_text="Raised to make earlier links to the page useless.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(hours_from=None, hours_to=None)
                | models.Q(hours_from__isnull=False, hours_to__isnull=False),
                name="hours_have_both_ends",
            )
        ]
