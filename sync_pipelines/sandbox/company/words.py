"""The vocabulary of the simulated company: names, streets and number patterns that fit a country.

In a pattern `#` stands for a digit, `%` for a digit that is not zero and `@` for a capital letter.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """What companies of one country are called and where they live."""

    code: str
    currency: str
    beginnings: tuple[str, ...]
    endings: tuple[str, ...]
    trades: tuple[str, ...]
    forms: tuple[str, ...]
    tld: str
    tax_id: str
    street: str
    """A format with {n} and {name}."""
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]
    """City, pattern of its postal codes, pattern of its phone numbers."""
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_BEGINNINGS = _words(
    "North Silver Bright Iron Maple Cedar Blue Stone River Summit Clear Gold Green Falcon Lake Oak Copper Ember "
    "Frost Juniper Amber Ash Birch Cobble Dover Elm Fern Glen Hazel Ivy Kings Lark Meadow Night Orchard Pine "
    "Quarry Raven Sterling Thorn"
)
_ENDINGS = _words(
    "field gate bridge wood ridge haven port brook point crest mark way forge light line peak ford well spire path"
)
_TRADES = _words(
    "Analytics Logistics Robotics Health Energy Insurance Freight Foods Materials Diagnostics Systems Software "
    "Media Dynamics Capital Aerospace Biosciences Networks Payments Travel Retail Semiconductor International "
    "Education Staffing Mining Packaging Motors Publishing Telecom Security Apparel Labs Hospitality Agriculture "
    "Instruments Chemicals Utilities Ventures Optics"
)
_STREETS = _words(
    "Market Mission Larimer Congress Spring Main Franklin Jefferson Walnut Chestnut Lincoln Madison Monroe Pearl "
    "Union Liberty Commerce Harrison Grant Adams Elliott Wabash Peachtree Magnolia Alder Burnside Juniper Sutter"
)
_FIRST = _words(
    "Emma Liam Olivia Noah Ava James Sophia Lucas Mia Henry Amelia Ethan Harper Daniel Grace Owen Ruth Samuel "
    "Nora Isaac Priya Wei Fatima Diego Aisha Marcus Elena Victor"
)
_LAST = _words(
    "Carter Nguyen Patel Brooks Ramirez Foster Kim Hughes Bennett Coleman Ward Sullivan Reyes Murphy Shah Price "
    "Bailey Okafor Chen Rossi Fletcher Novak Palmer Singh Walsh Duarte Lindqvist Moore"
)

UNITED_STATES = Country(
    code="US",
    currency="USD",
    beginnings=_BEGINNINGS,
    endings=_ENDINGS,
    trades=_TRADES,
    forms=("Inc", "LLC", "Corp", "Inc"),
    tld="com",
    tax_id="%#-#######",
    street="{n} {name} Street",
    streets=_STREETS,
    cities=(
        ("San Francisco", "941##", "+1 415 555 01##"),
        ("New York", "100##", "+1 212 555 01##"),
        ("Chicago", "606##", "+1 312 555 01##"),
        ("Austin", "787##", "+1 512 555 01##"),
        ("Seattle", "981##", "+1 206 555 01##"),
        ("Boston", "021##", "+1 617 555 01##"),
        ("Denver", "802##", "+1 303 555 01##"),
        ("Atlanta", "303##", "+1 404 555 01##"),
    ),
    first_names=_FIRST,
    last_names=_LAST,
)
CANADA = Country(
    code="CA",
    currency="USD",
    beginnings=_BEGINNINGS,
    endings=_ENDINGS,
    trades=_TRADES,
    forms=("Inc", "Ltd"),
    tld="ca",
    tax_id="%########RT0001",
    street="{n} {name} Avenue",
    streets=_words("King Queen Dundas Bloor Granville Robson Hastings Peel Crescent Laurier Wellington Elgin"),
    cities=(
        ("Toronto", "M5H #@#", "+1 416 555 01##"),
        ("Vancouver", "V6B #@#", "+1 604 555 01##"),
        ("Ottawa", "K1P #@#", "+1 613 555 01##"),
    ),
    first_names=_FIRST,
    last_names=_LAST,
)
UNITED_KINGDOM = Country(
    code="GB",
    currency="USD",
    beginnings=_BEGINNINGS,
    endings=_ENDINGS,
    trades=_TRADES,
    forms=("Ltd", "plc", "Ltd"),
    tld="co.uk",
    tax_id="GB%########",
    street="{n} {name} Road",
    streets=_words("Victoria Albert Station Church Mill Castle Abbey Windsor Kingsland Bermondsey Deansgate Clifton"),
    cities=(
        ("London", "EC2A #@@", "+44 20 7946 0###"),
        ("Manchester", "M2 #@@", "+44 161 496 0###"),
        ("Bristol", "BS1 #@@", "+44 117 496 0###"),
        ("Edinburgh", "EH2 #@@", "+44 131 496 0###"),
    ),
    first_names=_FIRST,
    last_names=_LAST,
)
AUSTRALIA = Country(
    code="AU",
    currency="USD",
    beginnings=_BEGINNINGS,
    endings=_ENDINGS,
    trades=_TRADES,
    forms=("Pty Ltd",),
    tld="com.au",
    tax_id="%# ### ### ###",
    street="{n} {name} Street",
    streets=_words("Collins Bourke Flinders Elizabeth Pitt Kent Sussex Albert Creek Eagle Hay Murray"),
    cities=(
        ("Sydney", "200#", "+61 2 5550 ####"),
        ("Melbourne", "300#", "+61 3 5550 ####"),
        ("Brisbane", "400#", "+61 7 5550 ####"),
    ),
    first_names=_FIRST,
    last_names=_LAST,
)
GERMANY = Country(
    code="DE",
    currency="EUR",
    beginnings=_words(
        "Hoff Linden Eichen Falken Rosen Winter Sommer Kessel Reuter Vogel Adler Silber Birken Kron Wald Tannen "
        "Mühl Burg Stern Kupfer Hirsch Amsel Kiefer Nord Weiden"
    ),
    endings=_words("mann bauer berg hof feld bach stein thal brück haus"),
    trades=_words(
        "Maschinenbau Logistik Medizintechnik Elektronik Systeme Energie Werkzeuge Pharma Software Automation "
        "Versicherung Verlag Anlagenbau Textil Optik"
    ),
    forms=("GmbH", "AG", "GmbH", "GmbH & Co. KG"),
    tld="de",
    tax_id="DE%########",
    street="{name} {n}",
    streets=_words(
        "Hauptstraße Bahnhofstraße Gartenweg Schillerstraße Goethestraße Lindenallee Marktplatz Ringstraße "
        "Industrieweg Hafenstraße Rosenweg Kirchgasse"
    ),
    cities=(
        ("Berlin", "101##", "+49 30 5550 ####"),
        ("München", "803##", "+49 89 5550 ####"),
        ("Hamburg", "200##", "+49 40 5550 ####"),
        ("Köln", "506##", "+49 221 5550 ####"),
        ("Stuttgart", "701##", "+49 711 5550 ####"),
    ),
    first_names=_words("Anna Lukas Sophie Jonas Lena Felix Marie Paul Clara Maximilian Julia Moritz"),
    last_names=_words("Müller Schneider Fischer Weber Wagner Becker Hoffmann Schäfer Koch Richter Klein Wolf"),
)
FRANCE = Country(
    code="FR",
    currency="EUR",
    beginnings=_words("Beau Clair Mont Belle Haute Bois Fon Roche Val Grand Aigue Pierre"),
    endings=_words("mont rive fontaine lieu ville champ court lande combe sault"),
    trades=_words(
        "Conseil Logistique Énergies Santé Industries Numérique Aéronautique Distribution Assurances Matériaux "
        "Transports Éditions Textiles Chimie Optique Agroalimentaire Télécom Ingénierie"
    ),
    forms=("SAS", "SA", "SARL"),
    tld="fr",
    tax_id="FR%##########",
    street="{n} {name}",
    streets=(
        "rue de la République",
        "avenue Victor Hugo",
        "rue Nationale",
        "boulevard Voltaire",
        "rue des Lilas",
        "quai de la Fontaine",
        "rue du Moulin",
        "avenue Jean Jaurès",
    ),
    cities=(
        ("Paris", "750##", "+33 1 99 00 ## ##"),
        ("Lyon", "690##", "+33 4 65 71 ## ##"),
        ("Nantes", "440##", "+33 2 61 91 ## ##"),
    ),
    first_names=_words("Camille Louis Manon Hugo Chloé Arthur Inès Jules Léa Gabriel Sarah Raphaël"),
    last_names=_words("Martin Bernard Dubois Moreau Laurent Girard Lefèvre Roux Fontaine Chevalier Mercier Faure"),
)
NETHERLANDS = Country(
    code="NL",
    currency="EUR",
    beginnings=_words("Ooster Wester Noorder Zuider Haven Duin Water Wind Tulpen Molen"),
    endings=_words("dijk veld kamp hof meer land burg stroom"),
    trades=_words("Logistiek Techniek Energie Agro Software Maritiem Verzekeringen Bouw Zuivel Media Chemie Handel"),
    forms=("B.V.", "N.V.", "B.V."),
    tld="nl",
    tax_id="NL%########B01",
    street="{name} {n}",
    streets=_words("Keizersgracht Prinsengracht Coolsingel Hoofdstraat Kerkstraat Stationsweg Damrak Maliebaan"),
    cities=(
        ("Amsterdam", "101# @@", "+31 20 555 ####"),
        ("Rotterdam", "301# @@", "+31 10 555 ####"),
        ("Utrecht", "351# @@", "+31 30 555 ####"),
    ),
    first_names=_words("Daan Emma Sem Julia Bram Tess Lars Sanne Thijs Fleur"),
    last_names=_words("Jansen Visser Bakker Smit Mulder Bos Vos Peters Hendriks Dekker"),
)
IRELAND = Country(
    code="IE",
    currency="EUR",
    beginnings=_words("Kil Bally Dun Glen Carrick Clon Knock Inish Rath Shan"),
    endings=_words("more kenny dare lough moyle garvan derry na corran tara"),
    trades=_TRADES,
    forms=("Ltd", "DAC"),
    tld="ie",
    tax_id="IE%######@@",
    street="{n} {name} Street",
    streets=_words("Grafton Dame Baggot Leeson Patrick Oliver Shop William Merrion Abbey"),
    cities=(("Dublin", "D02 @###", "+353 1 555 ####"), ("Cork", "T12 @###", "+353 21 555 ####")),
    first_names=_words("Aoife Conor Saoirse Cillian Niamh Oisín Ciara Fionn Róisín Darragh"),
    last_names=_words("Byrne Ryan Doyle Kelly Gallagher Nolan Quinn Keane Brennan Foley"),
)
SPAIN = Country(
    code="ES",
    currency="EUR",
    beginnings=_words("Sierra Costa Monte Vega Valle Puente Torre Fuente Campo Prado"),
    endings=_words("blanca verde alta clara nueva real dorada serena"),
    trades=_words(
        "Logística Energía Sistemas Alimentación Salud Ingeniería Turismo Textil Seguros Química Telecom Editorial"
    ),
    forms=("S.L.", "S.A."),
    tld="es",
    tax_id="ESB########",
    street="Calle {name} {n}",
    streets=_words("Mayor Alcalá Serrano Goya Velázquez Aragón Mallorca Balmes Colón Cervantes"),
    cities=(("Madrid", "280##", "+34 91 555 ####"), ("Barcelona", "080##", "+34 93 555 ####")),
    first_names=_words("Lucía Mateo Carmen Pablo Paula Javier Elena Sergio Marta Álvaro"),
    last_names=_words("García Fernández López Sánchez Torres Navarro Molina Ortega Vidal Romero"),
)
JAPAN = Country(
    code="JP",
    currency="JPY",
    beginnings=_words("Hoshi Yama Kawa Mori Ishi Taka Matsu Fuji Aka Naka Kita Nishi Haru Toki Sugi"),
    endings=_words("no da moto mura shima zawa hara guchi"),
    trades=_words("Denki Seisakusho Shoji Kogyo Bussan Systems Kagaku Seimitsu Kensetsu Jitsugyo Unyu Shokuhin"),
    forms=("K.K.", "Co., Ltd."),
    tld="co.jp",
    tax_id="T%############",
    street="{name} %-#-{n}",
    streets=_words("Marunouchi Otemachi Nihonbashi Shinjuku Umeda Nakanoshima Sakae Minatomirai Shibaura Kanda"),
    cities=(
        ("Tokyo", "100-00##", "+81 3 5550 ####"),
        ("Osaka", "530-00##", "+81 6 5550 ####"),
        ("Nagoya", "460-00##", "+81 52 555 ####"),
    ),
    first_names=_words("Haruto Yui Sota Aoi Ren Sakura Yuto Hina Kaito Mei"),
    last_names=_words("Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato"),
)

COUNTRIES: tuple[tuple[Country, int], ...] = (
    (UNITED_STATES, 48),
    (CANADA, 6),
    (UNITED_KINGDOM, 10),
    (AUSTRALIA, 4),
    (GERMANY, 11),
    (FRANCE, 6),
    (NETHERLANDS, 4),
    (IRELAND, 3),
    (SPAIN, 3),
    (JAPAN, 5),
)
"""The countries with customers, and how many of a hundred live there."""

BY_CODE = {country.code: country for country, _ in COUNTRIES}
