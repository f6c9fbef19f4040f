"""Login with user name and password, kept by the FAB auth manager in the metadata database."""

from flask_appbuilder.const import AUTH_DB

AUTH_TYPE = AUTH_DB
WTF_CSRF_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
