"""Where links in messages lead to, and where providers report."""

from django.urls import path

from messaging import views
from messaging.inapp import inbox
from messaging.inapp import views as inapp
from messaging.returns import webhooks

app_name = "messaging"
urlpatterns = [
    path("c/<token>", views.click, name="click"),
    path("o/<token>", views.opened, name="open"),
    path("f/<token>", views.feedback, name="feedback"),
    path("webhooks/mail/<slug:provider>/tracking/", webhooks.receive, name="mail_webhook"),
    path("in-app/cairn.js", inapp.script, name="in_app_script"),
    path("in-app/cairn.css", inapp.style, name="in_app_style"),
    path("in-app/push-worker.js", inapp.worker, name="in_app_worker"),
    path("in-app/v1/messages/", inapp.messages, name="in_app_messages"),
    path("in-app/v1/unread/", inapp.unread, name="in_app_unread"),
    path("in-app/v1/messages/read/", inapp.read_all, name="in_app_read_all"),
    path("in-app/v1/push/", inapp.subscription, name="in_app_push"),
    *(
        path(f"in-app/v1/messages/<uuid:message>/{what}/", inapp.act, {"what": what}, name=f"in_app_{what}")
        for what in inbox.ACTS
    ),
]
