from __future__ import annotations

import csv
import html
import io
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzers.escape import escape_text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"/ViaBTC/Mined by rme100/", "/ViaBTC/Mined by rme100/"),
        ("七彩神仙鱼 🐟".encode(), "七彩神仙鱼 🐟"),
        (b"rijndael's", r"rijndael\x27s"),
        (b"a\\x41", r"a\x5cx41"),
        (b"\x1b[2J", r"\x1b[2J"),
        ("\u202egpj.exe".encode(), r"\xe2\x80\xaegpj.exe"),
        ("\u05d0".encode(), r"\xd7\x90"),
        ("e\u0301".encode(), r"e\xcc\x81"),
        (b"\xff\xfe\xc3", r"\xff\xfe\xc3"),
        (b"=1+1", r"\x3d1+1"),
        (b"-1", r"\x2d1"),
        ("\uff1dA1".encode(), r"\xef\xbc\x9dA1"),
        (b" x", r"\x20x"),
        (b"<script>", r"\x3cscript\x3e"),
        ("\ud800", r"\xed\xa0\x80"),
        (b"", ""),
    ],
)
def test_examples(data: bytes | str, text: str) -> None:
    assert escape_text(data) == text


@pytest.mark.slow
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@example(bytes(range(256)))
def test_escaped_text_is_safe_everywhere_and_keeps_everything(data: bytes) -> None:
    text = escape_text(data)
    assert html.escape(text) == text
    assert not set(text) & set("\"'`\n\r\t|$")
    assert text[:1] not in tuple("=+-@ \t\r")
    for character in text:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in ("R", "AL", "AN", "RLO", "LRO", "RLE")
    cells = io.StringIO()
    csv.writer(cells).writerow([text])
    assert next(csv.reader(io.StringIO(cells.getvalue())), [""]) == [text]
    back = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())
    assert back == data
