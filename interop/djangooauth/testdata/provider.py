"""A provider built with django-oauth-toolkit, on the loopback interface.

Its arguments are a port and a directory for its database. A person is signed in by
GET /login/NAME, without a password: it is the tests' own.
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
key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)

settings.configure(
    DEBUG=False,
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(directory, "db.sqlite3"), "OPTIONS": {"timeout": 20}}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    USE_TZ=True,
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": key.decode(),
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
        "SCOPES": {"openid": "sign in", "notes": "read notes"},
        "PKCE_REQUIRED": False,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)


def login(request, name):
    from django.contrib.auth import get_user_model
    from django.contrib.auth import login as sign_in

    user, _ = get_user_model().objects.get_or_create(username=name)
    sign_in(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse("signed in")


def ready(request):
    return HttpResponse("ready")


django.setup()
urlpatterns = [path("ready", ready), path("login/<name>", login), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
call_command("migrate", verbosity=0)

from oauth2_provider.models import Application  # noqa: E402

for name, grant in (("web", "authorization-code"), ("job", "client-credentials"), ("other", "client-credentials")):
    Application.objects.create(
        name=name,
        client_id=name,
        client_secret="secret of " + name,
        client_type="confidential",
        authorization_grant_type=grant,
        redirect_uris="http://127.0.0.1:1/callback",
        skip_authorization=True,
        algorithm="RS256",
    )
call_command("runserver", "127.0.0.1:" + port, "--noreload", verbosity=0)
