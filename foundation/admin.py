"""The base of all staff screens: lists that stay fast on large tables, and pages that tell instead of editing."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from foundation.errors import Refused
from foundation.pages import Head, Part, Verb

Serve = Callable[..., HttpResponse]


class BoundedPaginator(Paginator):
    """Counts to a limit and no further, so that a list of millions opens as fast as one of a hundred."""

    template_name = "admin/cairn/pagination.html"
    limit = 2_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows) if isinstance(rows, list) else int(rows.order_by()[: self.limit].count())

    @property
    def is_cut(self) -> bool:
        return self.count >= self.limit


class ReadOnlyAdmin(ModelAdmin):
    """Shows and changes nothing; what may be done is a `Verb`, which calls the domain.

    `empty` says what will appear in an empty list, and how it comes to be.
    """

    empty = "Nothing is here yet."
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 0
    actions = None
    list_filter_sheet = True

    # ── What a page says ─────────────────────────────────────────────────────────────────────────────────────────────
    def head(self, request: HttpRequest, row: Any) -> Head:
        return Head(str(row))

    def parts(self, request: HttpRequest, row: Any) -> Sequence[Part]:
        """What the page of `row` is made of, in order."""
        return []

    def verbs(self, request: HttpRequest, row: Any) -> Sequence[Verb]:
        """What this member of staff may do here; whatever is not offered is refused, too."""
        return []

    def act(self, request: HttpRequest, row: Any, verb: str) -> str:
        """Does what the button says and returns the sentence that tells so."""
        raise NotImplementedError

    # ── How it is served ─────────────────────────────────────────────────────────────────────────────────────────────
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.view_{self.opts.model_name}")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise Http404

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if request.method == "POST":
            return self._do(request, row)
        return self._page(request, row)

    def _do(self, request: HttpRequest, row: Model) -> HttpResponse:
        key = request.POST.get("verb", "")
        if key not in {verb.key for verb in self.verbs(request, row) if not verb.address}:
            raise PermissionDenied
        pk = row.pk
        try:
            messages.success(request, self.act(request, row, key))
        except Refused as refusal:
            messages.error(request, str(refusal))
        # What the act did away with has no page to come back to.
        is_there = self.model._base_manager.filter(pk=pk).exists()
        return HttpResponseRedirect(request.path if is_there else list_of(self.model))

    def _page(self, request: HttpRequest, row: Model) -> TemplateResponse:
        head = self.head(request, row)
        parts = list(self.parts(request, row))
        context = {
            **self.admin_site.each_context(request),
            "title": head.title,
            "opts": self.opts,
            "original": head.title,
            "head": head,
            "main": [part for part in parts if not part.aside],
            "aside": [part for part in parts if part.aside],
            "verbs": self.verbs(request, row),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/cairn/page.html", context)

    def fragments(self) -> dict[str, Serve]:
        """Parts that pages of lower apps fetch: name of the URL to what serves it, given `(request, key)`."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"for/<uuid:key>/{name}/", self.admin_site.admin_view(self._guarded(serve)), name=name)
            for name, serve in self.fragments().items()
        ]
        return [*own, *super().get_urls()]

    def _guarded(self, serve: Serve) -> Serve:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return serve(request, *args, **kwargs)

        return guarded

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return super().get_object(request, object_id, from_field)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request)


def page_of(row: Model) -> str:
    """The address of a row's own page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_of(model: type[Model], **filters: object) -> str:
    """The address of a model's list, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address
