"""All addresses."""

from django.contrib import admin
from django.urls import include, path

from config import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("admin/", admin.site.urls),
    path("v1/", include("profiles.urls")),
    path("api/", include("config.api")),
    path("", include("consent.urls")),
    path("", include("messaging.urls")),
]
