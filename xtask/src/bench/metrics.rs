//! A gateway's `/metrics`, read back.

use anyhow::{Result, bail};

use super::http;

/// All samples of one scrape.
pub(crate) struct Metrics(String);

/// One line of them.
pub(crate) struct Sample<'a> {
    labels: &'a str,
    pub(crate) value: f64,
}

impl Sample<'_> {
    /// A label's value.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.split(',').find_map(|label| {
            let (key, value) = label.split_once('=')?;
            (key == name).then(|| value.trim_matches('"'))
        })
    }
}

impl Metrics {
    /// Ask a gateway's admin port.
    ///
    /// # Errors
    ///
    /// When it does not answer with metrics.
    pub(crate) fn of(admin_port: u16) -> Result<Self> {
        let answer = http::get(admin_port, "/metrics")?;
        if answer.status != 200 {
            bail!("/metrics answered with status {}", answer.status);
        }
        Ok(Self(answer.body))
    }

    /// Every sample of a family.
    pub(crate) fn all<'a>(&'a self, family: &'a str) -> impl Iterator<Item = Sample<'a>> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(family)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.split_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let value = value.split(' ').next()?.parse().ok()?;
            Some(Sample { labels, value })
        })
    }

    /// All samples of a family together.
    pub(crate) fn sum(&self, family: &str) -> f64 {
        self.all(family).map(|sample| sample.value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn samples_are_found_by_family() {
        let text = "# TYPE a gauge\na 1.5\na_total{b=\"c\",d=\"e\"} 7\nab 9\n";
        let metrics = Metrics(text.to_owned());
        let values = |family| {
            metrics
                .all(family)
                .map(|sample| sample.value)
                .collect::<Vec<_>>()
        };
        assert_eq!(values("a"), [1.5]);
        assert_eq!(values("a_total"), [7.0]);
        assert_eq!(metrics.sum("a"), 1.5);
        let sample = metrics.all("a_total").next().unwrap();
        assert_eq!(sample.label("d"), Some("e"));
        assert_eq!(sample.label("x"), None);
    }
}
