//! Recordings as text: what is written is read again, and what is wrong is told.

use super::*;
use serde_json::json;

fn header() -> Header {
    Header {
        kind: KIND.to_owned(),
        format: FORMAT,
        pool: "web".to_owned(),
        plugin: "first".to_owned(),
        version: "00".to_owned(),
        config: json!({ "a": 1 }),
        sample: 100,
        workers: 2,
    }
}

fn line(worker: usize, at_ns: u64, call: Call) -> Line {
    let asked = vec![Asked(
        "random.next".to_owned(),
        json!(null),
        json!(u64::MAX),
    )];
    Line {
        worker,
        at_ns,
        call,
        asked,
    }
}

#[test]
fn what_is_written_is_read_in_the_order_of_its_time() {
    let state = vec![0, 255, 7];
    let late = line(1, 9, Call::Restore { schema: 3, state });
    let early = line(
        0,
        4,
        Call::Pick(Pick {
            key: u64::MAX,
            attempt: 2,
            tried: vec![1],
            load: vec![0, u32::MAX],
            times: vec![10, 0],
            answer: Some(0),
            fault: None,
        }),
    );
    let mut text = serde_json::to_string(&header()).unwrap();
    for line in [&late, &early] {
        text += "\n";
        text += &serde_json::to_string(line).unwrap();
    }
    assert!(!read(&text).unwrap().is_whole);
    let recorded = read(&(text + "\n{\"end\":2}\n")).unwrap();
    assert!(recorded.is_whole);
    assert_eq!(recorded.header, header());
    assert_eq!(recorded.lines, [early, late]);
}

#[test]
fn what_is_no_recording_is_refused_with_the_reason() {
    assert!(matches!(read(""), Err(RecordingError::NotOne)));
    assert!(matches!(read("{\"a\":1}\n"), Err(RecordingError::NotOne)));
    let mut newer = header();
    newer.format = FORMAT + 1;
    let newer = serde_json::to_string(&newer).unwrap();
    assert!(matches!(read(&newer), Err(RecordingError::Format(2))));
}

#[test]
fn what_was_cut_is_read_as_far_as_it_goes() {
    let first = line(0, 1, Call::Configure);
    let second = line(1, 2, Call::Eligible { slots: vec![0, 1] });
    let lines = [
        serde_json::to_string(&header()).unwrap(),
        serde_json::to_string(&first).unwrap(),
        serde_json::to_string(&second).unwrap(),
        "{\"end\":2}".to_owned(),
    ];
    let whole = lines.join("\n");
    for length in lines[0].len()..whole.len() {
        let recorded = read(&whole[..length]).unwrap();
        assert!(!recorded.is_whole, "{length}");
        let all = [first.clone(), second.clone()];
        assert!(all.starts_with(&recorded.lines), "{length}");
    }
    assert!(read(&whole).unwrap().is_whole);
}

#[test]
fn a_line_that_was_edited_is_named_once() {
    let said = |broken: &str| {
        let header = serde_json::to_string(&header()).unwrap();
        let sound = serde_json::to_string(&line(0, 1, Call::Configure)).unwrap();
        let text = [header.as_str(), &sound, broken, &sound].join("\n");
        read(&text).unwrap_err().to_string()
    };
    for broken in ["{\"worker\":0,\"at_", "{\"worker\":0}"] {
        let said = said(broken);
        assert!(said.starts_with("line 3: "), "{said}");
        assert_eq!(said.matches("line").count(), 1, "{said}");
    }
    // What is whole and makes no sense was not cut, wherever it is.
    let last = serde_json::to_string(&header()).unwrap() + "\n{\"worker\":0}";
    let said = read(&last).unwrap_err().to_string();
    assert!(said.starts_with("line 2: "), "{said}");
}

#[test]
fn workers_and_slots_that_cannot_be_are_refused() {
    let refused = |line: &Line, header: &Header| {
        let text = [
            serde_json::to_string(header).unwrap(),
            serde_json::to_string(line).unwrap(),
        ];
        read(&text.join("\n")).unwrap_err().to_string()
    };
    let eligible = |slot: u32| Call::Eligible {
        slots: vec![0, slot],
    };
    let said = refused(&line(2, 1, eligible(1)), &header());
    assert!(said.starts_with("line 2: there is no worker 2"), "{said}");
    let mut crowded = header();
    crowded.workers = usize::MAX;
    let said = refused(&line(MOST_WORKERS, 1, eligible(1)), &crowded);
    assert!(said.contains("there is no worker"), "{said}");
    let said = refused(&line(0, 1, eligible(u32::MAX)), &header());
    assert!(said.contains("there is no slot 4294967295"), "{said}");
}
