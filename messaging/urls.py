"""Where links in messages lead to."""

from django.urls import path

from messaging import views

app_name = "messaging"
urlpatterns = [path("c/<token>", views.click, name="click")]
