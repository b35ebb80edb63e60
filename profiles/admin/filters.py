"""Filters of lists whose choices are words."""

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest


def whether(field: str, title: str, *, filled: str, empty: str) -> type[SimpleListFilter]:
    """A filter on whether a field is filled, which says in words what either means."""

    class Whether(SimpleListFilter):
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
            return [("yes", filled), ("no", empty)]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            match self.value():
                case "yes":
                    return queryset.filter(**{f"{field}__isnull": False})
                case "no":
                    return queryset.filter(**{f"{field}__isnull": True})
            return queryset

    Whether.title = title
    return Whether


def one_of(field: str, title: str, choices: list[tuple[str, str]]) -> type[SimpleListFilter]:
    """A filter on a field's value among those that are known beforehand: the table is not asked which there are."""

    class OneOf(SimpleListFilter):
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
            return choices

        def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    OneOf.title = title
    return OneOf
