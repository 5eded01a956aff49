"""A provider built with django-oauth-toolkit, on the loopback interface.

Its arguments are a port and a directory for its database. For the tests there are

    GET /test/version     of the toolkit
    GET /test/login/NAME  signs a person in, without a password
    GET /test/rotate      a new key signs, and the old one stays published
    GET /test/retire      the old ones are published no more
"""

import os
import sys

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import include, path

port, directory = sys.argv[1], sys.argv[2]


def new_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


settings.configure(
    DEBUG=False,
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(directory, "db.sqlite3"),
            "OPTIONS": {"timeout": 20},
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    USE_TZ=True,
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": "http://127.0.0.1:%s/o" % port,
        "OIDC_RSA_PRIVATE_KEY": new_key(),
        "SCOPES": {"openid": "sign in", "read": "read"},
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)


def version(request):
    from importlib.metadata import version

    return HttpResponse(version("django-oauth-toolkit"))


def login(request, name):
    from django.contrib.auth import get_user_model
    from django.contrib.auth import login as sign_in

    user, _ = get_user_model().objects.get_or_create(username=name)
    sign_in(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse("signed in")


def rotate(request):
    from oauth2_provider.settings import oauth2_settings

    old = [oauth2_settings.OIDC_RSA_PRIVATE_KEY, *oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE]
    oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE = old
    oauth2_settings.OIDC_RSA_PRIVATE_KEY = new_key()
    return HttpResponse("rotated")


def retire(request):
    from oauth2_provider.settings import oauth2_settings

    oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE = []
    return HttpResponse("retired")


django.setup()
urlpatterns = [
    path("test/version", version),
    path("test/login/<name>", login),
    path("test/rotate", rotate),
    path("test/retire", retire),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]
call_command("migrate", verbosity=0)

from oauth2_provider.models import Application  # noqa: E402

for name, grant, algorithm in (
    ("web", "authorization-code", "RS256"),
    ("other", "authorization-code", "RS256"),
    ("mac", "authorization-code", "HS256"),
    ("job", "client-credentials", "RS256"),
):
    Application.objects.create(
        name=name,
        client_id=name,
        client_secret="secret of %s, longer than the toolkit's keys" % name,
        hash_client_secret=algorithm != "HS256",
        client_type="confidential",
        authorization_grant_type=grant,
        redirect_uris="http://127.0.0.1:1/callback",
        skip_authorization=True,
        algorithm=algorithm,
    )
call_command("runserver", "127.0.0.1:" + port, "--noreload", verbosity=0)
