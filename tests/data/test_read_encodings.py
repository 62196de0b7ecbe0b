"""Text in any encoding: found out, mended, told."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest

from tunewright.core.errors import UserError
from tunewright.data.formats.charset import likeliest
from tunewright.data.read import batches, read

TEXTS = {
    "german": ("Die Lieferung kam zu spät, die Größe ist falsch; bitte prüfen", "cp1252"),
    "french": ("Le délai de livraison était très long, j’ai reçu la commande abîmée", "cp1252"),
    "polish": ("Paczka nie dotarła na czas, źle działa żółty przycisk", "cp1250"),
    "czech": ("Zásilka nedorazila včas, prosím zkontrolujte objednávku, žluťoučký kůň", "cp1250"),
    "turkish": ("Sipariş zamanında gelmedi, lütfen kontrol edin, ödeme yapıldı", "cp1254"),
    "russian": ("Посылка не пришла вовремя, проверьте, пожалуйста, заказ", "cp1251"),
    "russian on unix": ("Посылка не пришла вовремя, проверьте, пожалуйста, заказ", "koi8_r"),
    "greek": ("Η παραγγελία δεν έφτασε εγκαίρως, παρακαλώ ελέγξτε", "cp1253"),
    "arabic": ("لم يصل طلبي بعد، يرجى التحقق من ذلك", "cp1256"),
    "japanese": ("注文した商品がまだ届きません。確認してください。", "cp932"),
    "japanese on unix": ("注文した商品がまだ届きません。確認してください。", "euc_jp"),
    "chinese": ("我的订单还没有到,请帮我查一下物流信息,谢谢", "gb18030"),
    "taiwanese": ("我的訂單還沒有到,請幫我查一下物流信息,謝謝", "big5"),
    "korean": ("주문한 상품이 아직 도착하지 않았습니다. 확인해 주세요", "cp949"),
    "german on an old mac": ("Die Lieferung kam zu spät, die Größe ist falsch; bitte prüfen", "mac_roman"),
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_legacy_encoding_is_known_by_its_language(language: str) -> None:
    text, encoding = TEXTS[language]
    assert likeliest(text.encode(encoding)) == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["späte Lieferung 😀", "注文した商品がまだ届きません"])
def test_unicode_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"text,label\n{text},Retoure\n".encode(encoding))
    table = read(path)
    assert table.rows.column("text").to_pylist() == [text]
    assert table.rows.column_names[:2] == ["text", "label"]


def test_a_few_broken_bytes_do_not_make_utf_8_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"größe {number} straße,a\n".encode() for number in range(50)]
    rows[7] = b"gr\xf6\xdfe,a\n"
    path.write_bytes(b"text,label\n" + b"".join(rows))
    table = read(path)
    texts = table.rows.column("text").to_pylist()
    assert texts[6] == "größe 6 straße" and texts[7] == "gr\ufffd\ufffde"
    finding = next(finding for finding in table.findings if finding.rule == "encoding")
    assert [place.row for place in finding.places] == [7] and finding.severity == "warning"


def test_an_umlaut_far_from_the_beginning_decides_as_well(tmp_path: Path) -> None:
    plain = b"text,label\n" + b"late again,a\n" * 30_000
    path = tmp_path / "a.csv"
    path.write_bytes(plain + "Größe für später,b\n".encode("cp1252") * 3)
    assert read(path).rows.column("text").to_pylist()[-1] == "Größe für später"
    stream = [chunk for chunk in batches(io.BytesIO(path.read_bytes())) if chunk.rows.num_rows]
    assert stream[-1].rows.column("text").to_pylist()[-1] == "Größe für später"


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_packed_files_are_unpacked_and_hashed_as_they_lie(tmp_path: Path, ending: str) -> None:
    data = b"text,label\nlate,a\nbroken,b\n"
    packed = gzip.compress(data[:15]) + gzip.compress(data[15:]) if ending == ".gz" else pa.compress(data, codec="zstd", asbytes=True)
    path = tmp_path / f"a.csv{ending}"
    path.write_bytes(packed)
    table = read(path)
    assert table.rows.column("text").to_pylist() == ["late", "broken"]
    assert table.files[0].bytes == len(packed) and len(table.files[0].sha256) == 64


def test_a_truncated_gzip_keeps_its_beginning_and_tells_the_byte(tmp_path: Path) -> None:
    rows = [f"text number {number * 7919},{'ab'[number % 2]}" for number in range(5000)]
    packed = gzip.compress("\n".join(["text,label", *rows]).encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    table = read(path)
    kept = table.rows.column("text").to_pylist()
    assert 1000 < len(kept) < 4000 and kept == [row.split(",")[0] for row in rows[: len(kept)]]
    assert len(table.bad) == 1 and table.bad[0].offset == len(packed) // 2 and "cut off" in table.bad[0].reason


def test_a_gzip_with_nothing_readable_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\na,b\n")[:12])
    with pytest.raises(UserError, match="no whole line can be read: the gzip file ends too early"):
        read(path)
