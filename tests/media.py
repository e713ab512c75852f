"""Calls, videos, images and texts read from these, to deliver: files whose facts are known (tests/facts/corpus), and
broken ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.checkouts import ROOT
from tests.facts.media_making import mp4_of, png_of, wav_of

CORPUS = ROOT / "tests" / "facts" / "corpus"


@dataclass(frozen=True, slots=True)
class Media:
    """A kind of such files. `good`: by the ending of its name; `facts`: columns of Silver, and what they hold of each;
    `said`: what is declared of one, and fits what it is; `wrong`: what is declared of another, and does not.

    `bad`: files of a day each, beside the reason why it is rejected. `every`: what every file has to declare.
    """

    kind: str
    silver: str
    good: Mapping[str, bytes]
    facts: Mapping[str, tuple[object, ...]]
    said: Mapping[str, object]
    wrong: Mapping[str, object]
    bad: Mapping[str, tuple[bytes, str]]
    every: Mapping[str, object] = field(default_factory=dict)

    @property
    def bad_days(self) -> list[str]:
        return sorted(name.partition("-")[2].rpartition(".")[0] for name in self.bad)

    @property
    def columns(self) -> str:
        return ", ".join(self.facts)


def _corpus(name: str) -> bytes:
    return (CORPUS / name).read_bytes()


_VIDEO = _corpus("spoken-h264.mp4")
_SHOT = _corpus("shot.png")
CALLS = Media(
    kind="call_v1",
    silver="call_asset",
    good={"mp3": _corpus("constant.mp3"), "ogg": _corpus("call-opus.ogg"), "wav": _corpus("call-8k.wav")},
    facts={
        "media_type": ("audio/mpeg", "audio/ogg", "audio/wav"),
        "codec": ("mp3", "opus", "pcm"),
        "duration_seconds::text": ("2.088", "2", "1"),
        "sample_rate_hz::int": (16000, 48000, 8000),
        "channel_count::int": (1, 1, 1),
    },
    said={"speaker_count": 2, "is_diarised": True, "transcript_path": "transcripts/a.jsonl", "duration_seconds": 2.1},
    wrong={"duration_seconds": 2.14},
    bad={
        "lies-2026-05-01.wav": (wav_of(bytes(8000), said_bytes=80_000), "unreadable_file"),
        "song-2026-05-02.wav": (_corpus("bare.mp3"), "media_type_mismatch"),
    },
)
VIDEOS = Media(
    kind="video_v1",
    silver="video_asset",
    good={"mp4": _VIDEO, "webm": _corpus("screen.webm")},
    facts={
        "media_type": ("video/mp4", "video/webm"),
        "codec": ("h264", "vp8"),
        "audio_codec": ("aac", "opus"),
        "duration_seconds::text": ("1", "1.008"),
        "width_pixels::int": (160, 96),
        "height_pixels::int": (120, 64),
        "frame_rate::int": (25, 25),
        "sample_rate_hz::int": (16000, 48000),
    },
    said={
        "speaker_count": 1,
        "is_diarised": False,
        "audio_track_path": "sound/a.wav",
        "key_frame_paths": ["frames/1.png", "frames/2.png"],
        "width_pixels": 160,
    },
    wrong={"width_pixels": 161},
    bad={
        "cut-2026-05-01.mp4": (_VIDEO[: len(_VIDEO) // 2], "unreadable_file"),
        "sound-2026-05-02.mp4": (CALLS.good["wav"], "media_type_mismatch"),
        "headless-2026-05-04.mp4": (_VIDEO[: _VIDEO.index(b"moov") - 4], "unreadable_file"),
        "endless-2026-05-05.mp4": (mp4_of(frames=0, milliseconds=0), "unreadable_file"),
    },
)
IMAGES = Media(
    kind="image_v1",
    silver="image_asset",
    good={"jpg": _corpus("photo.jpg"), "png": _SHOT, "webp": _corpus("moving.webp")},
    facts={
        "media_type": ("image/jpeg", "image/png", "image/webp"),
        "width_pixels::int": (320, 160, 64),
        "height_pixels::int": (240, 120, 48),
        "frame_count::int": (1, 1, 5),
    },
    said={"language": "en", "height_pixels": 240},
    wrong={"media_type": "image/png"},
    bad={
        "vast-2026-05-01.png": (png_of(100_000, 100_000, rows=1), "too_many_pixels"),
        "cut-2026-05-02.png": (_SHOT[: len(_SHOT) // 2], "unreadable_file"),
    },
)
TEXTS = Media(
    kind="ocr_text_v1",
    silver="ocr_text",
    good={"txt": _corpus("ocr.txt")},
    facts={
        "media_type": ("text/plain",),
        "word_count::int": (6,),
        "character_count::int": (42,),
        "line_count::int": (2,),
    },
    said={"language": "de", "word_count": 6},
    wrong={"line_count": 3},
    bad={
        "latin-2026-05-01.txt": ("Größe".encode("latin-1"), "not_utf8"),
        "picture-2026-05-02.txt": (_SHOT, "media_type_mismatch"),
    },
    every={"linked_source_id": "shot-2026-04-17.png"},
)
RECORDED = (CALLS, VIDEOS, IMAGES)
ALL = (*RECORDED, TEXTS)
