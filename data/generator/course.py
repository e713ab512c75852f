"""The sample's batch in the course's own words: three manuals, a picture with what was read in it, a call with its
transcript, a video, and the one manifest that declares them all.

python -m data.generator.course [--out data]
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.generator.media import ROOT, from_corpus, panel, text, tone

FOLDER = "canonization/course"
MANIFEST = "seed_manifests/course-2026.json"
_TICKET = "TKT-20260309-000029"
_CONTRACT = "omni://contracts/data/{}/v1"


def manual(title: str, *pages: Sequence[str]) -> bytes:
    """A PDF with lines of text on each page, nothing in it packed: no version of a library decides its bytes."""
    first_page = 4
    kids = " ".join(f"{first_page + 2 * place} 0 R" for place in range(len(pages)))
    fonts = "/Resources << /Font << /F1 3 0 R >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, lines in enumerate(pages):
        page = first_page + 2 * place
        drawn = "BT /F1 12 Tf 14 TL 50 800 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {page + 1} 0 R {fonts} >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    objects.append(f"<< /Title ({title}) >>")
    content, offsets = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n"
    return f"{content}{end}startxref\n{len(content)}\n%%EOF\n".encode("ascii")


FILES: Mapping[str, Callable[[], bytes]] = {
    "gateway-manual.pdf": lambda: manual(
        "Gateway manual",
        ("Gateway manual", "Three lamps are lit while the gateway works.", "NET is dark: the line is down."),
        ("Restart", "1. Hold the button for ten seconds.", "2. Wait until SYNC is lit.", "3. Note the time."),
    ),
    "sync-limits.pdf": lambda: manual(
        "Sync limits",
        ("Sync limits", "A run of sync moves 5,000 records.", "Code 429 asks for 60 seconds of patience."),
    ),
    "recovery-checklist.pdf": lambda: manual(
        "Recovery checklist",
        (
            "Recovery checklist",
            "Who asks is known by the number of a ticket.",
            "Nothing is deleted before it is archived.",
        ),
    ),
    "gateway-lamps.png": lambda: panel(80, 48),
    "gateway-lamps.ocr.txt": text("PWR  NET  SYNC", "NET: down since 08:15"),
    "recovery-call.wav": lambda: tone(1.25, 330),
    "recovery-call.transcript.jsonl": text(
        '{"start_seconds": 0, "end_seconds": 0.6, "speaker": "customer", "text": "NET is dark since a quarter past."}',
        '{"start_seconds": 0.6, "end_seconds": 1.25, "speaker": "agent", "text": "Then we restart it together."}',
    ),
    "recovery-demo.mp4": from_corpus("ntsc.mp4"),
}


def manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    """What declares them, by their paths below the checkout."""

    def asset(source_id: str, name: str, asset_type: str, contract: str, **said: Any) -> dict[str, Any]:
        return {
            "source_id": source_id,
            "source_url_or_path": f"data/{FOLDER}/{name}",
            "asset_type": asset_type,
            "contract_ref": _CONTRACT.format(contract),
            "size_bytes": len(files[name]),
            "checksum_sha256": hashlib.sha256(files[name]).hexdigest(),
            "metadata_status": "complete",
            "pii_scan_status": "clear",
            "language": "en",
            **said,
        }

    at = "recorded_at"
    return {
        "manifest_id": "manifest-course-20260424-001",
        "schema_version": "source_manifest_v1",
        "batch_id": "batch-20260424-001",
        "modality": "multimodal",
        "source_type": "other",
        "product_line": "northstar_edge_gateway",
        "license_tag": "course_synthetic",
        "contract_ref": _CONTRACT.format("doc_asset"),
        "load_mode": "full_snapshot",
        "canonization_status": "canonized",
        "gate_policy": {
            "on_missing_checksum": "reject",
            "on_partial_metadata": "warn",
            "on_missing_metadata": "quarantine",
            "on_pii_gap": "quarantine",
            "on_contract_mismatch": "reject",
            "on_unknown_license": "reject",
        },
        "assets": [
            asset(
                "doc:course:gateway-manual",
                "gateway-manual.pdf",
                "pdf",
                "doc_asset",
                captured_at="2026-04-20T09:00:00Z",
            ),
            asset("doc:course:sync-limits", "sync-limits.pdf", "pdf", "doc_asset", captured_at="2026-04-21T09:00:00Z"),
            asset(
                "doc:course:recovery", "recovery-checklist.pdf", "pdf", "doc_asset", captured_at="2026-04-21T09:30:00Z"
            ),
            asset(
                "image:course:gateway-lamps",
                "gateway-lamps.png",
                "image",
                "doc_asset",
                ocr_text_path=f"data/{FOLDER}/gateway-lamps.ocr.txt",
                ticket_id=_TICKET,
                **{at: "2026-04-20T08:15:00Z"},
            ),
            asset(
                "audio:course:recovery-call",
                "recovery-call.wav",
                "audio",
                "audio_asset",
                duration_sec=1.25,
                transcript_object_path=f"data/{FOLDER}/recovery-call.transcript.jsonl",
                ticket_id=_TICKET,
                **{at: "2026-04-20T08:20:00Z"},
            ),
            asset(
                "video:course:recovery-demo",
                "recovery-demo.mp4",
                "video",
                "video_asset",
                **{at: "2026-04-22T10:00:00Z"},
            ),
        ],
        "ingest_config": {"parser": "auto", "chunk_size": 320, "chunk_overlap": 40, "pii_scan": True},
        "created_at": "2026-04-24T00:00:00Z",
        "owner": "course-team",
        "notes": "One batch of every kind of file, made by a script: no one's voice, no one's face.",
    }


def write(folder: Path) -> None:
    """Each file and the manifest below `folder`, anew."""
    files = {name: make() for name, make in FILES.items()}
    said = json.dumps(manifest(files), indent=2) + "\n"
    for name, content in {
        **{f"{FOLDER}/{name}": each for name, each in files.items()},
        MANIFEST: said.encode(),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m data.generator.course", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data", help="folder of the sample and its manifests")
    write(parser.parse_args().out)
