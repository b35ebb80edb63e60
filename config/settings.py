"""All settings, from the environment. docs/operators.md lists what may be set and what it means."""

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from config import environment
from config.embedded import broker, home, postgres

BASE_DIR = Path(__file__).resolve().parent.parent
CAIRN_HOME = home.home()
EMBEDDED = not environment.text("DATABASE_URL")

# Only an embedded installation makes its own secrets.
SECRET_KEY = environment.secret("SECRET_KEY", (lambda: home.secret("SECRET_KEY")) if EMBEDDED else None)
# Keys for links in messages: a JSON object of key id to key. The last one signs, all of them verify.
LINK_KEYS = environment.keys("LINK_KEYS", environment.secret("LINK_KEYS", home.link_keys if EMBEDDED else None))
# Keys the hashes of suppressed addresses, which outlive an erasure. Losing or changing it forgets them all.
SUPPRESSION_KEY = environment.secret("SUPPRESSION_KEY", (lambda: home.secret("SUPPRESSION_KEY")) if EMBEDDED else None)
DEBUG = environment.flag("DEBUG")
# Where customers and staff reach us; links in messages are made from this and never from a request's Host.
HOST = environment.text("HOST", "127.0.0.1")
PORT = environment.number("PORT", 8000, least=1)
BASE_URL = environment.origin("BASE_URL", f"http://127.0.0.1:{PORT}")
# Where staff and programs of ours come in, if not there, too: the admin and the API are then under this name alone.
ADMIN_URL = environment.apart("ADMIN_URL", BASE_URL)
_ours = [BASE_URL, ADMIN_URL] if ADMIN_URL else [BASE_URL]
_hosts = [origin.split("://", 1)[1].rsplit(":", 1)[0] for origin in _ours]
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", [*_hosts, "127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS", _ours)

# How many processes and threads `manage.py up` gives its parts.
WEB_PROCESSES = environment.number("WEB_PROCESSES", 1, least=1)
WEB_THREADS = environment.number("WEB_THREADS", 4, least=1)
WORKER_PROCESSES = environment.number("WORKER_PROCESSES", 2, least=1)
# A database that has rested for longer may be a restored backup, where nothing outside of it says otherwise. 0: never.
RECOVER_AFTER_HOURS = environment.number("RECOVER_AFTER_HOURS", 6)

# "manual": every process reads the time from one row, which `manage.py tick` moves. For stories and training.
CAIRN_CLOCK = environment.choice("CAIRN_CLOCK", ("", "manual"))
if CAIRN_CLOCK and not EMBEDDED:
    raise ImproperlyConfigured("CAIRN_CLOCK=manual works with the embedded database only; unset it or DATABASE_URL.")
# Off: nobody is woken, and Beat's rounds alone find the work. For tests of just that.
CAIRN_WAKE_UPS = environment.flag("CAIRN_WAKE_UPS", True)

# ── What is installed, from the lowest to the highest: questions are answered in this order ──────────────────────────
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "foundation",
    "staff",
    "profiles",
    "consent",
    "segments",
    "messaging",
    "journeys",
    "insights",
    "playbooks",
    "config",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.hosts.HostsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "staff.actors.ActorMiddleware",
    "config.viewing.ViewingMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# ── The database: the app role for everything, the owner for `migrate` and maintenance alone ─────────────────────────


def _database(address: dict[str, Any]) -> dict[str, Any]:
    return {
        **address,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10, **address.get("OPTIONS", {})},
    }


if EMBEDDED:
    DATABASES = {"default": _database(postgres.address(postgres.APP))}
    if os.environ.get("CAIRN_SUPERVISED") != "app":  # web, worker and beat do without, as they do on real servers
        DATABASES["owner"] = _database(postgres.address(postgres.OWNER))
else:
    DATABASES = {"default": _database(environment.database("DATABASE_URL"))}
    if environment.text("DATABASE_OWNER_URL"):
        DATABASES["owner"] = _database(environment.database("DATABASE_OWNER_URL"))
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ── The broker: it only wakes ────────────────────────────────────────────────────────────────────────────────────────
CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL") or broker.url()
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Wake-ups that a killed worker had taken come back soon; tasks are short and safe to run twice.
    "visibility_timeout": 60,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
}
if not CELERY_BROKER_URL.startswith(("redis", "rediss")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
DJANGO_CELERY_BEAT_TZ_AWARE = True

# ── People, languages, time ──────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "staff.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # for whoever opened the login page itself
LANGUAGE_CODE = "en"
# What customers' pages are written in; each has a catalogue in consent/locale.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "consent" / "locale"]  # named here, it comes before Django's own words for the admin
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # how Django itself thinks; what people mean by "midnight" is PROJECT_TIME_ZONE
PROJECT_TIME_ZONE = environment.zone("PROJECT_TIME_ZONE", "UTC")

# A journey pauses itself when more than so many of its last 200 messages failed, bounced or were marked as spam.
JOURNEY_PAUSES_ABOVE = {"failed": 20, "bounced": 10, "complained": 1}

# ── Behaviour ────────────────────────────────────────────────────────────────────────────────────────────────────────
# Days that raw events are kept; unset: for ever. Daily counts outlive them.
EVENT_RETENTION_DAYS = environment.number("EVENT_RETENTION_DAYS", 0) or None
# Where erasures are written down outside the database, so that a restored backup brings nobody back.
ERASURE_JOURNAL = Path(environment.text("ERASURE_JOURNAL", str(CAIRN_HOME / "erasures.jsonl")))
# An event older than this on arrival feeds segments and triggers nothing.
TRIGGER_WITHIN_HOURS = environment.number("TRIGGER_WITHIN_HOURS", 24)
# A segment that takes longer to ask of everybody keeps the members it has, and says so.
SEGMENT_TIMEOUT_SECONDS = environment.number("SEGMENT_TIMEOUT_SECONDS", 60)

# ── Mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
_mail = environment.mail("EMAIL_URL", f"file://{CAIRN_HOME / 'mail'}")
EMAIL_BACKEND, EMAIL_FILE_PATH = _mail.backend, _mail.folder
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.ssl, _mail.starttls
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "Cairn <hello@example.com>")
# In the foot of every mail until the brand has one; the law of most places asks for it.
POSTAL_ADDRESS = environment.text("POSTAL_ADDRESS").replace("\\n", "\n")
# How people reach somebody beside that, also in the foot: a telephone number, or an address of mail or of the web.
CONTACT = environment.text("CONTACT")
# Whether links say that they were followed: only those of people who agreed to the topic `tracking`.
TRACK_LINKS = environment.flag("TRACK_LINKS", True)
# Where the ledger's ends are written down outside the database each night, so that nobody can cut one off unseen.
LEDGER_ANCHORS = Path(environment.text("LEDGER_ANCHORS", str(CAIRN_HOME / "anchors.jsonl")))
# Whether mails have a picture that says that they were opened: only those of the same people.
TRACK_OPENS = environment.flag("TRACK_OPENS", True)
# The attribute of people that holds the day of their birth, for topics from some age on.
BIRTHDAY_ATTRIBUTE = environment.text("BIRTHDAY_ATTRIBUTE", "birthday")
# The country's code of numbers that are written without one, such as 49; empty: those are not written to.
PHONE_COUNTRY_CODE = environment.country_code("PHONE_COUNTRY_CODE")
# Where people may write to stop what they get; the mails that come there go to `manage.py inbound` or /inbound/mail/.
UNSUBSCRIBE_ADDRESS = environment.address("UNSUBSCRIBE_ADDRESS")
# What a provider must say to hand in mails and text messages at /inbound/; several while one is changed for another.
INBOUND_SECRETS = environment.words("INBOUND_SECRETS", [])
# A message that could not go out for this long is stale and never does; transactional ones are tried for five days.
MESSAGE_STALE_HOURS = environment.number("MESSAGE_STALE_HOURS", 48, least=1)
# Where mail goes back to: each message gets its own address under this one (bounces+…@), for SMTP alone.
BOUNCE_ADDRESS = environment.address("BOUNCE_ADDRESS")
# From which domains mail may come: verified ones, any, or (unset) verified ones where mail leaves this machine.
SENDER_DOMAINS = environment.choice("SENDER_DOMAINS", ("", "verified", "any"))
# Whether what can wait is stopped by itself to receivers who mark too much of it as spam.
STOP_AT_COMPLAINTS = environment.flag("STOP_AT_COMPLAINTS", True)
# Providers whose reports are taken at /webhooks/mail/<name>/tracking/, as Anymail calls them; user:password of each.
MAIL_WEBHOOKS = environment.words("MAIL_WEBHOOKS", [])
MAIL_WEBHOOK_SECRETS = environment.words("MAIL_WEBHOOK_SECRETS", [])
# What Anymail wants to know of a provider, such as keys by which it signs: its settings as a JSON object.
ANYMAIL = {**environment.json_object("ANYMAIL"), "WEBHOOK_SECRET": MAIL_WEBHOOK_SECRETS}
# Links to these sites (and their subdomains) say in utm_source, utm_medium and utm_campaign where a visit came from.
UTM_SITES = environment.words("UTM_SITES", [])
UTM_SOURCE = environment.text("UTM_SOURCE", "cairn")
# What is sent again when nobody knows whether it arrived, as channel:class. The rest waits for a human.
RESEND_IN_DOUBT = environment.words("RESEND_IN_DOUBT", ["email:transactional"])

# ── Calls to addresses of others (webhooks) ──────────────────────────────────────────────────────────────────────────
# Whether addresses without TLS may be called. Public places alone are, but for the hosts that are named here.
OUTGOING_HTTP = environment.flag("OUTGOING_HTTP")
OUTGOING_HOSTS = environment.words("OUTGOING_HOSTS", [])

# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = CAIRN_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000  # a segment of 200 conditions, as a form

# ── Safety ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_https = (ADMIN_URL or BASE_URL).startswith("https://")
SECURE_SSL_REDIRECT = (
    False  # one-click unsubscribing must never be redirected: the proxy in front decides (docs/operators.md)
)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if environment.flag("BEHIND_PROXY") else None
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-session" if _https else "cairn_session"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "cairn_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # SECURE_SSL_REDIRECT, for the reason given above
# unfold's Alpine needs 'unsafe-eval' and inline styles; customers' pages answer with a stricter policy of their own.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'", "data:"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
    }
}

# ── The REST API ─────────────────────────────────────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["staff.authentication.BearerKey"],
    "DEFAULT_PERMISSION_CLASSES": ["staff.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["config.rest.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.rest.problem_details",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cairn",
    "DESCRIPTION": "People, what they do, the groups they form, and what is said to them.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],  # enums stay where they are used: many things have a status of their own
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Cairn",
    "SITE_HEADER": "Cairn",
    "SITE_SYMBOL": "landscape",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": [lambda request: static("admin_cairn/pages.css")],
    "SCRIPTS": [lambda request: static("admin_cairn/pages.js")],
    "DASHBOARD_CALLBACK": "config.admin.dashboard",
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "config.admin.navigation"},
    # Teal, each shade dark enough for white text on 600 and for itself as text (WCAG AA).
    "COLORS": {
        "primary": {
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0f766e",
            "700": "#115e59",
            "800": "#134e4a",
            "900": "#0f3f3c",
            "950": "#042f2e",
        }
    },
}

LOG_LEVEL = environment.choice("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django_celery_beat": {"level": "WARNING"},
    },
}
