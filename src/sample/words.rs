//! What the orders speak of. People, streets and numbers are made up; mail goes to the reserved example domains.

/// Where a customer lives, and how names are written there.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) locale: &'static str,
    pub(super) currency: &'static str,
    /// The country code, with the plus.
    pub(super) phone: &'static str,
    pub(super) zip_digits: u32,
    pub(super) names: &'static [&'static str],
    /// City and region.
    pub(super) cities: &'static [(&'static str, &'static str)],
    pub(super) streets: &'static [&'static str],
}

pub(super) const COUNTRIES: &[Country] = &[
    Country {
        locale: "ru",
        currency: "RUB",
        phone: "+7",
        zip_digits: 6,
        names: &["Анна Кузнецова", "Пётр Щеглов", "Мария Ёлкина-Соловьёва", "Игорь Подъячев", "Ольга Жукова"],
        cities: &[
            ("Москва", "Москва"),
            ("Орёл", "Орловская область"),
            ("Ростов-на-Дону", "Ростовская область"),
        ],
        streets: &["ул. Ленина", "пр-т Мира", "3-я улица Строителей", "наб. реки Фонтанки"],
    },
    Country {
        locale: "kk",
        currency: "KZT",
        phone: "+7",
        zip_digits: 6,
        names: &["Әсел Нұрғалиева", "Ерлан Қожахметов", "Гүлнәр Өтегенова", "Бауыржан Ысқақов"],
        cities: &[("Алматы", "Алматы"), ("Өскемен", "Шығыс Қазақстан облысы"), ("Шымкент", "Шымкент")],
        streets: &["Абай даңғылы", "Төле би көшесі", "Қабанбай батыр көшесі"],
    },
    Country {
        locale: "hy",
        currency: "AMD",
        phone: "+374",
        zip_digits: 4,
        names: &["Անի Պետրոսյան", "Արամ Հակոբյան", "Նարե Գրիգորյան", "Տիգրան Ղազարյան"],
        cities: &[("Երևան", "Երևան"), ("Գյումրի", "Շիրակի մարզ"), ("Վանաձոր", "Լոռու մարզ")],
        streets: &["Մաշտոցի պողոտա", "Աբովյան փողոց", "Թումանյան փողոց"],
    },
    Country {
        locale: "ka",
        currency: "GEL",
        phone: "+995",
        zip_digits: 4,
        names: &["ნინო ბერიძე", "გიორგი კაპანაძე", "თამარ ღონღაძე", "ლევან ჭავჭანიძე"],
        cities: &[("თბილისი", "თბილისი"), ("ბათუმი", "აჭარა"), ("ქუთაისი", "იმერეთი")],
        streets: &["რუსთაველის გამზირი", "აღმაშენებლის გამზირი", "ბარათაშვილის ქუჩა"],
    },
    Country {
        locale: "uz",
        currency: "UZS",
        phone: "+998",
        zip_digits: 6,
        names: &["Gulnora Toʻxtayeva", "Jahongir Oʻrinboyev", "Шаҳноза Ғуломова", "Бахтиёр Қўчқоров"],
        cities: &[
            ("Toshkent", "Toshkent"),
            ("Samarqand", "Samarqand viloyati"),
            ("Бухоро", "Бухоро вилояти"),
        ],
        streets: &["Amir Temur koʻchasi", "Bogʻishamol koʻchasi", "Навоий кўчаси"],
    },
    Country {
        locale: "he",
        currency: "ILS",
        phone: "+972",
        zip_digits: 7,
        names: &["נועה לוי", "יוסף כהן־צדק", "שירה ביטון", "איתן מזרחי"],
        cities: &[("חיפה", "מחוז חיפה"), ("תל אביב-יפו", "מחוז תל אביב"), ("קריית מוצקין", "הקריות")],
        streets: &["שדרות רוטשילד", "רחוב הרצל", "רח' ז'בוטינסקי"],
    },
    Country {
        locale: "cs",
        currency: "CZK",
        phone: "+420",
        zip_digits: 5,
        names: &["Žofie Dvořáková", "Jiří Říha", "Łukasz Wójcik", "Małgorzata Śliwińska", "Ľubomír Ďurčo"],
        cities: &[("České Budějovice", "Jihočeský kraj"), ("Łódź", "łódzkie"), ("Žilina", "Žilinský kraj")],
        streets: &["Náměstí Přemysla Otakara II.", "ul. Świętokrzyska", "Štefánikova"],
    },
    Country {
        locale: "tr",
        currency: "TRY",
        phone: "+90",
        zip_digits: 5,
        names: &["İrem Çağlayan", "Oğuz Işık", "Şükrü Güneş", "Ayşe Yıldız"],
        cities: &[("İstanbul", "İstanbul"), ("Eskişehir", "Eskişehir"), ("Muğla", "Muğla")],
        streets: &["İstiklâl Caddesi", "Bağdat Caddesi", "Yıldız Sokağı"],
    },
    Country {
        locale: "fr",
        currency: "EUR",
        phone: "+33",
        zip_digits: 5,
        names: &[
            "Zoé Lefèvre",
            "François d'Estrées",
            "Jürgen Groß",
            "María José Núñez",
            "Nguyễn Thị Hương",
            "Anne\u{2011}Laure Ælis",
        ],
        cities: &[
            ("Orléans", "Centre-Val de Loire"),
            ("Köln", "Nordrhein-Westfalen"),
            ("A Coruña", "Galicia"),
        ],
        streets: &["rue de l'Église", "Große Straße", "Calle del Peñón", "impasse <Sans nom>"],
    },
    Country {
        locale: "en",
        currency: "USD",
        phone: "+1",
        zip_digits: 5,
        names: &["Test Testov", "Grace O'Malley", "R. J. \"Bob\" Smith", "Ada Byron & Sons"],
        cities: &[("Springfield", "IL"), ("Fairview", "OR"), ("Kiryat Mozkin", "Kraiot")],
        streets: &[
            "Ploshad Mira",
            "Main St",
            "5th Ave\tSuite",
            "Rural Route \\ Box",
            "Elm St c/o\nThe Porter,",
        ],
    },
];

pub(super) const PROVIDERS: &[&str] = &["wbpay", "sbp", "visa", "mastercard", "mir", "paypal", "applepay"];
pub(super) const BANKS: &[&str] =
    &["alpha", "sber", "Т-Банк", "ვითიბი", "Kaspi", "Ameriabank", "Česká spořitelna", "בנק הפועלים"];
pub(super) const SERVICES: &[&str] =
    &["meest", "СДЭК", "Почта России", "DHL", "boxberry", "Қазпошта", "haypost"];
pub(super) const LETTERS: &[&str] = &["", "", "", "А", "б", "/2", " корп. 3", " apt. 14"];

/// What is sold: name and brand.
pub(super) const GOODS: &[(&str, &str)] = &[
    ("Mascaras", "Vivienne Sabo"),
    ("Тушь для ресниц \"Cabaret Première\"", "Vivienne Sabo"),
    ("Кроссовки беговые", "Спорт & Ко"),
    ("Футболка хлопковая оверсайз", "Твоё"),
    ("Чайник электрический, 1,7 л", "REDMOND"),
    ("Монитор 27\" IPS 144 Гц", "LG"),
    ("Платье летнее в горошек", "ЗАРИНА"),
    ("Қазақша-ағылшынша сөздік", "Мектеп"),
    ("Հայկական սուրճ, 100 գ", "Արարատ"),
    ("ჩურჩხელა", "კახეთი"),
    ("Doʻppi", "Chust"),
    ("ספר בישול: 101 מתכונים", "כתר"),
    ("Crème brûlée, lot de 2", "Bonne Maman"),
    ("Kávovar na espresso", "De'Longhi"),
    ("Nokia 3310 (б/у)", "NOKIA"),
    ("Чехол для телефона 🐈 «Кот»", "no name"),
    ("Cable USB-C <-> USB-A, 2 m", "Ugreen"),
    ("Подарок", ""),
];

pub(super) const SIZES: &[&str] = &["0", "S", "M", "XL", "42", "42.5", "50-52", "one size", "128/64"];
pub(super) const STATUSES: &[i64] = &[202, 202, 202, 200, 201, 204, 400, 0];
