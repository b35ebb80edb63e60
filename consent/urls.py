"""The customer's pages. The token in the address is all that they need; no one signs in."""

from django.urls import path

from consent import views

app_name = "consent"
urlpatterns = [
    path("preferences/<token>/", views.preferences, name="preferences"),
    path("preferences/<token>", views.preferences),
    path("preferences/<token>/data/", views.download, name="download"),
    path("preferences/<token>/erase/", views.erase, name="erase"),
    path("unsubscribe/<token>/", views.unsubscribe, name="unsubscribe"),
    # Mail providers post to the address as it stands, or without its slash, and follow no redirect.
    path("unsubscribe/<token>", views.unsubscribe),
]
