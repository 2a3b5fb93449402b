"""The pages: last verdicts with pictures, and how the service is called. No scripts, none foreign.

Names come from senders, so everything is escaped.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

from bearing_search.runtime.detector import Detector
from bearing_search.service.worker import Judged
from bearing_search.text.printable import printable

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem;
  padding: 0 1rem; color: #1d2329; background: #fff; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; } h2 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
p.facts { color: #55606b; margin: 0 0 1rem; } a { color: #0b57a4; }
article { border: 1px solid #d5dae0; border-left: 8px solid #b07a00; border-radius: 4px;
  padding: .6rem .8rem; margin: 0 0 .8rem; }
article.ok { border-left-color: #1a7f37; } article.ng { border-left-color: #c4242b; }
.word { font-weight: 700; font-size: 1.1rem; margin-right: .6rem; }
.name { overflow-wrap: anywhere; } .more { color: #55606b; }
img { display: block; max-width: 100%; margin-top: .5rem; border-radius: 2px; }
pre { background: #f3f5f7; padding: .6rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { color: #e3e7eb; background: #14181c; }
  article { border-color: #39424b; } p.facts, .more { color: #9aa5b1; } a { color: #7ab7ff; }
  pre { background: #1f262d; } }
"""

_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{% if refresh_s %}<meta http-equiv="refresh" content="{{ refresh_s }}">{% endif %}
<style>{{ style }}</style></head><body>
"""

_LAST = (
    _FRAME
    + """<h1>Last verdicts</h1>
<p class="facts">{{ facts }} &middot;
{% if refresh_s %}<a href="/?paused=1">stop reloading</a>{% else %}<a href="/">reload every
few seconds</a>{% endif %} &middot; <a href="/docs">how to call it</a> &middot;
<a href="/metrics">metrics</a></p>
{% for one in verdicts %}<article class="{{ one.kind }}">
<div><span class="word">{{ one.word }}</span><span class="name">{{ one.sample }}</span>
<span class="more">&middot; part {{ one.part }} &middot; {{ one.at }}</span></div>
<div class="more">{{ one.score }}</div>
{% for line in one.lines %}<div class="name">{{ line }}</div>{% endfor %}
{% if one.picture %}<img loading="lazy" src="/verdicts/{{ one.number }}/map.png"
alt="overlay of {{ one.sample }}">{% endif %}
</article>{% else %}<p>No sample was judged yet.</p>{% endfor %}
</body></html>
"""
)

_CALLS = (
    _FRAME
    + """<h1>How to call it</h1>
<p class="facts">{{ facts }} &middot; <a href="/">last verdicts</a> &middot;
<a href="/openapi.json">openapi.json</a></p>
{% for one in calls %}<h2>{{ one.method }} {{ one.path }}</h2>
<p>{{ one.summary }}</p>
{% if one.description %}<pre>{{ one.description }}</pre>{% endif %}
{% if one.parameters %}<p>Parameters: {% for p in one.parameters %}<code>{{ p.name }}</code>
{{ p.description | default('') }}{% if not loop.last %}; {% endif %}{% endfor %}</p>{% endif %}
<ul>{% for status, meaning in one.answers %}<li><b>{{ status }}</b> {{ meaning }}</li>{% endfor %}
</ul>{% endfor %}
</body></html>
"""
)

_JINJA = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
REFRESH_S = 5


def verdicts_page(detector: Detector, recent: Sequence[Judged], *, is_paused: bool) -> str:
    """The last verdicts as HTML, newest first."""
    return _JINJA.from_string(_LAST).render(
        title="Last verdicts",
        style=_STYLE,
        refresh_s=0 if is_paused else REFRESH_S,
        facts=_facts(detector),
        verdicts=[_entry(one) for one in recent],
    )


def calls_page(detector: Detector, schema: Mapping[str, Any]) -> str:
    """The content of an OpenAPI schema as HTML."""
    calls = [
        {
            "method": method.upper(),
            "path": path,
            "summary": what.get("summary", ""),
            "description": what.get("description", ""),
            "parameters": what.get("parameters", ()),
            "answers": [(k, v.get("description", "")) for k, v in what["responses"].items()],
        }
        for path, methods in schema["paths"].items()
        for method, what in methods.items()
    ]
    return _JINJA.from_string(_CALLS).render(
        title="How to call it", style=_STYLE, refresh_s=0, facts=_facts(detector), calls=calls
    )


def _facts(detector: Detector) -> str:
    name = printable(detector.folder.name or str(detector.folder), keep="")
    return f"{name} ({detector.form}, {detector.precision}), parts {', '.join(detector.parts)}"


def _entry(one: Judged) -> Mapping[str, Any]:
    result = one.result
    score = ""
    if result.score is not None and result.thresholds is not None:
        score = f"score {result.score:.4g}, NG from {result.thresholds.ng:.4g}"
    return {
        "number": one.number,
        "kind": {"OK": "ok", "NG": "ng"}.get(result.word, ""),
        "word": result.word,
        "sample": printable(result.sample, keep=""),
        "part": result.part,
        "at": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at)),
        "score": score,
        "lines": [printable(line, keep="") for line in (result.reason, *result.notes) if line],
        "picture": not one.picture.done() or bool(one.picture.result()),
    }
