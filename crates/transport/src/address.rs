use std::fmt;

use url::Url;

use crate::{Error, ErrorKind};

/// Scheme, host and port: the border that credentials never cross (RFC 6454).
///
/// `Display` leaves out the port where it is the scheme's own: `https://api.example.com`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] unless the URL is `http` or `https` and has a host.
    pub fn of(url: &Url) -> Result<Self, Error> {
        match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            (scheme @ ("http" | "https"), Some(host), Some(port)) => Ok(Self {
                scheme: scheme.to_owned(),
                host: host.to_owned(),
                port,
            }),
            (scheme, ..) => Err(Error::new(
                ErrorKind::Config,
                format!("a URL must start with https:// or http://, not {scheme}:"),
            )),
        }
    }

    /// Reads an origin as people write it: `https://api.example.com`, with a port where it is not the scheme's own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything else, and for a URL that says more than an origin.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = parse_url(text)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            let message = "only scheme, host and port count; write it without a path, as in https://api.example.com";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Self::of(&url)
    }

    /// `url` with this origin in place of its own: for links of an API behind a proxy that name the host behind it.
    ///
    /// ```
    /// use longshore_transport::{Origin, parse_url};
    ///
    /// # fn main() -> Result<(), longshore_transport::Error> {
    /// let origin = Origin::parse("https://api.example.com")?;
    /// let link = parse_url("http://10.0.0.7:8080/users?page=2")?;
    /// assert_eq!(origin.rebase(&link).as_str(), "https://api.example.com/users?page=2");
    /// # Ok(())
    /// # }
    /// ```
    pub fn rebase(&self, url: &Url) -> Url {
        let mut rebased = url.clone();
        // None of these fails between http and https URLs with a host, and an origin is made of nothing else.
        let _ = rebased.set_scheme(&self.scheme);
        let _ = rebased.set_host(Some(&self.host));
        let _ = rebased.set_port(Some(self.port));
        let _ = rebased.set_username("");
        let _ = rebased.set_password(None);
        rebased
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether `url` is of this origin.
    pub(crate) fn is_of(&self, url: &Url) -> bool {
        url.scheme() == self.scheme
            && url.host_str() == Some(&self.host)
            && url.port_or_known_default() == Some(self.port)
    }

    /// The error for an attempt to reach `other` from here.
    pub(crate) fn refuse(&self, lead: Lead, other: &Origin) -> Error {
        let same_host = self.host == other.host;
        let (kind, why) = match (self.is_secure(), other.is_secure()) {
            (true, false) if lead == Lead::Redirect => (
                ErrorKind::Redirect,
                "which gives up encryption; it is not followed".to_owned(),
            ),
            (true, false) if same_host || lead == Lead::Link => (
                ErrorKind::ForeignOrigin,
                format!("which gives up encryption{}", lead.advice()),
            ),
            (false, true) if same_host => (
                ErrorKind::ForeignOrigin,
                format!("so set baseUrl to {other}"),
            ),
            _ => (
                ErrorKind::ForeignOrigin,
                format!("another origin than {self} of baseUrl{}", lead.advice()),
            ),
        };
        Error::new(kind, format!("{lead} leads to {other}, {why}"))
    }
}

/// What named a URL that may be of another origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lead {
    /// A configured path.
    Path,
    /// The URL that an exchange began with, which has to be of a given origin.
    Link,
    /// The `Location` of an answer.
    Redirect,
    /// Whoever puts credentials on requests.
    Credentials,
    /// The transport, when it had its answer.
    Answer,
}

impl Lead {
    fn advice(self) -> &'static str {
        match self {
            Lead::Path | Lead::Credentials => {
                "; nothing was sent there. If it is the API that is meant, set baseUrl to it"
            }
            Lead::Link => {
                "; nothing was sent there. If it is the same API by another name, as behind a proxy, set nextLinkOrigin: rebase, \
                 or baseUrl to it; if it may be asked without credentials, add it to allowedOrigins"
            }
            Lead::Redirect => {
                "; nothing was sent there. If it is the API that is meant, set baseUrl to it; \
                 if it may be asked without credentials, add it to allowedOrigins"
            }
            Lead::Answer => "; the transport must not follow redirects by itself",
        }
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lead::Path => "the path",
            Lead::Link => "the link",
            Lead::Redirect => "a redirect",
            Lead::Credentials => "the URL with credentials",
            Lead::Answer => "the answer's URL",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match (self.scheme.as_str(), self.port) {
            ("http", 80) | ("https", 443) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

/// A URL as it may be shown: origin and path, never query, fragment, user name or password.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct SafeUrl(String);

impl SafeUrl {
    /// Origin and path of `url`.
    pub fn of(url: &Url) -> Self {
        match Origin::of(url) {
            Ok(origin) => Self(format!("{origin}{}", url.path())),
            Err(_) => Self(format!("{}:", url.scheme())),
        }
    }

    /// `origin` with a path template in place of a path that may hold data.
    pub(crate) fn labelled(origin: &Origin, label: &str) -> Self {
        let path = label.split(['?', '#']).next().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Self(format!("{origin}{slash}{path}"))
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an absolute `http` or `https` URL.
///
/// # Errors
///
/// [`ErrorKind::Config`] for anything else, and for a URL with a user name or password (they end
/// up in logs of servers and proxies). The error does not show the text.
pub fn parse_url(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| {
        let message = "not a URL; write it with its scheme, as in https://api.example.com";
        Error::new(ErrorKind::Config, message).with_source(error)
    })?;
    Origin::of(&url)?;
    refuse_userinfo(&url)?;
    Ok(url)
}

pub(crate) fn refuse_userinfo(url: &Url) -> Result<(), Error> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    let message = "the URL holds a user name or password; \
                   take them out and use authType: basic";
    Err(Error::new(ErrorKind::Config, message))
}

/// The URL of `path` under `base`.
///
/// `base` may have a path and a query of its own. Exactly one slash is put between the paths; the
/// query of `base` is kept and the one of `path` follows it; fragments are dropped. An empty `path`
/// gives `base` itself. An absolute URL of the same origin keeps its own path.
///
/// # Errors
///
/// [`ErrorKind::ForeignOrigin`] for a path that would lead to another origin, `//host/x` included;
/// [`ErrorKind::Config`] for a base that is no `http(s)` URL.
///
/// ```
/// use longshore_transport::{join, parse_url};
///
/// # fn main() -> Result<(), longshore_transport::Error> {
/// let base = parse_url("https://api.example.com/v1/?version=2")?;
/// let url = join(&base, "/users?active=true")?;
/// assert_eq!(url.as_str(), "https://api.example.com/v1/users?version=2&active=true");
/// assert!(join(&base, "//evil.example/users").is_err());
/// # Ok(())
/// # }
/// ```
pub fn join(base: &Url, path: &str) -> Result<Url, Error> {
    let origin = Origin::of(base)?;
    // URL parsers drop this white space and read backslashes as slashes: look at what they see.
    let path: String = path
        .trim_matches(|c: char| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\r' | '\n'))
        .take_while(|c| *c != '#')
        .collect();
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path.as_str(), None),
    };

    let mut url = base.clone();
    if is_absolute(path) {
        let target = parse_url(path)?;
        let foreign = Origin::of(&target)?;
        if foreign != origin {
            return Err(origin.refuse(Lead::Path, &foreign));
        }
        url.set_path(target.path());
    } else if path.starts_with(is_slash) && path[1..].starts_with(is_slash) {
        return Err(Error::new(
            ErrorKind::ForeignOrigin,
            "the path starts with two slashes, which names another host than the one of baseUrl; \
             start it with one",
        ));
    } else if !path.is_empty() {
        let parent = base.path().trim_end_matches('/');
        let child = path.trim_start_matches(is_slash);
        url.set_path(&format!("{parent}/{child}"));
    }

    let queries: Vec<&str> = [base.query(), query]
        .into_iter()
        .flatten()
        .filter(|query| !query.is_empty())
        .collect();
    let query = queries.join("&");
    url.set_query((!query.is_empty()).then_some(query.as_str()));
    url.set_fragment(None);
    Ok(url)
}

fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// Whether a text is a whole URL, `scheme://…`, and no path: `projects:list` is one, and so is `/login?to=https://app.example.com`.
pub fn is_absolute(path: &str) -> bool {
    let Some((scheme, rest)) = path.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        && rest.starts_with(is_slash)
        && rest[1..].starts_with(is_slash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(base: &str, path: &str) -> String {
        join(&Url::parse(base).unwrap(), path).unwrap().to_string()
    }

    #[test]
    fn one_slash_stands_between_base_and_path() {
        for base in ["https://a.example/v1", "https://a.example/v1/"] {
            for path in ["users", "/users", " /users\n"] {
                assert_eq!(joined(base, path), "https://a.example/v1/users");
            }
        }
        assert_eq!(
            joined("https://a.example", "users"),
            "https://a.example/users"
        );
        assert_eq!(joined("https://a.example/v1/", ""), "https://a.example/v1/");
    }

    #[test]
    fn queries_of_base_and_path_are_both_kept() {
        for (base, path, url) in [
            ("https://a.example/?v=2", "x", "https://a.example/x?v=2"),
            (
                "https://a.example/?v=2",
                "x?a=1&b=%20",
                "https://a.example/x?v=2&a=1&b=%20",
            ),
            (
                "https://a.example/",
                "x?a=1#part",
                "https://a.example/x?a=1",
            ),
            ("https://a.example/x", "?a=1", "https://a.example/x?a=1"),
            ("https://a.example/x", "?", "https://a.example/x"),
        ] {
            assert_eq!(joined(base, path), url);
        }
    }

    #[test]
    fn what_looks_special_inside_a_path_stays_there() {
        for (path, url) in [
            ("projects:list", "https://a.example/projects:list"),
            ("a%2Fb/{id}", "https://a.example/a%2Fb/%7Bid%7D"),
            ("x//y", "https://a.example/x//y"),
            ("user@host", "https://a.example/user@host"),
            ("https://A.example:443/v9?x", "https://a.example/v9?x"),
        ] {
            assert_eq!(joined("https://a.example/", path), url);
        }
    }

    // R31's corpus.
    #[test]
    fn a_path_that_leaves_the_origin_is_refused() {
        let base = Url::parse("https://good.example/v1").unwrap();
        for path in [
            "//evil.example/x",
            "\\\\evil.example/x",
            "/\\evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "https:\\\\evil.example/",
            "https://good.example\\@evil.example",
            "https://good.example@evil.example/",
            "https://good.example:8443/",
            "http://good.example/",
            "HTTPS://EVIL.example",
            "file:///etc/passwd",
            "ftp://good.example/",
        ] {
            match join(&base, path) {
                Err(_) => {}
                // Read as a browser reads it, this one stays: the at sign is part of the path.
                Ok(url) => assert_eq!(
                    (path, url.as_str()),
                    (
                        "https://good.example\\@evil.example",
                        "https://good.example/@evil.example"
                    )
                ),
            }
        }
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let of = |text: &str| Origin::parse(text).unwrap();
        let refusal = |lead, from: &str, to: &str| of(from).refuse(lead, &of(to)).to_string();
        for lead in [Lead::Path, Lead::Link, Lead::Redirect] {
            let text = refusal(lead, "http://a.example", "https://a.example");
            assert!(text.ends_with("set baseUrl to https://a.example"), "{text}");
            let text = refusal(lead, "https://a.example", "http://a.example");
            assert!(text.contains("encryption"), "{text}");
            let text = refusal(lead, "https://a.example", "https://b.example:8443");
            assert!(text.contains("https://b.example:8443"), "{text}");
            assert!(text.contains("baseUrl"), "{text}");
            assert_eq!(text.contains("allowedOrigins"), lead != Lead::Path);
        }
        // Servers behind a proxy name themselves as they are asked: by another host, or without TLS.
        for other in ["https://b.example", "http://b.example", "http://a.example"] {
            let text = refusal(Lead::Link, "https://a.example", other);
            assert!(text.contains("nextLinkOrigin: rebase"), "{text}");
        }
        let text = refusal(Lead::Redirect, "https://a.example", "http://b.example");
        assert!(
            !text.contains("allowedOrigins"),
            "it would not help: {text}"
        );
    }

    #[test]
    fn an_origin_is_written_without_more() {
        for (text, origin) in [
            ("https://A.example", "https://a.example"),
            ("https://a.example:443/", "https://a.example"),
            ("http://a.example:8080", "http://a.example:8080"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), origin);
        }
        for text in [
            "a.example",
            "https://a.example/v1",
            "https://a.example?x",
            "https://a.example/#x",
            "https://user@a.example",
            "ftp://a.example",
            "*",
            "",
        ] {
            let error = Origin::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }

    #[test]
    fn a_shown_url_has_neither_query_nor_user() {
        let url = Url::parse("https://user:pass@a.example:8443/x/y?key=secret#part").unwrap();
        assert_eq!(SafeUrl::of(&url).to_string(), "https://a.example:8443/x/y");
        let origin = Origin::of(&url).unwrap();
        assert_eq!(
            SafeUrl::labelled(&origin, "x/{id}?key=secret").to_string(),
            "https://a.example:8443/x/{id}"
        );
    }

    #[test]
    fn a_url_with_a_password_is_refused_without_showing_it() {
        let error = parse_url("https://user:s3cret@a.example/").unwrap_err();
        assert!(error.to_string().contains("authType: basic"));
        assert!(!format!("{error:?}").contains("s3cret"));
        assert!(!format!("{:?}", parse_url("s3cret").unwrap_err()).contains("s3cret"));
    }

    proptest! {
        // R31
        #[test]
        fn no_path_leaves_the_origin(path in r"[\t\n\r a-z/\\:@.?#%+-]{0,24}|\PC{0,24}") {
            let base = Url::parse("https://good.example/v1?k=v").unwrap();
            if let Ok(url) = join(&base, &path) {
                prop_assert_eq!(Origin::of(&url).unwrap(), Origin::of(&base).unwrap());
                prop_assert!(Origin::of(&base).unwrap().is_of(&url));
                prop_assert!(url.username().is_empty() && url.password().is_none());
                // What is sent is what was checked.
                prop_assert_eq!(&Url::parse(url.as_str()).unwrap(), &url);
                prop_assert!(url.query().unwrap().starts_with("k=v"));
            }
        }

        // R31, nextLinkOrigin: rebase
        #[test]
        fn what_is_rebased_is_of_the_origin(
            link in r"(https?|HTTP):[/\\]{2}[a-z.@:0-9\[\]]{1,16}[/?#\\]?[ -~]{0,16}",
            origin in "https?://(a\\.example|\\[::1\\]|10\\.0\\.0\\.1)(:80|:443|:8080)?",
        ) {
            let origin = Origin::parse(&origin).unwrap();
            if let Ok(url) = Url::parse(&link) {
                let rebased = origin.rebase(&url);
                prop_assert_eq!(&Origin::of(&rebased).unwrap(), &origin);
                prop_assert!(origin.is_of(&rebased));
                prop_assert!(rebased.username().is_empty() && rebased.password().is_none());
                prop_assert_eq!(rebased.path(), url.path());
                prop_assert_eq!(rebased.query(), url.query());
                prop_assert_eq!(&Url::parse(rebased.as_str()).unwrap(), &rebased);
            }
        }
    }
}
