//! What normalising promises.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{PathError, normalise};

#[track_caller]
fn becomes(path: &str, expected: &str) {
    assert_eq!(normalise(path).as_deref(), Ok(expected), "{path}");
}

#[track_caller]
fn is_refused(path: &str, error: PathError) {
    assert_eq!(normalise(path), Err(error), "{path}");
}

#[test]
fn a_normal_path_is_returned_as_it_is() {
    for path in [
        "/",
        "*",
        "/a/b.c/d",
        "/a/",
        "/.well-known/acme",
        "/a/...",
        "/..a/b",
        "/%E4%B8%AD/x%20y",
        "/a%2Fb/c..d",
        "/v1/things:search;v=1,2@x",
    ] {
        assert!(
            matches!(normalise(path), Ok(Cow::Borrowed(same)) if same == path),
            "{path}"
        );
    }
}

#[test]
fn dot_segments_are_resolved_in_every_spelling() {
    becomes("/a/./b", "/a/b");
    becomes("/a/b/../c", "/a/c");
    becomes("/a/.", "/a/");
    becomes("/a/..", "/");
    becomes("/.", "/");
    becomes("/a/%2e%2E/b", "/b");
    becomes("/a/.%2e/b", "/b");
    becomes("/a/%2e/b", "/a/b");
}

#[test]
fn slashes_are_merged_before_dot_segments_are_resolved() {
    becomes("//", "/");
    becomes("//a///b/", "/a/b/");
    becomes("/a//../b", "/b");
    becomes("", "/");
}

#[test]
fn percent_codes_take_their_shortest_or_upper_case_form() {
    becomes("/%61%7e%2D", "/a~-");
    becomes("/%e4%b8%ad", "/%E4%B8%AD");
    becomes("/a%2fb%5cc", "/a%2Fb%5Cc");
    becomes("/%25%32%65", "/%252e");
}

#[test]
fn bytes_that_a_path_may_not_hold_raw_are_encoded() {
    becomes("/中", "/%E4%B8%AD");
    becomes("/[slug]/{id}|\"", "/%5Bslug%5D/%7Bid%7D%7C%22");
}

#[test]
fn climbing_above_the_root_is_refused() {
    is_refused("/..", PathError::AboveRoot);
    is_refused("/a/../../b", PathError::AboveRoot);
    is_refused("/%2e%2e/etc/passwd", PathError::AboveRoot);
    is_refused("//../x", PathError::AboveRoot);
}

#[test]
fn disguised_dot_segments_are_refused() {
    for path in [
        "/a/..%2fadmin",
        "/a/x%2F..%2Fadmin",
        "/a/%2e%2e%5cadmin",
        "/a/..;/admin",
        "/a/..;x=1/admin",
        "/a%2f..",
    ] {
        is_refused(path, PathError::DisguisedDotSegment);
    }
}

#[test]
fn what_has_no_shared_meaning_is_refused() {
    is_refused("/%", PathError::MalformedPercent);
    is_refused("/%4", PathError::MalformedPercent);
    is_refused("/%zz", PathError::MalformedPercent);
    is_refused("/%+1", PathError::MalformedPercent);
    is_refused("/a%00", PathError::EncodedNul);
    is_refused("/a\\b", PathError::ForbiddenByte(b'\\'));
    is_refused("/a\r\nHost: x", PathError::ForbiddenByte(b'\r'));
    is_refused("/a?b", PathError::ForbiddenByte(b'?'));
    is_refused("a/b", PathError::NotAbsolute);
}

/// Paths out of the pieces that normalising is about.
fn paths() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/"),
        Just("//"),
        Just("."),
        Just(".."),
        Just("%2e"),
        Just("%2F"),
        Just("%5c"),
        Just("%61"),
        Just("%e4"),
        Just("%"),
        Just(";"),
        Just("a"),
        Just("é"),
        Just("{"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn holds_invariants(path: &str) -> Result<(), TestCaseError> {
    let Ok(normal) = normalise(path) else {
        return Ok(());
    };
    let again = normalise(&normal);
    prop_assert!(
        matches!(&again, Ok(Cow::Borrowed(same)) if *same == normal),
        "{path} {normal} {again:?}"
    );
    let decoded = normal.replace("%2F", "/").replace("%5C", "/");
    for segment in decoded.split('/') {
        prop_assert!(segment != ".." && !segment.starts_with("..;"), "{normal}");
    }
    prop_assert!(!normal.contains("//") && !normal.contains("/./"));
    prop_assert!(normal.bytes().all(|byte| byte.is_ascii_graphic()));
    Ok(())
}

proptest! {
    #[test]
    fn normal_paths_are_stable_and_free_of_dot_segments(path in paths()) {
        holds_invariants(&path)?;
    }

    #[test]
    fn so_are_those_of_any_text(path: String) {
        holds_invariants(&path)?;
        holds_invariants(&format!("/{path}"))?;
    }
}
