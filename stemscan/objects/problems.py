"""Refusals of a server of objects, and its silence, each in one sentence."""

from __future__ import annotations

import os
import re
from typing import Final

from stemscan.errors import InputNotFoundError, StemscanError

__all__ = ["ObjectStoreError", "OvertakenError", "explained"]

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CREDENTIALS: Final = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role",
    "gs": "set GOOGLE_SERVICE_ACCOUNT to the file of a key, or give this machine a service account",
}
_NO_CREDENTIALS: Final = re.compile(
    r"169\.254\.|Missing\w*(Key|Token)|metadata\.google|metadata service|[Cc]redential|default_credentials"
)
_STATUS: Final = re.compile(r"status code: (\d{3})[^:\n]*")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")


class ObjectStoreError(StemscanError, ConnectionError):
    """A server of objects refuses what was asked for, or does not answer."""


class OvertakenError(ObjectStoreError):
    """Another process wrote an object since this one read or wrote it."""


def explained(problem: Exception, url: str, doing: str) -> StemscanError:
    """The error for what obstore raised.

    Parameters
    ----------
    url : str
        Of the object or bucket.
    doing : {"read", "write", "list", "delete"}
    """
    text = str(problem)
    scheme, bucket = url.split("://")[0], url.split("/")[2]
    status, code = _STATUS.search(text), _CODE.search(text)
    if code is not None and code[1] == "NoSuchBucket":
        return InputNotFoundError(
            f"expected a bucket {bucket!r} for {url!r}, got none of that name; create it first, or check the name"
        )
    if _NO_CREDENTIALS.search(text):
        return ObjectStoreError(f"expected credentials for {url!r}, got none; {_CREDENTIALS.get(scheme, 'set them')}")
    if status is None:
        return ObjectStoreError(
            f"expected an answer to {doing} {url!r}, got none from {_endpoint(scheme)} ({_reason(text)}); check the "
            "network and the address of the server"
        )
    told = status[1] if code is None else f"{status[1]} {code[1]}"
    if status[1] in ("401", "403"):
        return ObjectStoreError(
            f"expected to be allowed to {doing} {url!r}, got {told}; check the credentials and the rights of the bucket"
        )
    return ObjectStoreError(f"expected to {doing} {url!r}, got the server's answer {told}; try again later")


def _endpoint(scheme: str) -> str:
    """Address of the server, where it is not the usual one."""
    given = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    return given if scheme == "s3" and given else "the server"


def _reason(text: str) -> str:
    """Why there was no answer."""
    known = {"timed out": "timed out", "dns": "no such host", "refused": "connection refused", "reset": "reset"}
    return next((words for sign, words in known.items() if sign in text), "no connection")
