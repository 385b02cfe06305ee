"""Follow HTTP redirects only where a rule lets them lead."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from http.client import HTTPMessage
from typing import IO

Rule = Callable[[str, str], Exception | None]
"""Returns what to raise instead of going on from the first URL to the second; None lets it pass."""


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect unless `rule` has something against it."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request that goes on, or raise what the rule says."""
        refusal = self._rule(req.full_url, newurl)
        if refusal is not None:
            fp.close()
            raise refusal
        return super().redirect_request(req, fp, code, msg, headers, newurl)
