"""Forms of the staff's screens."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from foundation import wording
from foundation.errors import Invalid
from staff import keys, scopes
from staff.models import Key


class KeyForm(forms.ModelForm):
    """Asks for a key; `keys.checked` judges it, and what it found good is `wanted`."""

    scopes = forms.MultipleChoiceField(
        required=False,
        choices=[(scopes.ALL, "Everything"), *scopes.spoken()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What an API key may do. Write keys send behaviour and nothing else.",
    )

    class Meta:
        model = Key
        fields = ("name", "kind", "scopes", "rate_per_minute", "expires_at")
        widgets = {"name": UnfoldAdminTextInputWidget}

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return given
        try:
            self.wanted = keys.checked(
                given["name"],
                Key.Kind(given["kind"]),
                given["scopes"],
                given["rate_per_minute"],
                given["expires_at"],
                now=wording.now(),
            )
        except Invalid as refusal:
            for problem in refusal.problems:
                self.add_error(problem.path, problem.reason)
        return given
