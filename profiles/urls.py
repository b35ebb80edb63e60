"""The tracking API."""

from django.urls import re_path

from profiles import views

urlpatterns = [
    re_path(r"^(?:batch|import)/?$", views.batch, name="batch"),
    re_path(r"^(?P<kind>identify|track|page|screen|group|alias)/?$", views.single, name="track"),
]
