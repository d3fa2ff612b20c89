//! Which spellings of a path are one.

use proptest::prelude::*;

use super::Spellings;
use crate::Globs;

fn globs(patterns: &[&str]) -> Globs {
    let written: Vec<_> = patterns.iter().map(ToString::to_string).collect();
    Globs::parse(&written, "path").unwrap()
}

fn covers(pattern: &str, path: &str) -> bool {
    globs(&[pattern]).cover(&Spellings::of(path))
}

fn admits(pattern: &str, path: &str) -> bool {
    globs(&[pattern]).admit(&Spellings::of(path))
}

#[test]
fn a_protection_covers_whatever_a_server_may_take_for_its_path() {
    for path in [
        "/admin",
        "/admin/",
        "/admin/users",
        "/ADMIN/users",
        "/admin;a=b/users",
        "/admin;/users",
        "/admin%2Fusers",
        "/admin%5Cusers",
        "/%2Fadmin/users",
        "/admin%252Fusers",
        "/a%64min/users",
    ] {
        assert!(covers("/admin/*", path), "{path}");
    }
    for path in ["/", "/administrators", "/a/admin", "/shop/admin%2Fusers"] {
        assert!(!covers("/admin/*", path), "{path}");
    }
}

#[test]
fn a_pattern_is_read_as_paths_are() {
    assert!(covers("/Admin/*", "/admin/x"));
    assert!(covers("/a%2Fb", "/a/b"));
    assert!(covers("/a b", "/a%20b"));
    assert!(covers("/straße", "/STRASSE"));
    assert!(covers("/users/*/Keys", "/users/7;v=1/keys/"));
    assert!(covers("/a;v=1/*", "/a;v=1/b"));
    assert!(covers("/x@y/*/z", "/x%40y/a%2Fb/z"));
    assert!(covers("/a/*.php", "/a%2Fx;y.php"));
}

#[test]
fn what_is_no_percent_code_stands_for_itself() {
    assert!(covers("/100%", "/100%25"));
    assert!(covers("/%zz/%2", "/%25ZZ/%252"));
    assert!(covers("/%ü", "/%25%C3%BC"));
}

#[test]
fn the_whole_server_is_covered_with_its_root_and_let_past_by_no_path() {
    assert!(covers("/*", "*") && covers("/", "*"));
    assert!(!covers("/admin/*", "*"));
    assert!(!admits("/*", "*"));
}

#[test]
fn what_hides_where_it_leads_is_covered_by_every_protection_and_let_past_by_none() {
    for path in [
        "/public/%252e%252e/admin",
        "/public/..%3Bx/admin",
        "/x%2F%252e%252e/a",
        "/a%25252525252e",
    ] {
        assert!(covers("/admin/*", path), "{path}");
        assert!(!admits("/*", path), "{path}");
    }
    assert!(!Globs::default().cover(&Spellings::of("/%252e%252e/")));
}

#[test]
fn a_path_that_is_too_long_to_be_read_in_several_ways_is_protected() {
    let long = "a".repeat(super::LONGEST);
    assert!(!covers("/admin/*", &format!("/{long}")));
    assert!(admits("/*", &format!("/{long}")));
    assert!(covers("/admin/*", &format!("/{long}%20")));
    assert!(!admits("/*", &format!("/{long}%20")));
}

#[test]
fn only_what_all_servers_take_alike_is_let_past() {
    assert!(admits("/public/*", "/public/Report%20A.pdf"));
    assert!(admits("/public/*", "/public/x;v=1"));
    assert!(!admits("/public/*", "/PUBLIC/x"));
    assert!(!admits("/public/*", "/public;x/y"));
    assert!(!admits("/*.png", "/admin;x.png"));
    assert!(!admits("/*.png", "/admin%2Fx.png"));
    assert!(admits("/100%25", "/100%25"));
}

/// A segment's name in one of the spellings that servers take for it.
fn spelled(name: &'static str) -> impl Strategy<Value = String> {
    let letter = |letter: char| {
        let code = format!("%{:02X}", letter as u32);
        let twice = format!("%25{:02X}", letter as u32);
        prop_oneof![
            4 => Just(letter.to_string()),
            2 => Just(letter.to_ascii_uppercase().to_string()),
            1 => Just(code),
            1 => Just(twice),
        ]
    };
    let letters: Vec<_> = name.chars().map(letter).collect();
    let parameters = prop_oneof![
        Just(""),
        Just(";"),
        Just(";a=b"),
        Just("%3Bv"),
        Just("%253b"),
    ];
    (letters, parameters).prop_map(|(letters, parameters)| letters.concat() + parameters)
}

/// What servers take for a slash, or for nothing more than one.
fn slash() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("/"),
        Just("%2F"),
        Just("%5C"),
        Just("%252F"),
        Just("%255c"),
        Just("/;x/"),
        Just("/%2F"),
        Just("/.;y/"),
        Just("%2F.%2F"),
    ]
}

prop_compose! {
    /// `/admin/users`, and perhaps something below it, in another spelling.
    fn spelling()(
        parts in ((slash(), spelled("admin")), (slash(), spelled("users"))),
        rest in prop_oneof![
            Just(""), Just("/"), Just("%2F"), Just("/7"), Just("%2F7;x"), Just("/%C3%BC"),
        ],
    ) -> String {
        let ((one, admin), (other, users)) = parts;
        // A path begins with a slash, whatever comes next.
        let first = if one.starts_with('/') { "" } else { "/" };
        format!("{first}{one}{admin}{other}{users}{rest}")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn no_spelling_of_a_protected_path_escapes(path in spelling()) {
        prop_assert!(covers("/admin/users/*", &path), "{path}");
        prop_assert!(covers("/admin/*/*", &path), "{path}");
    }

    #[test]
    fn what_is_let_past_is_covered_too(path in "(/[a-cA-C%;25eEfF.]{0,6}){1,4}") {
        for pattern in ["/a/*", "/*", "/*/b", "/a", "/*.b/*"] {
            prop_assert!(!admits(pattern, &path) || covers(pattern, &path), "{pattern}");
        }
    }

    #[test]
    fn whatever_matches_as_it_stands_is_covered(path in "(/[a-cA-C%;25eEfF.]{0,6}){1,4}") {
        for pattern in ["/a/*", "/*", "/*/b", "/A", "/*.b/*"] {
            let globs = globs(&[pattern]);
            prop_assert!(!globs.match_path(&path) || globs.cover(&Spellings::of(&path)));
        }
    }
}
