from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import joining, keeping, system  # noqa: F401 (they join what the registry asks)
        from messaging.domains import policy  # noqa: F401 (a check of settings)
        from messaging.returns import mails, webhooks  # noqa: F401 (the same, and a check of settings)
