"""moto's S3 server with two things that stores of the world do and moto does not: it looks at signatures,
and it answers one request after the other, so that "put unless it is there" is decided at one instant.

usage: s3_server.py PORT ACCESS_KEY_ID SECRET_ACCESS_KEY, with the Python that has moto.
"""

import hashlib
import hmac
import io
import re
import sys
import threading
from urllib.parse import parse_qsl, quote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d+)/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]+)"
)
# All that may be asked for without a key: a bucket, which tests make with it.
BUCKET = re.compile(r"/[a-z0-9.-]+/?")


class Store:
    """The WSGI application."""

    def __init__(self, access_key_id, secret_access_key):
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.one_at_a_time = threading.Lock()

    def __call__(self, environ, start_response):
        refused = self.refuse(environ)
        if refused:
            return answer(start_response, *refused)
        # Read before it is this request's turn, since the other end may stop in the middle.
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:
            return answer(start_response, "400 Bad Request", "IncompleteBody")
        environ["wsgi.input"] = io.BytesIO(body)
        with self.one_at_a_time:
            return list(self.moto(environ, start_response))

    def refuse(self, environ):
        """Why the request is not let in."""
        path = environ["RAW_URI"].partition("?")[0]
        given = AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        if not given:
            anonymous = path == "/" or (environ["REQUEST_METHOD"] == "PUT" and BUCKET.fullmatch(path))
            return None if anonymous else ("403 Forbidden", "AccessDenied")
        if given["key"] != self.access_key_id:
            return "403 Forbidden", "InvalidAccessKeyId"
        if not hmac.compare_digest(self.signature(environ, given), given["signature"]):
            return "403 Forbidden", "SignatureDoesNotMatch"
        return None

    def signature(self, environ, given):
        """Signature version 4 of the request as it came over the wire."""
        path, _, query = environ["RAW_URI"].partition("?")
        # Clients write a blank as `+` or as `%20`; what is signed has the latter.
        pairs = sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                       for name, value in parse_qsl(query, keep_blank_values=True))
        headers = "".join(f"{name}:{header(environ, name)}\n" for name in given["headers"].split(";"))
        request = "\n".join([environ["REQUEST_METHOD"], path, "&".join(pairs), headers, given["headers"],
                             environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")])
        scope = f"{given['day']}/{given['region']}/{given['service']}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", environ.get("HTTP_X_AMZ_DATE", ""), scope,
                          hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + self.secret_access_key).encode()
        for part in (given["day"], given["region"], given["service"], "aws4_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key.hex()


def header(environ, name):
    name = name.upper().replace("-", "_")
    value = environ.get(name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + name, "")
    return " ".join(value.split())


def answer(start_response, status, code):
    body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>refused by the test server'
            f"</Message></Error>").encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


class Quiet(WSGIRequestHandler):
    """No line for each request."""

    def log_request(self, code="-", size="-"):
        pass


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), Store(sys.argv[2], sys.argv[3]), threaded=True, request_handler=Quiet)
