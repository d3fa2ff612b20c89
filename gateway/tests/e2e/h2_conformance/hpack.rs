//! Header compression (RFC 7541): what cannot be decoded ends the connection,
//! and every form that can be is understood.

use h2::Reason;

use super::{Case, check};
use crate::support::http2::{block, head, pseudo, setting, settings};

/// A request for a path with some bytes in front of its block.
fn after(bytes: &[u8], path: &str) -> Vec<u8> {
    head(1, &[bytes, &block(&pseudo("GET", path))].concat())
}

/// A request with some bytes behind its block.
fn before(bytes: &[u8]) -> Vec<u8> {
    head(1, &[&block(&pseudo("GET", "/bad")), bytes].concat())
}

#[tokio::test]
async fn what_cannot_be_decoded_ends_the_connection() {
    let wrong = |name, sent: Vec<u8>| Case::breaks(name, Reason::COMPRESSION_ERROR, &[&sent]);
    check(&[
        wrong("6.1 index 0", before(&[0x80])),
        wrong("2.3.3 an index beyond the tables", before(&[0x80 | 62])),
        wrong(
            "2.3.3 an index far beyond the tables",
            before(&[0xff, 0xff, 0x7f]),
        ),
        wrong(
            "2.3.3 a name's index beyond the tables, to be kept",
            before(&[0x7f, 0xff, 0x7f, 1, b'x']),
        ),
        wrong(
            "2.3.3 a name's index beyond the tables",
            before(&[0x0f, 0xff, 0x7f, 1, b'x']),
        ),
        wrong("4.2 a new size of the table after a field", before(&[0x20])),
        wrong(
            "6.3 a new size of the table beyond what is allowed",
            after(&[0x3f, 0xe2, 0x1f], "/bad"),
        ),
        wrong(
            "5.1 an index that is never whole",
            before(&[
                0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01,
            ]),
        ),
        wrong(
            "5.1 a length beyond all numbers",
            before(&[
                0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ]),
        ),
        wrong("5.2 a name longer than its block", before(&[0, 5, b'x'])),
        wrong(
            "5.2 a value longer than its block",
            before(&[0, 1, b'x', 5, b'y']),
        ),
        wrong("5.2 a value that is missing", before(&[0, 1, b'x'])),
        wrong("5.1 an index cut short", before(&[0xff])),
        // "a" is 00011 in Huffman's code, and is to be padded by ones.
        wrong(
            "5.2 padding of a whole byte",
            before(&[0, 1, b'x', 0x82, 0x1f, 0xff]),
        ),
        wrong("5.2 padding by zeros", before(&[0, 1, b'x', 0x81, 0x18])),
        wrong(
            "5.2 the code that ends texts",
            before(&[0, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn every_form_is_understood() {
    let answers = |name, sent: Vec<u8>| Case::answers(name, 1, &[&sent]);
    let get = [0x82, 0x86];
    // ":path: /sound" to be kept, as index 62 from then on.
    let kept = [&[0x44, 6], &b"/sound"[..]].concat();
    let authority = [
        0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
    ];
    let with_host = [&get[..], &authority].concat();
    let first = [&with_host[..], &kept].concat();
    // The host is 63, for it came first.
    let again = [&get[..], &[0x80 | 63, 0x80 | 62]].concat();
    check(&[
        answers("C.4.1 static indices and Huffman's code", head(1, &first)),
        Case::answers(
            "2.3.2 dynamic indices",
            3,
            &[&head(1, &first), &head(3, &again)],
        ),
        answers(
            "6.2.2 not to be kept, by name",
            head(1, &[&with_host[..], &[0x04], &kept[1..]].concat()),
        ),
        answers(
            "6.2.3 never to be kept",
            head(1, &[&with_host[..], &[0x14], &kept[1..]].concat()),
        ),
        answers("6.3 the table may become empty", after(&[0x20], "/sound")),
        answers(
            "6.3 and as large as before",
            after(&[0x20, 0x3f, 0xe1, 0x1f], "/sound"),
        ),
        answers(
            "5.1 an integer with bytes that add nothing",
            head(1, &[&with_host[..], &[0x04, 0x06], &kept[2..]].concat()),
        ),
        Case::serves(
            "6.5.2 a client without a table of its own",
            &[&settings(&[(setting::HEADER_TABLE_SIZE, 0)])],
        ),
    ])
    .await;
    check(&[Case::breaks(
        "4.4 what was evicted is gone",
        Reason::COMPRESSION_ERROR,
        &[&head(1, &first), &head(3, &[&[0x20], &again[..]].concat())],
    )])
    .await;
}
