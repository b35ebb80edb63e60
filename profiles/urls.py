"""The tracking API."""

from django.urls import re_path

from profiles import views

urlpatterns = [
    # The single letters are how Segment's client for browsers calls them.
    re_path(r"^(?:batch|import|b)/?$", views.batch, name="batch"),
    re_path(r"^(?P<kind>identify|track|page|screen|group|alias|[itpsga])/?$", views.single, name="track"),
]
