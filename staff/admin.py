"""Screens on who works here: staff, roles, teams, keys, and the trail of who did what."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Field, Model, QuerySet
from django.forms import Field as FormField
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from foundation import wording
from foundation.admin import BoundedPaginator, ReadOnlyAdmin
from foundation.pages import Facts, Head, Part, Prose, Verb
from staff import audit, keys, roles
from staff.forms import KeyForm
from staff.models import AuditEntry, Key, Team, User

admin.site.unregister(Group)


class AuditedAdmin(ModelAdmin):
    """A screen on which staff edit; each change goes to the audit trail, in the words of the fields."""

    compressed_fields = True
    warn_unsaved_form = True
    show_full_result_count = False
    actions = None  # one at a time: what happens to each stands in the trail

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        self._record("create", obj, "Added")

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        fields = [
            name for part in message if isinstance(part, dict) for name in part.get("changed", {}).get("fields", [])
        ]
        self._record("change", obj, "Changed", f": {', '.join(fields)}" if fields else "")

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self._record("delete", obj, "Deleted")

    def _record(self, verb: str, obj: Model, said: str, what: str = "") -> None:
        kind = str(self.opts.verbose_name)
        audit.record(verb, self.opts.model_name or "", str(obj)[:200], f"{said} the {kind} {obj}{what}")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise Http404  # the audit trail tells it, to those who may read it


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin):  # type: ignore[misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "roles", "seen", "active")
    list_filter = ("is_active", "groups")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Who they are", {"fields": ("first_name", "last_name", "email", "time_zone")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "groups")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2")}),
    )
    filter_horizontal = ("groups",)

    @display(description="Name")
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "-"

    @display(description="Roles")
    def roles(self, user: User) -> str:
        names = ["everything", *sorted(group.name for group in user.groups.all())]
        return ", ".join(names if user.is_superuser else names[1:]) or "none"

    @display(description="Last signed in", ordering="last_login")
    def seen(self, user: User) -> SafeString:
        return wording.moment(user.last_login)

    @display(description="May sign in", ordering="is_active")
    def active(self, user: User) -> SafeString:
        return wording.badge("Yes", "good") if user.is_active and user.is_staff else wording.badge("No", "plain")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        if db_field.name == "time_zone":
            kwargs["widget"] = UnfoldAdminSelectWidget(choices=[(name, name) for name in sorted(available_timezones())])
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Whoever could set the password of a superuser would be one.
        return super().has_change_permission(request, obj) and _not_above(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _not_above(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        if not self.has_change_permission(request, self.get_object(request, id)):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)


def _not_above(request: HttpRequest, user: User | None) -> bool:
    return user is None or request.user.is_superuser or not user.is_superuser


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):  # type: ignore[misc]
    """Roles of the table are made anew by each migration, so nobody changes them here; others are staff's own."""

    list_display = ("name", "people")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.name not in roles.TABLE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.name not in roles.TABLE)

    @display(description="Staff with it")
    def people(self, group: Any) -> str:
        return wording.amount(group.people)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(people=Count("user"))


@admin.register(Team)
class TeamAdmin(AuditedAdmin):
    list_display = ("name", "people")
    fields = ("name", "slug", "members")
    prepopulated_fields = {"slug": ("name",)}
    filter_horizontal = ("members",)
    search_fields = ("name",)
    empty = "Teams own segments and journeys and are given tasks. Add one to begin."

    @display(description="Members")
    def people(self, team: Any) -> str:
        return wording.amount(team.people)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return super().get_queryset(request).annotate(people=Count("members"))


@admin.register(Key)
class KeyAdmin(ReadOnlyAdmin):
    empty = "Keys let programs send behaviour and use the API. Add one to begin."
    form = KeyForm
    fields = ("name", "kind", "scopes", "rate_per_minute", "expires_at")
    compressed_fields = True
    list_display = ("name", "begins", "kind_", "used", "made", "state")
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("name", "prefix")
    ordering = ("revoked_at", "-created_at")

    @display(description="Begins with")
    def begins(self, key: Key) -> str:
        return f"{key.prefix}…"

    @display(description="Kind", ordering="kind")
    def kind_(self, key: Key) -> str:
        return key.get_kind_display()

    @display(description="Last used", ordering="last_used_at")
    def used(self, key: Key) -> SafeString:
        return wording.moment(key.last_used_at)

    @display(description="Made", ordering="created_at")
    def made(self, key: Key) -> SafeString:
        return wording.moment(key.created_at)

    @display(description="State")
    def state(self, key: Key) -> SafeString:
        if key.revoked_at:
            return wording.badge("Revoked", "bad")
        if key.expires_at and key.expires_at <= wording.now():
            return wording.badge("Expired", "warn")
        return wording.badge("Live", "good")

    def head(self, request: HttpRequest, row: Key) -> Head:
        return Head(
            row.name, f"{row.get_kind_display()}. Only its beginning is kept here, never the key.", [self.state(row)]
        )

    def parts(self, request: HttpRequest, row: Key) -> Sequence[Part]:
        rate = f"{wording.plural(row.rate_per_minute, 'item')} a minute" if row.rate_per_minute else "no limit"
        return [
            Facts(
                title="The key",
                rows=[
                    ("Begins with", f"{row.prefix}…"),
                    ("May do", ", ".join(row.scopes) or "send behaviour"),
                    ("Rate limit", rate),
                    ("Made", wording.moment(row.created_at)),
                    ("Last used", wording.moment(row.last_used_at)),
                    ("Expires", wording.moment(row.expires_at)),
                    ("Revoked", wording.moment(row.revoked_at, "") if row.revoked_at else ""),
                ],
            )
        ]

    def verbs(self, request: HttpRequest, row: Key) -> Sequence[Verb]:
        if row.revoked_at or not request.user.has_perm("staff.change_key"):
            return []
        return [Verb("revoke", "Revoke", f"Programs that use {row.name} will be refused from now on. Revoke it?", True)]

    def act(self, request: HttpRequest, row: Key, verb: str) -> str:
        keys.revoke(row, now=wording.now())
        return f"{row.name} is revoked: whoever uses it is refused from now on."

    # ── Making one, which is shown this once ─────────────────────────────────────────────────────────────────────────
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("staff.add_key")

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None:
            return ModelAdmin.changeform_view(self, request, None, form_url, extra_context)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made, obj.secret = keys.create(**form.wanted, now=wording.now())
        obj.pk, obj.prefix = made.pk, made.prefix

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """The verb has told the audit trail."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        # No redirect, since the key would have to be kept somewhere on the way.
        shown = Facts(
            title="The key",
            note="Copy it now: it is shown this once, and only its beginning is kept.",
            rows=[("Key", format_html('<code id="secret">{}</code>', obj.secret))],
        )
        head = Head(f"{obj.name} is made", f"{obj.get_kind_display()}.")
        frame = {**self.admin_site.each_context(request), "title": head.title, "opts": self.opts}
        return TemplateResponse(request, "admin/cairn/page.html", {**frame, "head": head, "main": [shown]})


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    empty = "Whatever staff, keys and commands do is written down here, and can never be changed."
    list_display = ("what", "who", "when")
    list_filter = ("kind", ("at", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("target__exact", "actor__exact")
    search_help_text = "What it was done to (a slug), or who did it (such as user:ada)"
    ordering = ("-at",)
    paginator = BoundedPaginator

    @display(description="What was done")
    def what(self, entry: AuditEntry) -> SafeString:
        return wording.wide(entry.summary)

    @display(description="By")
    def who(self, entry: AuditEntry) -> str:
        return who(entry.actor)

    @display(description="When", ordering="at")
    def when(self, entry: AuditEntry) -> SafeString:
        return wording.moment(entry.at)

    def head(self, request: HttpRequest, row: AuditEntry) -> Head:
        return Head(wording.shortened(row.summary, 200), f"By {who(row.actor)}.")

    def parts(self, request: HttpRequest, row: AuditEntry) -> Sequence[Part]:
        rows = [
            ("When", wording.moment(row.at)),
            ("Who", who(row.actor)),
            ("Did", wording.spoken(row.verb)),
            ("To", f"{wording.spoken(row.kind)} {row.target}"),
        ]
        return [
            Prose(title="In full", text=row.summary),
            Facts(title="The entry", rows=rows, note="It can never be changed or removed."),
            Facts(
                title="Details",
                rows=[(wording.spoken(k), wording.readable(v)) for k, v in row.details.items()],
                empty="There is nothing more to it.",
            ),
        ]


def who(actor: str) -> str:
    """`user:ada` as `ada`, `key:Website` as `the key Website`, `command:up` as `the command up`."""
    kind, _, name = actor.partition(":")
    return {"user": name, "key": f"the key {name}", "command": f"the command {name}"}.get(kind, "Cairn itself")
