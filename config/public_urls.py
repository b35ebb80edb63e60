"""The addresses under the name that customers know: their pages, links in messages, what comes in; no admin, no API.

Customers' pages stand under the admin's name, too: links of before it had a name of its own must go on to work.
"""

from django.urls import include, path

from config import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("v1/", include("profiles.urls")),
    path("", include("consent.urls")),
    path("", include("messaging.urls")),
]
