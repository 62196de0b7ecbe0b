"""Rows with personal data and secrets, and rows that only look like it; made without anything of the rules that are to find them.

Numbers are written from the formats that people use, check digits are found by trying all of them.
"""

from __future__ import annotations

import hashlib
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A text, what it holds (empty: nothing private), and the value itself."""

    text: str
    kind: str
    value: str
    made_by: str


FIRST = (
    "anna",
    "ben",
    "carla",
    "dmitri",
    "elif",
    "fatima",
    "george",
    "hannah",
    "lucía",
    "marek",
    "nadia",
    "olu",
    "petra",
    "quentin",
    "tomás",
)
LAST = ("okafor", "müller", "smith", "garcía", "jensen", "o'neil", "dubois", "rossi", "novak", "mcdonald", "van-dijk", "li", "tanaka")
HOSTS = (
    "example.com",
    "example.org",
    "mail.example.net",
    "gmx.de",
    "yahoo.co.uk",
    "uni-köln.de",
    "bücher.example",
    "sub.corp.io",
    "kyoto-u.ac.jp",
)
WORDS = (
    "the",
    "parcel",
    "never",
    "came",
    "and",
    "nobody",
    "answers",
    "about",
    "it",
    "since",
    "Monday",
    "so",
    "please",
    "help",
    "me",
    "soon",
)

PHONES = (
    "(2##) 2##-####", "2##-5##-####", "2##.5##.####", "+1 2##-5##-####", "1-8##-5##-####", "+12##5######", "+1 (2##) 5##-####",
    "3## 5## ####", "(2##) 5##-#### x###", "2##-5##-#### ext. ##", "07### ######", "+44 7### ######", "020 7### ####", "(020) 7### ####",
    "01### ######", "07#########", "+447#########", "0044 7### ######", "+44 (0)20 7### ####", "03## ### ####", "030 ########",
    "0711/######", "0171 #######", "+49 (0)171 #######", "0049 171 #######", "+49-30-########", "0171-#######", "(089) ######",
    "+49171#######", "0151 ## ## ## ##", "01 ## ## ## ##", "06.##.##.##.##", "06 ## ## ## ##", "+33 6 ## ## ## ##", "06########",
    "+336########", "+34 6## ## ## ##", "+34 91# ### ###", "06-########", "+31 6 ########", "020-#######", "+39 3## #######",
    "+39 02 ########", "079 ### ## ##", "+41 79 ### ## ##", "0664 #######", "+43 664 #######", "+91 9#### #####", "022-########",
    "(11) 9####-####", "+55 11 9####-####", "04## ### ###", "(02) 9### ####", "+61 4## ### ###", "03-####-####", "090-####-####",
    "+81 90-####-####", "+48 ### ### ###", "070-### ## ##", "+46 70 ### ## ##", "+45 ## ## ## ##", "+7 (9##) ###-##-##",
    "+358 40 #######", "+351 91# ### ###", "+90 5## ### ## ##", "+972 5#-###-####", "+971 50 ### ####", "+65 9### ####", "+852 9### ####",
    "+27 82 ### ####", "+234 803 ### ####", "+52 55 #### ####", "+54 9 11 ####-####", "+86 138 #### ####", "+353 8# ### ####",
    "+420 7## ### ###", "+30 69# ### ####",
)  # fmt: skip
BARE = (
    "4#########", "6########", "6## ### ###", "9#### #####", "22 ## ## ##", "9### ####", "555-####", "138########", "5## ### ###",
)  # fmt: skip
"""Numbers that only the words before them tell from others."""

SAID = (
    "My number is {}.", "Please call me on {} after 5 pm.", "Tel: {}", "You can reach me at {} any time.", "Mobile: {}, office hours 9-5",
    "Text {} if the driver is late", "phone {}", "Call {} and ask for the manager!", "rufen Sie mich bitte unter {} an, Tel. {}",
    "mon téléphone : {}", "Fax {}", "WhatsApp {}", "my phone number: {}", "contact me on {}", "my mobile is {} thanks",
)  # fmt: skip
PLAIN = (
    "Best regards,\nAnna\n{}", "Nobody answered, so here it is again: {}", "{} - that is where I am in the evening",
    "I gave them {} and they never rang.", "Ask for Ben ({}).", "details below\n\nJ. Smith | {} | Leeds", "They keep ringing from {}!",
    "the line {} is dead since Monday",
)  # fmt: skip
SENTENCES = {
    "email": (
        "Write to {} please.",
        "my address: {}",
        "{} is where I get my bills",
        "<{}>",
        "Contact ({}) for help",
        "cc {};",
        "Mail an {}, danke",
        "From: {}\nHello",
        "I registered with {}, not with another one.",
    ),
    "card": (
        "I paid with {}.",
        "Card number {}, exp 12/27",
        "card: {}",
        "{} was charged twice",
        "please take it from {} today",
        "Visa {} declined",
    ),
    "iban": (
        "My IBAN is {}.",
        "Please send the refund to {} soon",
        "Konto: {}",
        "{}",
        "bank details {}, name Smith",
        "IBAN {} BIC DEUTDEFF",
    ),
    "id": ("{} is what my papers say", "my number there is {}"),
    "secret": (
        "I use {} and get error 401",
        "it fails with\n{}\nsince today",
        "here: {}",
        "curl -H '{}' https://api.example.com",
        "oops, I pasted {}.",
    ),
}


def digits(form: str, rng: random.Random) -> str:
    return "".join(rng.choice("0123456789") if char == "#" else char for char in form)


def letters(rng: random.Random, length: int, among: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choices(among, k=length))


def email(rng: random.Random) -> str:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    local = rng.choice(
        (
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{first}_{rng.randint(1, 99)}",
            f"{first}+shop",
            f"{last}-{first}",
            f"{first}{rng.randint(1950, 2010)}",
        )
    )
    whole = f"{local}@{rng.choice(HOSTS)}"
    return rng.choice((whole, whole, whole, whole.upper(), whole.title()))


def card(rng: random.Random) -> str:
    scheme, total = rng.choice(
        (("4", 16), ("51", 16), ("55", 16), ("2223", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14), ("3530", 16), ("62", 16))
    )
    body = scheme + letters(rng, total - len(scheme) - 1, string.digits)
    last = next(one for one in string.digits if _doubled_sum(body + one) % 10 == 0)
    whole, gap = body + last, rng.choice(("", " ", "-"))
    if total == 15:
        return gap.join((whole[:4], whole[4:10], whole[10:]))
    return gap.join((whole[:4], whole[4:10], whole[10:])) if total == 14 else gap.join(whole[at : at + 4] for at in range(0, 16, 4))


def _doubled_sum(number: str) -> int:
    table = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    return sum(table[int(one)] if place % 2 else int(one) for place, one in enumerate(number[::-1]))


ACCOUNTS = {
    "DE": 18,
    "GB": "WEST" + "#" * 14,
    "FR": 23,
    "ES": 20,
    "NL": "INGB" + "#" * 10,
    "IT": "X" + "#" * 22,
    "AT": 16,
    "CH": 17,
    "BE": 12,
}
ACCOUNTS |= {"PL": 24, "SE": 20, "PT": 21, "IE": "AIBK" + "#" * 14, "NO": 11}


def iban(rng: random.Random) -> str:
    country = rng.choice(list(ACCOUNTS))
    form = ACCOUNTS[country]
    account = digits(form if isinstance(form, str) else "#" * form, rng)
    for check in range(2, 99):
        moved = account + country + f"{check:02}"
        rest = 0
        for char in moved:
            rest = (rest * (10 if char.isdigit() else 100) + int(char, 36)) % 97
        if rest == 1:
            break
    whole = f"{country}{check:02}{account}"
    grouped = " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))
    return rng.choice((whole, grouped, grouped, whole.lower(), grouped.replace(" ", "-")))


def ssn(rng: random.Random) -> str:
    return f"{rng.randint(1, 665):03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"


def dni(rng: random.Random) -> str:
    number = rng.randint(10_000_000, 99_999_999)
    return f"{number}{rng.choice(('', '-'))}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def nir(rng: random.Random) -> str:
    born = f"{rng.choice('12')}{rng.randint(40, 99)}{rng.randint(1, 12):02}"
    body = f"{born}{rng.randint(1, 95):02}{rng.randint(1, 999):03}{rng.randint(1, 999):03}"
    key = f"{97 - int(body) % 97:02}"
    return rng.choice((body + key, f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]} {key}"))


def bsn(rng: random.Random) -> str:
    while True:
        number = f"{rng.randint(10_000_000, 999_999_999):09}"
        if (sum((9 - at) * int(one) for at, one in enumerate(number[:8])) - int(number[8])) % 11 == 0:
            return f"BSN {number}"


def nino(rng: random.Random) -> str:
    return f"{rng.choice('ABCEHJ')}{rng.choice('ABCEHJ')} {digits('## ## ##', rng)} {rng.choice('ABCD')}"


def key(rng: random.Random) -> str:
    upper = string.ascii_uppercase + string.digits
    return rng.choice(
        (
            lambda: "AKIA" + letters(rng, 16, upper),
            lambda: "ghp_" + letters(rng, 36),
            lambda: "github_pat_" + letters(rng, 22) + "_" + letters(rng, 59),
            lambda: f"xoxb-{digits('############', rng)}-{letters(rng, 24)}",
            lambda: "sk_live_" + letters(rng, 24),
            lambda: "AIza" + letters(rng, 35),
            lambda: "sk-proj-" + letters(rng, 48),
            lambda: "glpat-" + letters(rng, 20),
            lambda: f"eyJ{letters(rng, 33)}.eyJ{letters(rng, 60)}.{letters(rng, 43)}",
            lambda: "hf_" + letters(rng, 34),
            lambda: "api_key=" + letters(rng, 32, "0123456789abcdef"),
            lambda: f'"client_secret": "{letters(rng, 40)}"',
            lambda: "Authorization: Bearer " + letters(rng, 40),
            lambda: "aws_secret_access_key = " + letters(rng, 40),
            lambda: f"postgres://app:{letters(rng, 14)}@db.internal:5432/main",
            lambda: f"password: {rng.choice(('Sommer', 'hunter', 'Tr0ub4dor&', 'qwertz'))}{rng.randint(100, 9999)}",
            lambda: f"-----BEGIN RSA PRIVATE KEY-----\n{letters(rng, 64)}\n{letters(rng, 64)}\n-----END RSA PRIVATE KEY-----",
        )
    )()


def _not_a_card(rng: random.Random) -> str:
    number = digits(rng.choice(("4### #### #### ####", "5###-####-####-####", "4###############")), rng)
    plain = number.replace(" ", "").replace("-", "")
    return number if _doubled_sum(plain) % 10 else number[:-1] + str((int(number[-1]) + 5) % 10)


LOOK_ALIKES: dict[str, Callable[[random.Random], str]] = {
    "order": lambda rng: rng.choice(
        (
            "My order {} never came",
            "Order no. {} is late",
            "order number {} please",
            "Bestellnummer {}",
            "Order #{} arrived broken",
            "commande {} annulée",
        )
    ).format(
        digits(
            rng.choice(
                (
                    "########",
                    "##########",
                    "0#########",
                    "###########",
                    "###-#######-#######",
                    "####-####-##",
                    "### ### ####",
                    "###-###-####",
                )
            ),
            rng,
        )
    ),
    "invoice": lambda rng: rng.choice(
        ("Invoice {} is wrong", "see invoice number {}", "Rechnung {}", "ref: {}", "Reference {} again", "ticket {} closed", "case {}")
    ).format(digits(rng.choice(("20##-######", "##########", "########", "INV-########", "0#########", "#### #### ####")), rng)),
    "tracking": lambda rng: rng.choice(
        (
            f"Tracking {digits('####################', rng)} shows nothing",
            f"parcel 1Z{letters(rng, 6, string.ascii_uppercase)}{digits('##########', rng)}",
            f"Sendung {digits('00340########', rng)}######",
            f"tracking number {digits('JD############', rng)}",
        )
    ),
    "date": lambda rng: rng.choice(
        (
            f"{rng.randint(1990, 2026)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(10, 23)}:{rng.randint(10, 59)}:00",
            f"since {rng.randint(1, 28):02}.{rng.randint(1, 12):02}.{rng.randint(1990, 2026)} {rng.randint(0, 23):02}.15",
            f"called on {rng.randint(1, 12):02}/{rng.randint(1, 28):02}/{rng.randint(1990, 2026)} twice",
            f"call me 2024{rng.randint(1, 12):02}{rng.randint(1, 28):02}",
            f"from 2019-2020 to {rng.randint(2021, 2026)}-{rng.randint(2021, 2026)}",
            f"log 20240{rng.randint(1, 9)}15 12{rng.randint(10, 59)}00 started",
        )
    ),
    "price": lambda rng: rng.choice(
        (
            f"It cost {rng.randint(1, 9)},{digits('###,###', rng)}.99 dollars",
            f"€ {digits('1 ### ###', rng)},00",
            f"a total of {digits('3.###.###', rng)} EUR",
            f"${digits('4######', rng)} was paid",
            f"amount {digits('7######', rng)}.50",
            f"{digits('2 ### ### ###', rng)} people live there",
        )
    ),
    "version": lambda rng: rng.choice(
        (
            f"version {digits('1#.0.1####.####', rng)}",
            f"firmware {digits('2.##.####.1', rng)}",
            f"Build {digits('2#########', rng)}",
            f"Chrome/{digits('1##.0.####.###', rng)}",
            f"lodash@4.17.{rng.randint(1, 30)} is broken",
            f"v{digits('20##.#.#####', rng)}",
        )
    ),
    "hash": lambda rng: rng.choice(
        (
            f"commit {hashlib.sha1(str(rng.random()).encode()).hexdigest()}",
            f"md5 {hashlib.md5(str(rng.random()).encode()).hexdigest()} of the file",
            f"id {uuid.UUID(int=rng.getrandbits(128))}",
            f"request-id: {uuid.UUID(int=rng.getrandbits(128))}",
            f"sha256:{hashlib.sha256(str(rng.random()).encode()).hexdigest()}",
        )
    ),
    "coordinates": lambda rng: rng.choice(
        (
            f"at {rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f}",
            f"GPS {rng.uniform(0, 90):.7f} {rng.uniform(0, 180):.7f}",
            f"lat={rng.uniform(0, 90):.8f}",
        )
    ),
    "network": lambda rng: rng.choice(
        (
            f"ping {rng.randint(100, 250)}.{rng.randint(100, 250)}.{rng.randint(100, 250)}.{rng.randint(100, 250)} works",
            f"MAC 00:1B:{digits('##:##:##:##', rng)}",
        )
    ),
    "book": lambda rng: rng.choice(
        (
            f"ISBN {digits('978-3-16-######-#', rng)}",
            f"ISBN {digits('0#########', rng)}",
            f"EAN {digits('40###########', rng)}",
            f"IMEI {digits('35#############', rng)}",
            f"barcode {digits('50#######', rng)}",
        )
    ),
    "count": lambda rng: rng.choice(
        (
            f"the table has {digits('1#######', rng)} rows",
            f"{digits('2###########', rng)} bytes written",
            "2,147,483,647 is the limit",
            "scores 12 15 18 21 24 27 30 33",
            f"it ran for {digits('1########', rng)} ms",
            f"epoch {digits('17########', rng)}",
            "rooms 101 102 103 104 are cold",
        )
    ),
    "handle": lambda rng: rng.choice(
        (
            "thanks @anna_smith for the help",
            "meet me @ 5pm @home",
            "see logo@2x.png and icon@3x.png",
            "git clone git@github.com:org/repo.git",
            "ask @john.doe now",
            "a@b is no address",
            "price: 3@2.50 each",
            "https://medium.com/@writer/story-12345678",
            "npm i left-pad@1.3.0",
        )
    ),
    "near miss card": lambda rng: rng.choice(("order {}", "the voucher {} is used up", "membership {}")).format(_not_a_card(rng)),
    "near miss iban": lambda rng: f"part {rng.choice(('DE', 'GB', 'FR'))}{digits('## #### #### #### #### ##', rng)}",
    "product": lambda rng: rng.choice(
        (
            f"part {digits('###-##-###', rng)}",
            f"model {digits('WH-1000XM#', rng)}",
            f"serial {letters(rng, 12, string.ascii_uppercase + string.digits)}",
            f"article {digits('###.###.##', rng)}",
            f"customer no. {digits('00########', rng)}",
            f"account {digits('0#########', rng)}",
            f"zip {digits('9####-####', rng)}",
            f"Lot {digits('04########', rng)}",
        )
    ),
    "no secret": lambda rng: rng.choice(
        (
            "my password is not accepted",
            "api_key = YOUR_API_KEY",
            "password: ********",
            "the secret is patience and tea",
            "token: <token>",
            "the primary key: customer_id_2024",
            "password=$PASSWORD",
            "Forgot password? Click here",
            "token limit: 4096",
            "key: value",
            "secret: none",
            "access key is missing since version 12",
            "the key is under the mat at number 12",
            "sk-learn is not installed",
            "bearer of bad news tonight",
        )
    ),
    "plain": lambda rng: " ".join(rng.choices(WORDS, k=12)),
}
"""What looks private and is not."""

MAKERS: dict[str, tuple[tuple[str, Callable[[random.Random], str]], ...]] = {
    "email": (("email", email),),
    "card": (("card", card),),
    "iban": (("iban", iban),),
    "id": (("ssn", ssn), ("dni", dni), ("nir", nir), ("bsn", bsn), ("nino", nino)),
    "secret": (("key", key),),
}


def rows(each: int, seed: int) -> Iterator[Row]:
    """``each`` rows of every kind, phones of every format, and as many look-alikes as there are rows with something in them."""
    rng = random.Random(seed)
    for kind, makers in MAKERS.items():
        for number in range(each):
            name, make = makers[number % len(makers)]
            value = make(rng)
            yield Row(rng.choice(SENTENCES[kind]).format(value), kind, value, name)
    for number in range(each):
        form = PHONES[number % len(PHONES)] if number % 5 else BARE[number // 5 % len(BARE)]
        value = digits(form, rng)
        told = SAID if form in BARE or rng.random() < 0.5 else PLAIN
        yield Row(rng.choice(told).replace("{}", value), "phone", value, form)
    names = list(LOOK_ALIKES)
    for number in range(each * (len(MAKERS) + 1)):
        name = names[number % len(names)]
        yield Row(LOOK_ALIKES[name](rng), "", "", name)
