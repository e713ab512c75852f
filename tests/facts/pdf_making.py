"""PDF files by hand, so that each byte of a hostile one is meant."""

from __future__ import annotations

import zlib
from collections.abc import Sequence


def pdf_of(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalog."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def deflated(content: bytes) -> bytes:
    return stream(zlib.compress(content, 9), b"/Filter /FlateDecode")


def pages_of(texts: Sequence[str], title: bytes | None = None, count: int | None = None) -> bytes:
    """A PDF with a page a text, each line of it a line there; `title`: a string of PDF, with its brackets; `count`:
    what the file says of its pages, where that is not true."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * place) for place in range(len(texts)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(texts) if count is None else count),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, text in enumerate(texts):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * place)
        )
        objects.append(stream(content_of(text)))
    if title is None:
        return pdf_of(objects)
    return pdf_of([*objects, b"<< /Title %s >>" % title], b"/Info %d 0 R" % (len(objects) + 1))


def content_of(text: str) -> bytes:
    """What writes a page's lines; the text must have no bracket."""
    lines = b" ".join(b"(%s) Tj T*" % line.encode("ascii") for line in text.splitlines())
    return b"BT /F1 12 Tf 14 TL 50 800 Td %s ET" % lines


def bomb_of(megabytes: int) -> bytes:
    """A page whose content is so large, deflated twice."""
    packing = zlib.compressobj(9)
    piece = b"(a ) Tj " * (2**20 // 8)
    once = b"".join([packing.compress(b"BT /F1 12 Tf "), *(packing.compress(piece) for _ in range(megabytes))])
    twice = zlib.compress(once + packing.compress(b" ET") + packing.flush(), 9)
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            (
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
                b" /Resources << /Font << /F1 3 0 R >> >> >>"
            ),
            stream(twice, b"/Filter [/FlateDecode /FlateDecode]"),
        ]
    )
