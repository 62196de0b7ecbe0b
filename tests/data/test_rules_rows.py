"""Rules about single rows: characters, markup, lengths, languages."""

import random

import numpy as np
import pyarrow as pa
import pytest

from tests.data.test_rules_private import applied, looked, tickets
from tunewright.core.errors import UserError
from tunewright.data.audit import RULES
from tunewright.data.audit import language as languages
from tunewright.data.audit.base import Looked, Services
from tunewright.data.audit.characters import visible
from tunewright.tasks.base import Role

WORDS = (
    "refund",
    "parcel",
    "invoice",
    "customer",
    "delivery",
    "yesterday",
    "address",
    "nobody",
    "question",
    "answered",
    "printer",
    "monday",
)


def hits(rule, rows, **settings):
    return list(RULES.get(rule).read(settings).look(rows))


def sentences(count, seed=0, words=12):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(words // 2, words * 2))) + f" {number}." for number in range(count)]


# control characters


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("caf\u200b\u200b\u00ade", "cafe"),
        ("\ufeffhello", "hello"),
        ("a\x00b\x07c", "abc"),
        ("page one\x0cpage two", "page one page two"),
        ("what\x81 is this", "what is this"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("safe \u202egnp.exe", "safe gnp.exe"),
        ("lost lett\ufffdr", "lost lettr"),
        ("bullet \uf0b7 point", "bullet  point"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("a\u200db", "ab"),
    ],
)
def test_what_nobody_sees_is_found_and_taken_out(text, after):
    done, _ = applied({}, {"control-characters": "fix"}, tickets(["fine\ttabs\nand lines", text, None]))
    assert done.looked.rows["text"].to_pylist() == ["fine\ttabs\nand lines", after, None]
    assert "1 row with characters that nobody sees" in done.findings[0].message


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "क\u094d\u200dष",
        "👨\u200d👩\u200d👧 ❤️\u200d🔥 👩🏽\u200d💻",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "שלום\u200f abc",
        "a\u00a0b\u2009c",
    ],
)
def test_what_spells_a_word_or_an_emoji_stays(text):
    assert visible(text) == text and hits("control-characters", tickets([text])) == []


def test_letters_in_a_wrong_encoding_are_left_to_the_rule_that_can_read_them():
    rows = tickets(["that\x92s all \x96 really"])
    assert hits("control-characters", rows) == [] and len(hits("mojibake", rows)) == 1


def test_kinds_of_characters_are_counted_by_row():
    (hit,) = hits("control-characters", tickets(["a\x00\x01", "b\x02\u200b", "c"]))
    assert "control (2), zero-width (1)" in hit.message and hit.rows.tolist() == [0, 1]


# markup only


@pytest.mark.parametrize(
    "text",
    [
        "<p> </p><br/>",
        "https://example.com/a?b=c",
        "&nbsp;&amp;",
        "@user @user http://t.co/x",
        "Sent from my iPhone",
        "-- \nAnna Smith\nAcme Ltd.",
        "[image: logo.png]",
        "![](114.png)![a cat](31.png)\n\n***",
        '[![](https://example.org/a.png "A")](https://example.org)',
        "[](https://example.org/x)\n---",
        "<script>var a = 1;</script>",
    ],
)
def test_a_text_of_markup_addresses_and_phrases_says_nothing(text):
    (hit,) = hits("markup-only", tickets(["a real text", "another", text]))
    assert hit.rows.tolist() == [2]


@pytest.mark.parametrize(
    "text",
    [
        "<b>refund</b>",
        "[my refund](https://example.org)",
        "Look: ![](114.png)",
        "see https://example.com",
        "42",
        "👍",
        "?",
        "I <3 you",
        "#fail",
        "unsubscribe me please",
        "@user lol",
        "Hi\nSent from my iPhone",
        "&#9829;",
    ],
)
def test_a_text_that_says_something_is_no_markup(text):
    assert hits("markup-only", tickets(["a real text", "another", text])) == []


def test_a_table_of_addresses_is_about_addresses():
    assert hits("markup-only", tickets([f"http://site{number}.example/login" for number in range(20)])) == []


# lengths


@pytest.mark.parametrize("text", ["x", ".", "---", "\u00a0?"])
def test_a_letter_or_punctuation_alone_is_too_short(text):
    (hit,) = hits("too-short", tickets([*sentences(99), text]))
    assert hit.rows.tolist() == [99]


@pytest.mark.parametrize("text", ["ok", "no", "👍", "好", "42", ":-)", "&#128530;"])
def test_a_short_answer_is_none(text):
    assert hits("too-short", tickets([*sentences(99), text])) == []


def test_among_long_documents_two_words_are_too_short():
    (hit,) = hits("too-short", tickets([*sentences(99, words=100), "see above"]))
    assert hit.rows.tolist() == [99]


def test_where_many_texts_are_so_short_that_is_what_the_table_is():
    assert hits("too-short", tickets([*sentences(90), *"abcdefghij"])) == []


def counting(texts):
    return np.array([len(text.split()) for text in texts])


def test_over_long_rows_are_told_by_split_and_label_with_the_tokens_lost():
    texts = ["one two", "one two three four five six", "a b c d e f g h", "x y"]
    roles = (Role("text", "text", ""), Role("label", "label", ""))
    table = pa.table({"text": texts, "label": ["a", "a", "b", "b"], "_file": ["f"] * 4, "_row": range(4)})
    rows = Looked(table, roles, np.array([0, 0, 2, 0]), (), np.arange(4), services=Services(count_tokens=counting, max_tokens=5))
    (hit,) = hits("over-long", rows)
    assert hit.rows.tolist() == [1, 2]
    assert (
        "2 rows longer than the 5 tokens" in hit.message
        and "1 of 3 in train (tokens lost: 1), 1 of 1 in test (tokens lost: 3)" in hit.message
    )
    assert "most is lost of 'b' (1 row, tokens lost: 3), 'a' (1 row, tokens lost: 1)" in hit.message
    assert hit.reasons[1] == "the text has 8 tokens, the model reads 5"


def test_texts_with_few_bytes_are_not_cut_into_tokens_at_all():
    asked = []

    def count(texts):
        asked.extend(texts)
        return counting(texts)

    table = pa.table({"text": ["short", "a long text indeed"], "label": ["a", "b"], "_file": ["f"] * 2, "_row": range(2)})
    roles = (Role("text", "text", ""), Role("label", "label", ""))
    rows = Looked(table, roles, np.zeros(2, dtype=int), (), np.arange(2), services=Services(count_tokens=count, max_tokens=10))
    assert hits("over-long", rows) == [] and asked == ["a long text indeed"]


def test_without_a_tokenizer_nothing_is_over_long():
    assert hits("over-long", tickets(["word " * 1000])) == []


# cut by the source


def test_texts_that_a_database_has_cut_are_found_by_their_length():
    texts = [text[:60] for text in sentences(400, seed=3)]
    (hit,) = hits("truncated-text", tickets(texts))
    assert hit.rows.tolist() == [at for at, text in enumerate(texts) if len(text) == 60 and not text.endswith(".")]
    assert "cut at 60 characters: many are exactly so long and end in mid-word" in hit.message


@pytest.mark.parametrize("mark", ["", "...", "…", " [truncated]", " (more)"])
def test_a_few_texts_cut_at_one_length_are_found_among_whole_ones_of_all_lengths(mark):
    whole = sentences(2000, seed=8, words=16)
    width, cut = 130, []
    for at, text in enumerate(whole):
        if len(cut) < 20 and len(text) > width + 2 and text[width - 2 : width + 2].isalpha():
            whole[at], cut = text[:width] + mark, [*cut, at]
    (hit,) = hits("truncated-text", tickets(whole))
    assert hit.rows.tolist() == cut and "cut at 130 characters" in hit.message
    assert ("or in a mark of a cut" in hit.message) == bool(mark)


def test_one_longer_text_does_not_hide_those_that_were_cut_at_a_blank():
    texts = [text if len(text) <= 80 else text[:77].rsplit(" ", 1)[0] + "..." for text in sentences(300, seed=4)]
    (hit,) = hits("truncated-text", tickets([*texts, "This one is whole. " * 20]))
    assert all(texts[row].endswith("...") for row in hit.rows) and len(hit.rows) > 50 and "few are longer" in hit.message


@pytest.mark.parametrize("end", [" [truncated]", "... (more)", "… Read more", " [+1234 chars]"])
def test_a_text_that_says_that_there_was_more_was_cut_wherever_that_is(end):
    (hit,) = hits("truncated-text", tickets([*sentences(100), "We have not had" + end]))
    assert hit.rows.tolist() == [100] and end.strip(" .…") in hit.message
    assert hits("truncated-text", tickets([*sentences(100), "I want to know more", "Give me (some) more.", "a truncated cone"])) == []


def test_texts_that_end_in_dots_about_where_the_longest_end_were_cut():
    texts = [text if len(text) <= 80 else text[:77].rsplit(" ", 1)[0] + "..." for text in sentences(300, seed=4)]
    (hit,) = hits("truncated-text", tickets(texts))
    assert all(texts[row].endswith("...") for row in hit.rows) and "they end in dots" in hit.message


def test_whole_texts_copies_and_people_who_write_dots_are_not_cut():
    assert hits("truncated-text", tickets(sentences(400, seed=5))) == []
    assert hits("truncated-text", tickets([*sentences(200, seed=6), *["the very same words without any end to them at all"] * 50])) == []
    assert hits("truncated-text", tickets([text + "..." if at % 3 else text for at, text in enumerate(sentences(200, seed=7))])) == []


# languages

GERMAN = "Guten Tag, meine Bestellung ist leider noch immer nicht bei mir angekommen und niemand antwortet mir"
SWAHILI = "Nimenunua printa mpya wiki tatu zilizopita lakini bado haijafika nyumbani kwangu na hakuna mtu anayenijibu"
ENGLISH = [
    "I ordered a new printer three weeks ago and it has still not arrived at my house",
    "The invoice that you sent me yesterday does not match what I have paid for it",
    "Could you please tell me how I can change the address of my account before Friday",
    "My card was charged twice for the same order and I would like to have the money back",
]


def test_a_text_in_another_language_than_the_rest_is_told_with_its_language():
    (hit,) = hits("wrong-language", tickets([*ENGLISH * 10, GERMAN, "C'est la vie", None]))
    assert hit.rows.tolist() == [40]
    assert hit.reasons == ["the text is in German, not in English"] and "not in English, as nearly all texts are: German (1)" in hit.message


def test_the_recipe_may_name_the_language():
    (hit,) = hits("wrong-language", tickets([*ENGLISH, GERMAN]), language="de")
    assert hit.rows.tolist() == [0, 1, 2, 3]
    with pytest.raises(UserError, match="'xx' is no language"):
        hits("wrong-language", tickets(ENGLISH), language="xx")


def test_a_table_of_many_languages_is_told_and_none_is_wrong():
    french = "Bonjour, ma commande n'est toujours pas arrivée et personne ne répond à mes messages depuis lundi"
    (hit,) = hits("wrong-language", tickets([*ENGLISH, GERMAN, GERMAN, french, french]))
    assert hit.told_only and not len(hit.rows) and "no language has most of the texts: English (50 %)" in hit.message


def test_slang_short_texts_names_and_links_are_not_judged():
    texts = [
        "omg lol gr8 c u 2nite",
        "Krzysztof Wojciechowski",
        "https://www.example.de/guten-tag-meine-bestellung",
        "@meier_gmbh #bestellung",
        "gonna b l8, dnt w8 4 me m8 xx",
    ]
    assert hits("wrong-language", tickets([*ENGLISH * 10, *texts])) == []


@pytest.mark.parametrize(
    "text",
    [
        "ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha",
        "Haha haha haha haha hahaha hehehe hehe lol lol lol",
        "woohoo yaaaaay woohoo yaaaaaay yeaaaah",
        "HAHAHAHAHAPLEASEKILLMEHHAHAHAHHAHAHAHAHA",
        "la la la la la la la la la la la la la la la la la la",
    ],
)
def test_interjections_are_in_no_rare_language(text):
    assert hits("wrong-language", tickets([*ENGLISH * 10, text])) == []


def test_a_rare_language_is_told_where_the_text_is_surely_in_it():
    (hit,) = hits("wrong-language", tickets([*ENGLISH * 10, SWAHILI]))
    assert hit.rows.tolist() == [40] and hit.reasons == ["the text is in the language 'sw', not in English"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("父はテーブルの自分の席に着いた。", "Japanese"),
        ("没有收到退款", "Chinese characters"),
        ("환불해 주세요", "Korean"),
        ("Где мой заказ?", "Cyrillic letters"),
        ("أين طلبي", "Arabic letters"),
        ("Πού είναι", "Greek"),
        ("איפה זה", "Hebrew letters"),
        ("नमस्ते जी", "Devanagari letters"),
        ("Привет, John!", "Cyrillic letters"),
    ],
)
def test_a_few_words_in_other_letters_are_told(text, what):
    (hit,) = hits("wrong-language", tickets([*ENGLISH * 10, "ok", text]))
    assert hit.rows.tolist() == [41] and hit.reasons == [f"the text is in {what}, not in English"]
    assert f"not in English, as nearly all texts are: {what} (1)" in hit.message


@pytest.mark.parametrize(
    "text",
    [
        "What does спасибо mean, please?",
        "ಠ_ಠ",
        "(ノಠ益ಠ)ノ彡┻━┻",
        "¯\\_(ツ)_/¯ 👍🏽 ❤️",
        "I stayed at 東京ホテル in May",
        "μg Ω π",
        "Владимир (Vladimir) wrote to us",
        "ﬁne café naïve Zürich",
    ],
)
def test_a_quoted_word_a_name_a_face_or_an_emoji_is_no_other_language(text):
    assert hits("wrong-language", tickets([*ENGLISH * 10, text])) == []


def test_letters_that_the_table_is_written_in_are_no_strangers_and_latin_ones_never():
    russian = "Я заказал новый принтер три недели назад, и он до сих пор не пришёл ко мне домой"
    japanese = "先週プリンターを注文しましたが、まだ届いていません。いつ届くのか教えていただけますでしょうか。"
    assert hits("wrong-language", tickets([*[russian] * 20, "Где он?", "iPhone", "ok thanks"])) == []
    assert hits("wrong-language", tickets([*[japanese] * 20, "返金して下さい", "ありがとう", "iPhone"])) == []
    (hit,) = hits("wrong-language", tickets([*[russian] * 20, "返金して下さい"]))
    assert hit.rows.tolist() == [20] and hit.reasons == ["the text is in Japanese, not in Russian"]
    (hit,) = hits("wrong-language", tickets([*ENGLISH * 10, "Где он?"]), language="en")
    assert hit.rows.tolist() == [40]


def test_all_texts_at_once_get_the_chances_that_the_package_gives_to_each():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    one = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = [*ENGLISH, GERMAN, "", "日本語のテキストです", "x"]
    chances = languages._model().chances(pa.array(texts), 240)
    for text, found in zip(texts, chances, strict=True):
        assert languages._model().codes[int(found.argmax())] == one.classify(text)[0] or not text
        assert abs(float(found.max()) - one.classify(text)[1]) < 1e-3


def test_a_pair_is_looked_at_on_both_sides():
    roles = (Role("text", "text", ""), Role("text_pair", "text", ""), Role("label", "label", ""))
    rows = looked({"text": ["a text", "b text"], "text_pair": ["a\u200bb", "<br/>"], "label": ["x", "y"]}, roles=roles)
    assert hits("control-characters", rows)[0].rows.tolist() == [0]
    assert hits("markup-only", rows)[0].rows.tolist() == [1]
