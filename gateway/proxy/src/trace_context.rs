//! The place of a request in a trace: taken from the request where that is
//! trusted, begun here otherwise, and told to servers.

use gatewright_model::config::Tracing;
use gatewright_wire::trace_context::{SpanId, TraceId, TraceParent, is_state};
use http::{HeaderMap, HeaderName, HeaderValue};

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// Odd, and without a pattern (the golden ratio's fraction, 64 bits): multiples of
/// it are as many different numbers as there are.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The place of a request in a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) trace: TraceId,
    /// The span of the request here, as a number.
    span: u64,
    pub(crate) is_sampled: bool,
    /// The span that asked, which is this one's parent.
    pub(crate) parent: Option<SpanId>,
    /// The span that asked, of a trace that is not followed.
    pub(crate) link: Option<TraceParent>,
}

impl Context {
    /// That of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap, tracing: &Tracing, random: &mut fastrand::Rng) -> Self {
        let asked = asked(headers);
        let span = random.u64(1..);
        if let Some(parent) = asked.filter(|_| tracing.trust_parent) {
            return Self {
                trace: parent.trace,
                span,
                is_sampled: parent.is_sampled,
                parent: Some(parent.span),
                link: None,
            };
        }
        Self {
            trace: TraceId(random.u128(1..).to_be_bytes()),
            span,
            is_sampled: random.f64() < tracing.sample,
            parent: None,
            link: asked,
        }
    }

    /// The span of the request here.
    pub(crate) fn span(&self) -> SpanId {
        SpanId(self.span.to_be_bytes())
    }

    /// The span of something that is done for the request, by its number among
    /// all that is.
    pub(crate) fn child(&self, number: u64) -> SpanId {
        // Zero is no id, and can be one number's at most.
        let id = self.span.wrapping_add(number.wrapping_mul(STRIDE));
        SpanId(if id == 0 { STRIDE } else { id }.to_be_bytes())
    }

    /// Have the request say where it belongs. One that is followed and not
    /// recorded says so already.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if self.parent.is_none() || !is_state(headers.get_all(STATE).iter().map(as_bytes)) {
            headers.remove(STATE);
        }
        if self.parent.is_some() && !self.is_sampled {
            return;
        }
        let value = HeaderValue::try_from(self.parent_of_span(self.span()));
        // It is digits and hyphens.
        if let Ok(value) = value {
            headers.insert(PARENT, value);
        }
    }

    /// What ties whatever is done by a span of this trace to it.
    pub(crate) fn parent_of_span(&self, span: SpanId) -> String {
        let (trace, is_sampled) = (self.trace, self.is_sampled);
        let parent = TraceParent {
            trace,
            span,
            is_sampled,
        };
        parent.to_string()
    }
}

/// The trace that a request says it is a part of; none where it says several
/// things.
pub(crate) fn asked(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(PARENT).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => TraceParent::parse(value.as_bytes()),
        _ => None,
    }
}

fn as_bytes(value: &HeaderValue) -> &[u8] {
    value.as_bytes()
}

/// What a request says beside its place in a trace.
pub(crate) fn state(headers: &HeaderMap) -> String {
    let values = headers.get_all(STATE).iter();
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";

    fn tracing(sample: f64, trust_parent: bool) -> Tracing {
        Tracing {
            otlp: "http://a".into(),
            sample,
            trust_parent,
            service_name: "a".into(),
            headers: Vec::new(),
        }
    }

    fn headers(parent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(PARENT, parent.parse().unwrap());
        headers.insert(STATE, HeaderValue::from_static("a=1"));
        headers
    }

    fn of(headers: &HeaderMap, tracing: &Tracing) -> Context {
        Context::of(headers, tracing, &mut fastrand::Rng::with_seed(1))
    }

    #[test]
    fn a_trusted_parent_decides_whatever_the_share() {
        for (flag, sample) in [("1", 0.0), ("0", 1.0)] {
            let mut asked = headers(&format!("{KNOWN}{flag}"));
            let context = of(&asked, &tracing(sample, true));
            assert_eq!(context.is_sampled, flag == "1");
            assert_eq!(context.trace.to_string(), KNOWN[3..35]);
            context.mark(&mut asked);
            let parent = super::asked(&asked).unwrap();
            assert_eq!(parent.trace, context.trace);
            assert_eq!(parent.span == context.span(), context.is_sampled);
            assert_eq!(asked[STATE], "a=1");
        }
    }

    #[test]
    fn what_is_not_trusted_begins_a_trace_of_its_own_and_is_linked() {
        let mut asked = headers(&format!("{KNOWN}1"));
        let context = of(&asked, &tracing(0.0, false));
        assert!(!context.is_sampled && context.parent.is_none());
        assert_eq!(context.link.unwrap().trace.to_string(), KNOWN[3..35]);
        context.mark(&mut asked);
        assert_eq!(super::asked(&asked).unwrap().trace, context.trace);
        assert!(!asked.contains_key(STATE), "it belongs to the other trace");
    }

    #[test]
    fn two_parents_are_none() {
        let mut two = headers(&format!("{KNOWN}1"));
        two.append(PARENT, format!("{KNOWN}0").parse().unwrap());
        let context = of(&two, &tracing(1.0, true));
        assert!(context.is_sampled && context.parent.is_none() && context.link.is_none());
        context.mark(&mut two);
        assert_eq!(two.get_all(PARENT).iter().count(), 1);
    }

    #[test]
    fn children_have_ids_of_their_own() {
        let context = of(&HeaderMap::new(), &tracing(1.0, true));
        let mut ids: Vec<_> = (0..100).map(|number| context.child(number).0).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 100);
        assert_eq!(context.child(0), context.span());
    }
}
