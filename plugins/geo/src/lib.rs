//! Geo: from which region a client is, told in a header.
//!
//! It looks the client's address up in a table of networks (CIDR, RFC 4632; the
//! narrowest counts), or takes the country that a proxy in front has found. The
//! header goes to the servers, and the policies and the router behind this one
//! see it too: a route with `headers = { x-region = "eu" }` gives a region its
//! pool. What a client itself sends by that name is never passed on.
//!
//! It brings no table of its own, and reads none of a vendor's formats.

use std::collections::{BTreeMap, HashMap};

use gatewright_matching::{Networks, client_address, tokens};
use gatewright_plugin_sdk::{
    ConfigError, RequestPolicy, Verdict, export, refuse, request, rewrite,
};
use serde::Deserialize;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The header that tells the region; `x-region` by default.
    pub header: Option<String>,
    /// The networks of each region.
    pub networks: BTreeMap<String, Vec<String>>,
    /// The header in which a trusted proxy in front tells the client's country,
    /// such as `cf-ipcountry`. It goes before the networks.
    pub country_header: Option<String>,
    /// The countries of each region, as that header names them.
    pub countries: BTreeMap<String, Vec<String>>,
    /// The region of every other client, one that `networks` or `countries` name;
    /// without it there is no header.
    pub default: Option<String>,
}

/// The policy for one binding.
#[derive(Debug)]
pub struct Geo {
    header: String,
    /// The regions' names.
    regions: Vec<String>,
    /// A region's place in `regions` by network.
    networks: Networks<usize>,
    country_header: Option<String>,
    /// A region's place in `regions` by country, in upper case.
    countries: HashMap<String, usize>,
    default: Option<usize>,
}

impl RequestPolicy for Geo {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let header = config.header.as_deref().unwrap_or("x-region");
        let country_header = config.country_header.as_deref();
        let country_header = country_header.map(|name| tokens::header_name(name, "country_header"));
        let mut geo = Self {
            header: tokens::written_header(header, "header")?,
            regions: Vec::new(),
            networks: Networks::default(),
            country_header: country_header.transpose()?,
            countries: HashMap::new(),
            default: None,
        };
        geo.add_networks(&config.networks)?;
        geo.add_countries(&config.countries)?;
        if geo.regions.is_empty() {
            return Err(refuse("networks", "there is no region: name one at least"));
        }
        if let Some(region) = &config.default {
            geo.default = Some(geo.known(region)?);
        }
        Ok(geo)
    }

    fn check(&mut self, _method: &str, _authority: &str, _path: &str) -> Verdict {
        let region = self
            .of_country()
            .or_else(|| self.of_network())
            .or(self.default);
        match region {
            Some(region) => rewrite::set_header(&self.header, &self.regions[region]),
            None => rewrite::remove_header(&self.header),
        }
        Verdict::Proceed
    }
}

impl Geo {
    fn add_networks(&mut self, written: &BTreeMap<String, Vec<String>>) -> Result<(), ConfigError> {
        for (name, networks) in written {
            let region = self.region(name, &format!("networks.{name}"))?;
            for (number, network) in networks.iter().enumerate() {
                let key = format!("networks.{name}[{number}]");
                let before = self.networks.insert(network, region, &key)?;
                if before.is_some_and(|before| before != region) {
                    return Err(refuse(
                        key,
                        format!("`{network}` is another region's already"),
                    ));
                }
            }
        }
        Ok(())
    }

    fn add_countries(
        &mut self,
        written: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), ConfigError> {
        if !written.is_empty() && self.country_header.is_none() {
            return Err(refuse(
                "country_header",
                "countries are known by a header: say which",
            ));
        }
        for (name, countries) in written {
            let region = self.region(name, &format!("countries.{name}"))?;
            for (number, country) in countries.iter().enumerate() {
                let before = self.countries.insert(country.to_ascii_uppercase(), region);
                if before.is_some_and(|before| before != region) {
                    return Err(refuse(
                        format!("countries.{name}[{number}]"),
                        format!("`{country}` is another region's already"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The place of a region that is named at `key`.
    fn region(&mut self, name: &str, key: &str) -> Result<usize, ConfigError> {
        if !tokens::is_token(name) {
            return Err(refuse(
                key,
                "a region's name is letters, digits and any of !#$%&'*+-.^_`|~",
            ));
        }
        let known = self.regions.iter().position(|known| known == name);
        Ok(known.unwrap_or_else(|| {
            self.regions.push(name.into());
            self.regions.len() - 1
        }))
    }

    /// The place of the region that is the default.
    fn known(&self, name: &str) -> Result<usize, ConfigError> {
        let known = self.regions.iter().position(|known| known == name);
        known.ok_or_else(|| {
            let reason = format!(
                "there is no region `{name}`: there are {}; for one without networks of its own \
                 write networks.{name} = []",
                self.regions.join(", ")
            );
            refuse("default", reason)
        })
    }

    /// The region by what a proxy in front says; a header that comes twice says
    /// nothing, since one of the two may be the client's.
    fn of_country(&self) -> Option<usize> {
        let header = self.country_header.as_ref()?;
        if request::header_bytes(header, 1).is_some() {
            return None;
        }
        let mut country = request::header(header)?;
        country.make_ascii_uppercase();
        self.countries.get(country.trim()).copied()
    }

    fn of_network(&self) -> Option<usize> {
        self.networks.find(client_address()?).copied()
    }
}

export!(Geo: request-policy);

#[cfg(test)]
mod tests;
