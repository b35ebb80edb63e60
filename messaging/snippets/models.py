"""Snippets, in versions of their own."""

from typing import Any

from django.db import models


class Snippet(models.Model):
    """A row of blocks with a name. Only `messaging.snippets.saving` writes it."""

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=200)
    version = models.ForeignKey("SnippetVersion", null=True, on_delete=models.PROTECT, related_name="+")
    archived = models.BooleanField(default=False, help_text="Out of use; what was said with it stays on record.")

    def __str__(self) -> str:
        return self.name


class SnippetVersion(models.Model):
    """What a snippet said: frozen by the database. Templates keep a copy of what they include."""

    snippet = models.ForeignKey(Snippet, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    blocks = models.JSONField()
    translations = models.JSONField(default=dict, help_text="By language: blocks.")
    author = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snippet", "number"], name="one_snippet_version_a_number")]

    # What versions of templates have beside blocks.
    subject = html = text = ""

    @property
    def said_in_others(self) -> dict[str, dict[str, Any]]:
        """What its author wrote in other languages."""
        return dict(self.translations)
