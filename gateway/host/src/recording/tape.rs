//! What an instance's questions to the host are written to, or answered from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Asked, Call, Line, Member, Pick, Recording};

/// Beside an instance, where it is recorded or replayed.
pub(crate) enum Tape {
    /// Every question and answer is written down.
    Recorder(Recorder),
    /// Answers are those of a recording.
    Prompter(Prompter),
}

impl Tape {
    /// For an instance that a worker records.
    pub(crate) fn of(recording: &Arc<Recording>, worker: usize) -> Box<Self> {
        Box::new(Self::Recorder(Recorder {
            recording: Arc::clone(recording),
            worker,
            asked: Vec::new(),
            skips: false,
        }))
    }

    /// What a plugin hears that asked for something.
    pub(crate) fn heard<Q, A>(&mut self, function: &'static str, of: &Q, own: A) -> A
    where
        Q: Serialize + ?Sized,
        A: Serialize + DeserializeOwned,
    {
        let Ok(mut of) = serde_json::to_value(of) else {
            return own;
        };
        match self {
            Self::Recorder(recorder) if recorder.skips => own,
            Self::Recorder(recorder) => {
                if let Ok(mut answer) = serde_json::to_value(&own) {
                    let key = &recorder.recording.key;
                    key.redact(function, &mut of, &mut answer);
                    recorder.asked.push(Asked(function.to_owned(), of, answer));
                }
                own
            }
            Self::Prompter(prompter) => {
                let answer = prompter.answer(function, &of);
                let answer = answer.and_then(|answer| serde_json::from_value(answer).ok());
                answer.unwrap_or(own)
            }
        }
    }

    /// Who writes, if it is one who does.
    pub(crate) fn recorder(&mut self) -> Option<&mut Recorder> {
        match self {
            Self::Recorder(recorder) => Some(recorder),
            Self::Prompter(_) => None,
        }
    }

    /// Who prompts, if it is one who does.
    pub(crate) fn prompter(&mut self) -> Option<&mut Prompter> {
        match self {
            Self::Prompter(prompter) => Some(prompter),
            Self::Recorder(_) => None,
        }
    }
}

/// Writes to a recording.
pub(crate) struct Recorder {
    recording: Arc<Recording>,
    worker: usize,
    asked: Vec<Asked>,
    /// Whether the decision under way is not in the sample.
    skips: bool,
}

impl Recorder {
    /// Whether this is where it writes.
    pub(crate) fn writes_to(&self, recording: &Arc<Recording>) -> bool {
        Arc::ptr_eq(&self.recording, recording)
    }

    /// A decision begins.
    pub(crate) fn begin(&mut self) {
        self.skips = !self.recording.takes();
    }

    /// A decision is over.
    pub(crate) fn end(&mut self, at_ns: u64, pick: impl FnOnce() -> Pick) {
        if !std::mem::take(&mut self.skips) {
            self.write(at_ns, Call::Pick(pick()));
        }
    }

    /// A call is over.
    pub(crate) fn write(&mut self, at_ns: u64, call: Call) {
        self.recording.write(&Line {
            worker: self.worker,
            at_ns,
            call,
            asked: std::mem::take(&mut self.asked),
        });
    }
}

/// Answers from a recording: what was asked in the same call, or else what the
/// line shows anyway.
#[derive(Default)]
pub(crate) struct Prompter {
    /// What was asked in the call, and whether it was asked again.
    asked: Vec<(Asked, bool)>,
    pub(crate) members: Vec<Member>,
    load: Vec<u32>,
    times: Vec<u32>,
    /// How often what was asked for that the recording does not have.
    pub(crate) unknown: BTreeMap<String, u64>,
}

impl Prompter {
    /// Answer from a line from now on.
    pub(crate) fn turn_to(&mut self, asked: &[Asked], pick: Option<&Pick>) {
        self.asked = asked.iter().map(|asked| (asked.clone(), false)).collect();
        if let Some(pick) = pick {
            self.load.clone_from(&pick.load);
            self.times.clone_from(&pick.times);
        }
    }

    fn answer(&mut self, function: &str, of: &Value) -> Option<Value> {
        let answer = self
            .recorded(function, of)
            .or_else(|| self.shown(function, of));
        if answer.is_none() && is_of_the_outside(function) {
            *self.unknown.entry(function.to_owned()).or_default() += 1;
        }
        answer
    }

    /// The answer to the same question, each in its turn. What is asked once more
    /// has the same answer, unless it is random.
    fn recorded(&mut self, function: &str, of: &Value) -> Option<Value> {
        let is_same = |asked: &Asked| asked.0 == function && asked.1 == *of;
        let mut asked = self.asked.iter_mut();
        if let Some((asked, again)) = asked.find(|(asked, again)| !again && is_same(asked)) {
            *again = true;
            return Some(asked.2.clone());
        }
        let mut again = self.asked.iter().rev();
        let last = again.find(|(asked, _)| is_same(asked) && function != "random.next");
        last.map(|(asked, _)| asked.2.clone())
    }

    fn shown(&self, function: &str, of: &Value) -> Option<Value> {
        let in_column = |column: &[u32]| {
            let slot = usize::try_from(of.as_u64()?).ok()?;
            column.get(slot).map(|figure| Value::from(*figure))
        };
        match function {
            "load.active" => in_column(&self.load),
            "load.all-active" => Some(self.load.clone().into()),
            "load.response-time" => in_column(&self.times),
            "load.all-response-times" => Some(self.times.clone().into()),
            "endpoints.label" => {
                let (slot, name) = (of[0].as_u64()?, of[1].as_str()?);
                let mut members = self.members.iter();
                let member = members.find(|member| u64::from(member.slot) == slot)?;
                Some(serde_json::json!(member.labels.get(name)))
            }
            _ => None,
        }
    }
}

/// Whether nobody but the recording could know: time, randomness and a plugin's
/// own values a replay has itself.
fn is_of_the_outside(function: &str) -> bool {
    let parts = ["clock.", "random.", "store."];
    // These two are on every line of a decision, for the view.
    let shown = ["request.attempt", "request.tried"];
    !parts.iter().any(|part| function.starts_with(part)) && !shown.contains(&function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(function: &str, of: Value, answer: Value) -> Asked {
        Asked(function.to_owned(), of, answer)
    }

    fn prompter(asked: &[Asked]) -> Tape {
        let mut prompter = Prompter::default();
        let pick = Pick {
            key: 0,
            attempt: 1,
            tried: Vec::new(),
            load: vec![4, 5],
            times: vec![40, 50],
            answer: None,
            fault: None,
        };
        prompter.turn_to(asked, Some(&pick));
        Tape::Prompter(prompter)
    }

    #[test]
    fn random_numbers_come_in_their_order_and_then_are_its_own() {
        let next = |answer: u64| asked("random.next", json!(null), json!(answer));
        let mut tape = prompter(&[next(u64::MAX), next(2)]);
        let heard: Vec<u64> = (0..3).map(|_| tape.heard("random.next", &(), 9)).collect();
        assert_eq!(heard, [u64::MAX, 2, 9]);
    }

    #[test]
    fn what_was_asked_counts_before_what_the_line_shows() {
        let mut tape = prompter(&[asked("load.active", json!(1), json!(7))]);
        assert_eq!(tape.heard("load.active", &1, 0), 7);
        assert_eq!(tape.heard("load.active", &1, 0), 7);
        assert_eq!(tape.heard("load.active", &0, 0), 4);
        assert_eq!(
            tape.heard("load.all-response-times", &(), vec![0]),
            [40, 50]
        );
    }

    #[test]
    fn what_nobody_knows_is_counted() {
        let mut tape = prompter(&[asked("request.header", json!("a"), json!(null))]);
        let mut header = |name: &str| tape.heard("request.header", name, None::<String>);
        assert_eq!((header("a"), header("b")), (None, None));
        let _: u64 = tape.heard("clock.now", &(), 1);
        let unknown = &tape.prompter().unwrap().unknown;
        assert_eq!(
            unknown.iter().collect::<Vec<_>>(),
            [(&"request.header".to_owned(), &1)]
        );
    }
}
