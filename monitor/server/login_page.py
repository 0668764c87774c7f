"""What `/login` shows: a form and a sentence, no script at all."""

from html import escape

#: Stricter than the dashboard's. Without a referrer of its own the form would be sent as if from
#: nowhere, which the shield refuses.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · SQD</title>
<link rel="stylesheet" href="/static/style.css">
<link rel="stylesheet" href="/static/dark.css" media="(prefers-color-scheme: dark)">
</head>
<body>
<header class="top"><a class="brand" href="/">SQD</a></header>
<main class="notice">
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""
_FORM = """<p>This monitor is protected. Its owner set the token with <code>--token</code> or
<code>SQD_TOKEN</code>, and may have set another, with <code>--read-token</code>, that only
shows.</p>
<form method="post" action="/api/login">
<input type="hidden" name="next" value="{after}">
<p class="field"><input type="password" name="token" aria-label="Token" required autofocus
autocomplete="current-password" maxlength="4096"> <button>Open</button></p>
</form>
<p class="bad" role="status">{said}</p>"""
_WELCOME = """<p>{may}</p>
<p><a href="/">All runs</a></p>
<form method="post" action="/api/logout"><p class="field"><button>Log out</button></p></form>"""
_MAY = {
    "write": "You may see and change everything.",
    "read": "You may see everything and change nothing.",
}


def form(after: str, said: str = "") -> str:
    """The form.

    Args:
        after: path to go on to.
        said: why the last attempt failed.
    """
    content = _FORM.format(after=escape(after), said=escape(said))
    return _FRAME.format(title="Token needed", content=content)


def welcome(role: str) -> str:
    """For who is logged in: what this session may do, and the way out."""
    return _FRAME.format(title="Logged in", content=_WELCOME.format(may=_MAY[role]))
