//! What a registry asks of who has not logged in: `WWW-Authenticate`.

use axum::http::Uri;

/// How to log in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By name and password.
    Basic,
    /// By a token that is to be had elsewhere.
    Bearer(Bearer),
}

/// Where a token is to be had.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bearer {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// Read one; none for what is not known.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut bearer = Bearer::default();
        let mut rest = rest;
        while let Some((key, value, after)) = parameter(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => bearer.realm = value,
                "service" => bearer.service = Some(value),
                "scope" => bearer.scope = Some(value),
                _ => {}
            }
            rest = after;
        }
        (!bearer.realm.is_empty()).then_some(Self::Bearer(bearer))
    }
}

impl Bearer {
    /// The address that the token is asked for at.
    ///
    /// # Errors
    ///
    /// When the registry's does not read.
    pub(super) fn uri(&self, scope: &str) -> Result<Uri, String> {
        let scope = self.scope.as_deref().unwrap_or(scope);
        let mut address = self.realm.clone();
        let mut between = if address.contains('?') { '&' } else { '?' };
        let service = self.service.as_deref().map(|service| ("service", service));
        for (key, value) in service.into_iter().chain([("scope", scope)]) {
            address.push(between);
            address += &format!("{key}={}", escaped(value));
            between = '&';
        }
        let uri = address.parse();
        uri.map_err(|_| "the registry's address for tokens does not read".to_owned())
    }
}

/// The next `key="value"`, and what is behind it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', ',']);
    let (key, rest) = text.split_once('=')?;
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        return Some((key.trim(), rest[..end].to_owned(), &rest[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((key.trim(), value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

/// A text as a value in a query.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() || b"-._~:/,".contains(&plain) => {
            char::from(plain).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_where_the_registry_says() {
        let text = r#"Bearer realm="https://auth.example/token",service="a \"b\"",scope="repository:x:pull,push""#;
        let Some(Challenge::Bearer(bearer)) = Challenge::parse(text) else {
            panic!("no bearer");
        };
        assert_eq!(
            bearer.uri("its own").unwrap().to_string(),
            "https://auth.example/token?service=a%20%22b%22&scope=repository:x:pull,push"
        );
        let Some(Challenge::Bearer(bare)) =
            Challenge::parse("bearer realm=https://a.example/t?x=1")
        else {
            panic!("no bearer");
        };
        assert_eq!(
            bare.uri("repository:y:pull").unwrap().to_string(),
            "https://a.example/t?x=1&scope=repository:y:pull"
        );
    }

    #[test]
    fn what_is_not_understood_is_no_challenge() {
        assert_eq!(
            Challenge::parse("Basic realm=\"x\""),
            Some(Challenge::Basic)
        );
        for text in [
            "",
            "Bearer",
            "Bearer realm=\"cut",
            "Digest realm=\"x\"",
            "Bearer service=\"x\"",
        ] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }
}
