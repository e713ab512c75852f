"""The documents of the corpus that are made by hand: python -m tests.facts.corpus_making writes them anew.

Those of other programs lie beside them, as these wrote them (`corpus/README.md`).
"""

from __future__ import annotations

import io
import zlib

import pypdf

from tests.facts import pdf_making as making
from tests.facts.table import CORPUS

_NOTES = (
    "Restart of the payment gateway\nStop the queue before the gateway\nand wait until it is empty.",
    "Then restart each node alone.\nA node needs 40 seconds.",
    "Contact: the team on call.",
)


def _with_object_streams() -> bytes:
    """As most programs write today: objects and their table are deflated."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(making.pages_of(_NOTES, b"(Restart of the gateway)")))
    for page in writer.pages:
        page.compress_content_streams(9)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _changed_later() -> bytes:
    """Saved twice: the second part takes the place of a page, and the first part still lies in the file."""
    first = making.pages_of(["the old page"])
    content = making.stream(making.content_of("the page as it was mended"))
    table = b"xref\n5 1\n%010d 00000 n \n" % len(first)
    trailer = b"trailer\n<< /Size 6 /Root 1 0 R /Prev %d >>\n" % first.rindex(b"xref\n0")
    body = b"5 0 obj\n" + content + b"\nendobj\n"
    return first + body + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (len(first) + len(body))


def _scanned() -> bytes:
    """A page that is a picture: it has no words."""
    picture = zlib.compress(bytes(range(64)) * 64, 9)
    entries = (
        b"/Type /XObject /Subtype /Image /Width 64 /Height 64 /ColorSpace /DeviceGray /BitsPerComponent 8"
        b" /Filter /FlateDecode"
    )
    return making.pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
                b" /Resources << /XObject << /P 5 0 R >> >> >>"
            ),
            making.stream(b"400 0 0 400 50 200 cm /P Do"),
            making.stream(picture, entries),
        ]
    )


def _nested_tree() -> bytes:
    """Pages below pages, as writers of long files make them."""
    page = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] >>"
    return making.pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 5 >>",
            b"<< /Type /Pages /Parent 2 0 R /Kids [5 0 R 6 0 R 7 0 R] /Count 3 >>",
            b"<< /Type /Pages /Parent 2 0 R /Kids [8 0 R 9 0 R] /Count 2 >>",
            *(page % 3,) * 3,
            *(page % 4,) * 2,
        ]
    )


def documents() -> dict[str, bytes]:
    """The content of each file by its name."""
    title = b"<" + ("\ufeff" + "Größe der Warteschlange – 日本語").encode("utf-16-be").hex().encode() + b">"
    return {
        "notes.pdf": making.pages_of(_NOTES, b"(Restart of the gateway)"),
        "notes-packed.pdf": _with_object_streams(),
        "title-utf16.pdf": making.pages_of(["One page"], title),
        "changed-later.pdf": _changed_later(),
        "scanned.pdf": _scanned(),
        "nested-tree.pdf": _nested_tree(),
        "article.html": _HTML.encode(),
        "fragment.html": b"<p>No head, no end: <em>still</em> a page",
        "table.html": "<!doctype html><title>Größen</title><table><tr><td>a<td>b<tr><td>ä<td>日本</table>".encode(),
        "marked.html": "\ufeff<!DOCTYPE html><html><head><title> Two\n lines </title></head><body>x</body>".encode(),
        "runbook.md": _MARKDOWN.encode(),
        "list.md": b"* one\n* two\n  * two and a half\n\n1. three\n",
        "underlined.md": "Überschrift\n===========\n\nEin Satz.\n".encode(),
        "ocr.txt": "Fehler 503\nBitte später  erneut\tversuchen\n".encode(),
    }


_HTML = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Limits of the sync</title><style>p { color: red }</style></head>
<body>
<h1>Limits of the sync</h1>
<p>A sync moves <b>5,000</b> records; a lar<i>ger</i> one is split.</p>
<script>document.write("never counted")</script>
<ul><li>Retry after 60&nbsp;seconds</li><li>then call us</li></ul>
</body>
</html>
"""
_MARKDOWN = """# Restart the *gateway*

Stop the queue, then run `make restart`:

```sh
make restart NODE=3
```

| node | seconds |
|------|---------|
| 3    | 40      |

See [the runbook](https://example.org/runbook). <!-- not seen -->
"""

if __name__ == "__main__":
    for name, content in documents().items():
        (CORPUS / name).write_bytes(content)
