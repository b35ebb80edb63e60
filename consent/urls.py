"""The customer's pages. The token in the address is all that they need; no one signs in."""

from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from consent import doors, public_forms, views

app_name = "consent"
urlpatterns = [
    path("preferences/<token>/", views.preferences, name="preferences"),
    path("preferences/<token>", views.preferences),
    path("preferences/<token>/data/", views.download, name="download"),
    path("preferences/<token>/everything/", views.read, name="everything"),
    path("preferences/<token>/receipts/", views.receipts_file, name="receipts"),
    path("preferences/<token>/erase/", views.erase, name="erase"),
    path("confirm/<token>/", views.confirm, name="confirm"),
    path("inbound/mail/", doors.mail, name="inbound_mail"),
    path("inbound/sms/", doors.sms, name="inbound_sms"),
    path("forms/<slug:slug>/", public_forms.signup, name="form"),
    path("unsubscribe/<token>/", views.unsubscribe, name="unsubscribe"),
    # Mail providers post to the address as it stands, or without its slash, and follow no redirect.
    path("unsubscribe/<token>", views.unsubscribe),
    # What browsers ask for unasked; named on no page, so that a page stays one request and its style sheet.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("consent/icon.svg"))),
]
