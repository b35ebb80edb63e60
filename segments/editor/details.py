"""What is known and hoped of a segment, beside who is in it."""

from typing import Any

from django import forms
from django.utils.text import slugify

from consent.models import Topic
from foundation import wording
from segments.models import Segment
from staff.models import User


class DetailsForm(forms.Form):
    """The words on a segment. `reason` is kept with the version."""

    name = forms.CharField(max_length=200, label="Name", error_messages={"required": "Give it a name."})
    description = forms.CharField(required=False, label="What it is", widget=forms.Textarea(attrs={"rows": 2}))
    hypothesis = forms.CharField(
        required=False,
        label="What we think",
        help_text="Why these people, and what you expect of them.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    needs = forms.CharField(required=False, label="What they need", widget=forms.Textarea(attrs={"rows": 2}))
    success_metric = forms.CharField(
        required=False, label="How we know that it works", widget=forms.Textarea(attrs={"rows": 2})
    )
    preferred_channels = forms.MultipleChoiceField(
        required=False, label="How to reach them", widget=forms.CheckboxSelectMultiple
    )
    marketing = forms.ChoiceField(
        choices=[("yes", "marketing"), ("no", "service or analysis alone")],
        required=False,
        initial="yes",
        label="Used for",
        help_text="Who objects to marketing is in no segment that is used for it.",
    )
    owner = forms.ModelChoiceField(
        User.objects.none(), required=False, label="Owner", empty_label="nobody", help_text="Who looks after it."
    )
    family = forms.SlugField(
        required=False,
        max_length=50,
        label="Family",
        help_text="Of the segments of a family, such as lifecycle, each person is in the first that fits.",
    )
    position = forms.IntegerField(required=False, min_value=0, max_value=10_000, label="Place in the family", initial=0)
    reason = forms.CharField(
        required=False, max_length=1_000, label="Why this change", help_text="It is kept in the history."
    )

    def __init__(self, segment: Segment | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = {str(one) for row in Topic.objects.filter(archived=False) for one in row.channels}
        channels |= set(segment.preferred_channels if segment else ())
        choices: Any = self.fields["preferred_channels"]
        choices.choices = [(one, wording.spoken(one)) for one in sorted(channels)]
        if not channels:
            del self.fields["preferred_channels"]
        owner: Any = self.fields["owner"]
        owner.queryset = User.objects.filter(is_active=True, is_staff=True).order_by("username")
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "s-input"
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"help-{name}"

    @property
    def words(self) -> list[forms.BoundField]:
        """All but the name and the reason, which stand elsewhere."""
        return [self[name] for name in self.fields if name not in ("name", "reason")]

    @property
    def is_marketing(self) -> bool:
        """Whether it is said to be used for marketing, however much of the form is filled in."""
        return str(self["marketing"].value()) != "no"

    def fields_given(self) -> dict[str, Any]:
        """What is saved of them: the fields of a segment that hold words on it."""
        given = {key: value for key, value in self.cleaned_data.items() if key not in ("name", "reason")}
        return {**given, "position": given["position"] or 0, "marketing": self.is_marketing}


def initial(segment: Segment) -> dict[str, Any]:
    names = [name for name in DetailsForm.base_fields if name != "reason"]
    return {name: getattr(segment, name) for name in names} | {"marketing": "yes" if segment.marketing else "no"}


def free_slug(name: str) -> str:
    """An address for a new segment, from its name, that no other has."""
    base = slugify(name)[:90] or "segment"
    taken = set(Segment.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in [base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))] if slug not in taken)
