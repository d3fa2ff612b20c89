//! Which coding a client takes (RFC 9110 §12.5.3).

use gatewright_model::config::{Coding, Compression};
use http::header::{self, HeaderMap, HeaderValue};

/// A weight in thousandths.
type Weight = u16;

/// The coding that a client likes best of those there are, the first of them where it
/// likes several as much; none if it takes none, or would rather have none.
pub(super) fn best(rules: &Compression, request: &HeaderMap) -> Option<Coding> {
    let said = Said::of(request);
    let mut best: Option<(Coding, Weight)> = None;
    for coding in &rules.algorithms {
        let weight = said.weight(*coding);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((*coding, weight));
        }
    }
    let (coding, weight) = best?;
    (said.identity.unwrap_or(0) <= weight).then_some(coding)
}

/// What HTTP calls a coding.
pub(super) fn name(coding: Coding) -> HeaderValue {
    HeaderValue::from_static(match coding {
        Coding::Zstd => "zstd",
        Coding::Br => "br",
        Coding::Gzip => "gzip",
    })
}

/// What a client says of each coding.
#[derive(Debug, Default)]
struct Said {
    zstd: Option<Weight>,
    br: Option<Weight>,
    gzip: Option<Weight>,
    identity: Option<Weight>,
    any: Option<Weight>,
}

impl Said {
    fn of(request: &HeaderMap) -> Self {
        let mut said = Self::default();
        let lists = request.get_all(header::ACCEPT_ENCODING).iter();
        let elements = lists.filter_map(|list| list.to_str().ok());
        for element in elements.flat_map(|list| list.split(',')) {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let place = match name.trim().to_ascii_lowercase().as_str() {
                "zstd" => &mut said.zstd,
                "br" => &mut said.br,
                "gzip" | "x-gzip" => &mut said.gzip,
                "identity" => &mut said.identity,
                "*" => &mut said.any,
                _ => continue,
            };
            *place = Some(weight(parameters));
        }
        said
    }

    fn weight(&self, coding: Coding) -> Weight {
        let said = match coding {
            Coding::Zstd => self.zstd,
            Coding::Br => self.br,
            Coding::Gzip => self.gzip,
        };
        said.or(self.any).unwrap_or(0)
    }
}

/// The weight among parameters: 1 if there is none, nought if it is none.
fn weight(parameters: &str) -> Weight {
    let mut parameters = parameters.split(';').filter_map(|one| one.split_once('='));
    let weight = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let Some((_, value)) = weight else {
        return 1000;
    };
    let weight = value.trim().parse::<f32>().ok();
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight));
    weight.map_or(0, |weight| (weight * 1000.0).round() as Weight)
}

#[cfg(test)]
mod tests {
    use gatewright_model::config::{Environment, parse};
    use proptest::prelude::*;

    use super::*;

    fn rules() -> Compression {
        let text = "[pools.web]\nservers = [\"127.0.0.1:1\"]\ncompression = true\n";
        let config =
            parse(text, std::path::Path::new("."), &Environment::empty()).expect("a configuration");
        config.pools[0].compression.clone().expect("rules")
    }

    fn taken(said: &str) -> Option<Coding> {
        let mut request = HeaderMap::new();
        request.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_str(said).unwrap(),
        );
        best(&rules(), &request)
    }

    #[test]
    fn the_client_s_weights_count_and_the_order_of_the_list_where_they_are_alike() {
        for (said, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("GZIP;Q=0.1", Some(Coding::Gzip)),
            ("gzip, br", Some(Coding::Br)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip;q=1.0, br;q=0.5", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0.5, zstd;q=0", Some(Coding::Br)),
            ("br, identity;q=0", Some(Coding::Br)),
            ("gzip;q=0.5, identity", None),
            ("identity", None),
            ("gzip;q=0", None),
            ("gzip;q=0.000", None),
            ("gzip;q=x", None),
            ("gzip;q=2", None),
            ("*;q=0", None),
            ("deflate, compress", None),
            ("", None),
        ] {
            assert_eq!(taken(said), coding, "{said:?}");
        }
        assert_eq!(best(&rules(), &HeaderMap::new()), None, "nothing is said");
    }

    proptest! {
        #[test]
        fn a_coding_that_is_refused_is_never_taken(rest in "[a-z*;=,. 0-9]{0,40}") {
            // What comes last counts.
            prop_assert_ne!(taken(&format!("{rest},zstd;q=0")), Some(Coding::Zstd));
        }
    }
}
